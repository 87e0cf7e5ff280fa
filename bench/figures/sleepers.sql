-- Tables of the figure "sleepers".

CREATE TABLE sleeper (id bigint PRIMARY KEY, score integer NOT NULL DEFAULT 0);
CREATE FUNCTION sleeps(s sleeper) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	WAIT FOR '30 days';
	UPDATE sleeper SET score = score + 1 WHERE id = s.id;
END
$$;

CREATE TABLE appointment (id bigint PRIMARY KEY, due timestamptz NOT NULL);
CREATE TABLE woken (id bigint NOT NULL);
CREATE FUNCTION wakes(a appointment) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	WAIT UNTIL a.due;
	INSERT INTO woken (id) VALUES (a.id);
END
$$;

CREATE TABLE alone (id bigint PRIMARY KEY, score integer NOT NULL);
INSERT INTO alone SELECT i, 0 FROM generate_series(1, 200) i;

CREATE PROCEDURE commit_alone() LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz;
BEGIN
	FOR i IN 1 .. 200 LOOP
		started := clock_timestamp();
		UPDATE alone SET score = 1 WHERE id = i;
		COMMIT;
		INSERT INTO result VALUES ('sleepers', 'commit', i, extract(epoch FROM clock_timestamp() - started));
		COMMIT;
		PERFORM pg_sleep(0.005);
	END LOOP;
END
$$;
