-- Tables of the figure "waiters".

CREATE TABLE waiting_contact (id bigint PRIMARY KEY);
CREATE TABLE sales_order (id bigint PRIMARY KEY, contact_id bigint NOT NULL, status text NOT NULL, total numeric NOT NULL);
CREATE INDEX ON sales_order (contact_id);
CREATE TABLE bought (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);

CREATE FUNCTION buys(c waiting_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	WAIT UNTIL EXISTS (SELECT FROM sales_order o WHERE o.contact_id = c.id AND o.status = 'paid') TIMEOUT '1 year';
	INSERT INTO bought (contact_id) VALUES (c.id);
END
$$;

-- Floors: a durable commit, and the same orders with nothing on them
CREATE TABLE alone (LIKE contact INCLUDING ALL);
CREATE TABLE plain_order (LIKE sales_order INCLUDING ALL);

-- Orders that start a workflow, if they have a contact
CREATE TABLE started_order (LIKE sales_order INCLUDING ALL);
CREATE FUNCTION starts(o started_order) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT WHEN new.status = 'paid' FOR SELECT new WHERE new.contact_id > 0;
BEGIN
	INSERT INTO bought (contact_id) VALUES (o.contact_id);
END
$$;

-- The figure "latency", for turns with it
CREATE TABLE late_contact (LIKE contact INCLUDING ALL);
CREATE TABLE late_activity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);
CREATE FUNCTION late(c late_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER UPDATE OF stage TO 'go';
BEGIN
	INSERT INTO late_activity (contact_id) VALUES (c.id);
END
$$;

-- A commit of a row nobody watches, one that starts a workflow, one that wakes
-- the enrollment that waits for it, in turns
CREATE PROCEDURE take_turns(first integer, last integer, spread integer) LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz;
BEGIN
	FOR i IN first .. last LOOP
		started := clock_timestamp();
		UPDATE alone SET stage = 'go' WHERE id = i;
		COMMIT;
		INSERT INTO result VALUES ('waiters', 'commit', i, extract(epoch FROM clock_timestamp() - started));
		COMMIT;
		UPDATE late_contact SET stage = 'go' WHERE id = i;
		COMMIT;
		PERFORM pg_sleep(0.01);
		INSERT INTO sales_order VALUES (-i, i::bigint * spread, 'paid', 1);
		COMMIT;
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;

-- From commit to commit, by the server's own record of both
CREATE VIEW latency AS
	SELECT 'start' AS variant, c.id, extract(epoch FROM pg_xact_commit_timestamp(a.xmin) - pg_xact_commit_timestamp(c.xmin)) AS seconds
	FROM late_contact c JOIN late_activity a ON a.contact_id = c.id
	UNION ALL
	SELECT 'wake', -o.id, extract(epoch FROM pg_xact_commit_timestamp(b.xmin) - pg_xact_commit_timestamp(o.xmin))
	FROM sales_order o JOIN bought b USING (contact_id) WHERE o.id < 0;
