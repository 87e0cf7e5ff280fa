-- Tables and load of the figure "snapshot".

CREATE TABLE activity (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	contact_id bigint NOT NULL,
	kind text NOT NULL
);

-- New subjects: every row enters once
CREATE TABLE newcomer (LIKE contact INCLUDING ALL);
CREATE FUNCTION welcome(c newcomer) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	INSERT INTO activity (contact_id, kind) VALUES (c.id, 'welcome ' || c.name);
	WAIT FOR '1 ms';
	INSERT INTO activity (contact_id, kind) VALUES (c.id, 'first call');
END
$$;

-- The same subjects again and again. What starts them is a row in another table:
-- an UPDATE of the same thousand rows would itself become slower under an old
-- snapshot, with or without workflows.
INSERT INTO contact SELECT * FROM sample(1, 1000);
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL);
CREATE FUNCTION visited(c contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT ON visit FOR SELECT new.contact_id;
	ENROLL AGAIN;
BEGIN
	INSERT INTO activity (contact_id, kind) VALUES (c.id, 'welcome ' || c.name);
	WAIT FOR '1 ms';
	INSERT INTO activity (contact_id, kind) VALUES (c.id, 'first call');
END
$$;

-- One thousand at a time, the next ones when those are through.
CREATE TABLE progress (variant text NOT NULL, at timestamptz NOT NULL, enrollments integer NOT NULL);

CREATE PROCEDURE enter(variant text, first bigint) LANGUAGE plpgsql AS $$
BEGIN
	IF variant = 'new' THEN
		INSERT INTO newcomer SELECT * FROM sample(first, first + 999);
	ELSE
		INSERT INTO visit (contact_id) SELECT generate_series(1, 1000);
	END IF;
END
$$;

-- The sequence tells when it is worth counting, and only the last rows are counted:
-- neither becomes slower with the number of rows.
CREATE PROCEDURE work(variant text, seconds float8) LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := clock_timestamp() + seconds * interval '1 s';
	first bigint := (SELECT coalesce(max(id), 0) + 1 FROM newcomer);
	before bigint;
	done bigint;
	started timestamptz;
BEGIN
	WHILE clock_timestamp() < until LOOP
		before := (SELECT coalesce(max(id), 0) FROM activity);
		CALL enter(variant, first);
		COMMIT;
		first := first + 1000;
		started := clock_timestamp();
		LOOP
			SELECT last_value - before INTO done FROM activity_id_seq;
			IF done >= 2000 THEN
				SELECT count(*) INTO done FROM activity WHERE id > before;
				EXIT WHEN done >= 2000;
			END IF;
			IF clock_timestamp() > started + interval '1 min' THEN
				RAISE 'only % of 2000 actions after a minute', done;
			END IF;
			PERFORM pg_sleep(0.001);
			COMMIT;
		END LOOP;
		INSERT INTO progress VALUES (variant, clock_timestamp(), 1000);
		COMMIT;
	END LOOP;
END
$$;
