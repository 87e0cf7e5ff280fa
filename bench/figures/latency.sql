-- Tables of the figure "latency".

CREATE TABLE alone (LIKE contact INCLUDING ALL);
CREATE TABLE late_contact (LIKE contact INCLUDING ALL);
CREATE TABLE late_activity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);

CREATE FUNCTION late(c late_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER UPDATE OF stage TO 'go';
BEGIN
	INSERT INTO late_activity (contact_id) VALUES (c.id);
END
$$;

-- A commit of a row nobody watches, then one that starts a workflow, in turns
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

-- From commit to commit, by the server's own record of both
CREATE VIEW latency AS
	SELECT c.id, extract(epoch FROM pg_xact_commit_timestamp(a.xmin) - pg_xact_commit_timestamp(c.xmin)) AS seconds
	FROM late_contact c JOIN late_activity a ON a.contact_id = c.id;
