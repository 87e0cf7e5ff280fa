-- Tables of the figure "steps": the same for the engine and for the loops.

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

-- The row is read anew before each step that speaks of it, as a workflow does.
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

-- A commit after each step that writes, so that none is ever done twice.
CREATE PROCEDURE steps_by_commits() LANGUAGE plpgsql AS $$
DECLARE
	subject bigint;
	c loop_contact;
BEGIN
	UPDATE loop_contact SET stage = 'go';
	COMMIT;
	FOR subject IN SELECT id FROM loop_contact ORDER BY id LOOP
		UPDATE loop_contact SET score = score + 1 WHERE id = subject;
		COMMIT;
		SELECT * INTO c FROM loop_contact WHERE id = subject;
		IF c.score > 0 THEN
			INSERT INTO loop_activity (contact_id, kind) VALUES (c.id, 'welcome ' || c.name);
		END IF;
		COMMIT;
	END LOOP;
END
$$;

-- Waits until the engine has done n; returns the moment of its last commit. The
-- sequence tells when it is worth counting: the count would compete with the engine.
CREATE PROCEDURE await_activities(first bigint, n bigint, INOUT ended timestamptz) LANGUAGE plpgsql AS $$
DECLARE
	done bigint;
BEGIN
	LOOP
		SELECT last_value - first INTO done FROM run_activity_id_seq;
		IF done >= n THEN
			SELECT count(*) INTO done FROM run_activity;
			EXIT WHEN done >= n;
		END IF;
		IF clock_timestamp() > statement_timestamp() + interval '10 min' THEN
			RAISE 'only % of % enrollments have run after 10 minutes', done, n;
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.02);
	END LOOP;
	SELECT max(pg_xact_commit_timestamp(xmin)) INTO ended FROM run_activity WHERE id > first + n - 1000;
END
$$;
