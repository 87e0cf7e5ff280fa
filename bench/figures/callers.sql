-- Tables of the figure "callers". The floors' tables are made by callers.sh: they
-- copy the engine's own.

INSERT INTO contact SELECT * FROM sample(1, 100000);
VACUUM ANALYZE contact;

-- Watched: an INSERT enrolls
CREATE TABLE arrival (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);
CREATE TABLE plain_arrival (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);
CREATE FUNCTION arrived(a arrival) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	UPDATE contact SET score = 0 WHERE id = a.contact_id;
END
$$;

-- By hand
CREATE FUNCTION called(c contact) RETURNS bigint LANGUAGE workflow AS $$
	ENROLL AGAIN;
BEGIN
	UPDATE contact SET score = 0 WHERE id = c.id;
END
$$;

-- Keeps the executor inside a statement
CREATE TABLE pause (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seconds float8 NOT NULL);
CREATE FUNCTION paused(p pause) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	SELECT pg_sleep(p.seconds);
END
$$;
