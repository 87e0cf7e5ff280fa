-- Tables and measuring procedures of bench/run; psql variable: rows.
-- noop() is there already.

CREATE TABLE result (
	figure text NOT NULL,
	variant text NOT NULL,
	round integer NOT NULL,
	value double precision NOT NULL		-- seconds, or transactions per second
);

-- What is measured is always this row; one table for each way to watch it.
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
) WITH (autovacuum_enabled = off);		-- bench/run vacuums before each measurement

CREATE FUNCTION sample(first bigint, last bigint) RETURNS SETOF contact LANGUAGE sql AS $$
	SELECT i, 'Contact ' || i, 'contact' || i || '@example.com', 'Company ' || i % 1000, 'FR', 'lead',
		(i % 100)::integer, false, timestamptz '2026-01-01' + i * interval '1 s', NULL
	FROM generate_series(first, last) i
$$;

CREATE TABLE none (LIKE contact INCLUDING ALL) WITH (autovacuum_enabled = off);
CREATE TABLE noop (LIKE contact INCLUDING ALL) WITH (autovacuum_enabled = off);
CREATE TABLE w1 (LIKE contact INCLUDING ALL) WITH (autovacuum_enabled = off);
CREATE TABLE w100 (LIKE contact INCLUDING ALL) WITH (autovacuum_enabled = off);
CREATE TABLE w1000 (LIKE contact INCLUDING ALL) WITH (autovacuum_enabled = off);
CREATE TRIGGER noop AFTER UPDATE ON noop FOR EACH ROW EXECUTE FUNCTION noop();

INSERT INTO none SELECT * FROM sample(1, :rows);
INSERT INTO noop SELECT * FROM sample(1, :rows);
INSERT INTO w1 SELECT * FROM sample(1, :rows);
INSERT INTO w100 SELECT * FROM sample(1, :rows);
INSERT INTO w1000 SELECT * FROM sample(1, :rows);

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
CALL watch('w1', 1);
CALL watch('w100', 100);
CALL watch('w1000', 1000);

-- Steps: the same table for the engine and for the loop
CREATE TABLE run_contact (LIKE contact INCLUDING ALL);
CREATE TABLE run_activity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL, kind text NOT NULL);
CREATE TABLE loop_contact (LIKE contact INCLUDING ALL);
CREATE TABLE loop_activity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL, kind text NOT NULL);

CREATE FUNCTION steps(c run_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER UPDATE OF stage TO 'go';
BEGIN
	UPDATE run_contact SET score = score + 1 WHERE id = c.id;
	IF c.score > 0 THEN
		INSERT INTO run_activity (contact_id, kind) VALUES (c.id, 'welcome ' || c.name);
	END IF;
END
$$;

CREATE PROCEDURE steps_by_loop() LANGUAGE plpgsql AS $$
DECLARE
	subject bigint;
	c loop_contact;
BEGIN
	UPDATE loop_contact SET stage = 'go';
	FOR subject IN SELECT id FROM loop_contact ORDER BY id LOOP
		UPDATE loop_contact SET score = score + 1 WHERE id = subject;
		SELECT * INTO c FROM loop_contact WHERE id = subject;
		IF c.score > 0 THEN
			INSERT INTO loop_activity (contact_id, kind) VALUES (c.id, 'welcome ' || c.name);
		END IF;
	END LOOP;
END
$$;

-- Waits until the engine has done n; returns the moment of its last commit.
CREATE PROCEDURE await_activities(n bigint, INOUT ended timestamptz) LANGUAGE plpgsql AS $$
DECLARE
	done bigint;
BEGIN
	LOOP
		SELECT count(*) INTO done FROM run_activity;
		EXIT WHEN done >= n;
		IF clock_timestamp() > statement_timestamp() + interval '10 min' THEN
			RAISE 'only % of % enrollments have run after 10 minutes', done, n;
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.02);
	END LOOP;
	SELECT pg_xact_commit_timestamp(xmin) INTO ended FROM run_activity ORDER BY id DESC LIMIT 1;
END
$$;

-- Latency: a durable commit of a row nobody watches, then one that starts a workflow, in turns
CREATE TABLE alone (LIKE contact INCLUDING ALL);
CREATE TABLE late_contact (LIKE contact INCLUDING ALL);
CREATE TABLE late_activity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);

CREATE FUNCTION late(c late_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER UPDATE OF stage TO 'go';
BEGIN
	INSERT INTO late_activity (contact_id) VALUES (c.id);
END
$$;

CREATE PROCEDURE take_turns(n integer) LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz;
BEGIN
	FOR i IN 1 .. n LOOP
		started := clock_timestamp();
		UPDATE alone SET stage = 'go' WHERE id = i;
		COMMIT;
		INSERT INTO result VALUES ('latency', 'commit', i, extract(epoch FROM clock_timestamp() - started));
		COMMIT;
		UPDATE late_contact SET stage = 'go' WHERE id = i;
		COMMIT;
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
