-- Tables of the figure "wakeup".

CREATE TABLE arrival (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL);
CREATE TABLE seen (id bigint NOT NULL);

-- Matches nothing that the sessions write: the executor only deletes the events.
CREATE FUNCTION arrived(a arrival) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT WHEN length(new.kind) > 100;
BEGIN
	INSERT INTO seen (id) VALUES (a.id);
END
$$;

-- Keeps the executor inside a statement, where no commit wakes it
CREATE TABLE pause (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seconds float8 NOT NULL);
CREATE FUNCTION paused(p pause) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	SELECT pg_sleep(p.seconds);
END
$$;
