-- What every figure finds in its database: the row that is measured, made-up
-- values for it, and the table that takes the results. bench.noop() and
-- bench.cpu() are there already.

CREATE TABLE result (
	figure text NOT NULL,
	variant text NOT NULL,
	round integer NOT NULL,					-- 0 warms up and does not count
	value double precision NOT NULL,		-- seconds, or transactions per second
	cpu double precision					-- seconds of the backend, or per transaction
);

CREATE TABLE contact (
	id bigint PRIMARY KEY,
	name text NOT NULL,
	email text NOT NULL,
	company text,
	country text,
	stage text NOT NULL,
	score integer NOT NULL,
	unsubscribed boolean NOT NULL,
	created_at timestamptz NOT NULL,
	note text
);

CREATE FUNCTION sample(first bigint, last bigint) RETURNS SETOF contact LANGUAGE sql AS $$
	SELECT i, 'Contact ' || i, 'contact' || i || '@example.com', 'Company ' || i % 1000, 'FR', 'lead',
		(i % 100)::integer, false, timestamptz '2026-01-01' + i * interval '1 s', NULL
	FROM generate_series(first, last) i
$$;

-- n workflows that watch a table; each for another value of the same column
CREATE PROCEDURE watch(tab regclass, n integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		EXECUTE format(
			$f$CREATE FUNCTION watch_%s(c %s) RETURNS bigint LANGUAGE workflow AS
			'AFTER UPDATE OF stage TO ''stage %s''; BEGIN UPDATE %s SET score = 0 WHERE id = c.id; END'$f$,
			i, tab, i, tab);
	END LOOP;
END
$$;
