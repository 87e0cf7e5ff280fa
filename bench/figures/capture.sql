-- Tables of the figure "capture": the same rows, watched in different ways.
-- Autovacuum is off on this server; the figure vacuums before each measurement.

CREATE PROCEDURE make_tables() LANGUAGE plpgsql AS $$
DECLARE
	tab text;
BEGIN
	FOREACH tab IN ARRAY '{none,noop,w1,w10,w100,w1000,image,when1,when10,when100}'::text[] LOOP
		EXECUTE format('CREATE TABLE %I (LIKE contact INCLUDING ALL)', tab);
	END LOOP;
END
$$;
CALL make_tables();

CREATE TRIGGER noop AFTER UPDATE ON noop FOR EACH ROW EXECUTE FUNCTION noop();

CALL watch('w1', 1);
CALL watch('w10', 10);
CALL watch('w100', 100);
CALL watch('w1000', 1000);

-- A condition the trigger can't decide: the event carries the columns it reads.
CREATE FUNCTION image(c image) RETURNS bigint LANGUAGE workflow AS $$
	AFTER UPDATE OF stage WHEN new.score > old.score OR length(new.name) > 3;
BEGIN
	UPDATE image SET score = 0 WHERE id = c.id;
END
$$;

-- What one would write without: a trigger for each value, with a condition
CREATE PROCEDURE when_triggers(tab regclass, n integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		EXECUTE format('CREATE TRIGGER when_%s AFTER UPDATE OF stage ON %s FOR EACH ROW
			WHEN (old.stage IS DISTINCT FROM new.stage AND new.stage = ''stage %s'') EXECUTE FUNCTION noop()', i, tab, i);
	END LOOP;
END
$$;
CALL when_triggers('when1', 1);
CALL when_triggers('when10', 10);
CALL when_triggers('when100', 100);
