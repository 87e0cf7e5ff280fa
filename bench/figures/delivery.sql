-- Tables of the figure "delivery".

CREATE TABLE backlog (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, server text NOT NULL, name text NOT NULL, email text NOT NULL);
CREATE FUNCTION tell(b backlog) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	SEND automation.webhook('/', jsonb_build_object('id', b.id, 'name', b.name, 'email', b.email), 'contact.created', server => b.server);
END
$$;

-- The engine's own latency, beside that of a request
CREATE TABLE act_contact (id bigint PRIMARY KEY);
CREATE TABLE act_done (id bigint PRIMARY KEY);
CREATE FUNCTION act(c act_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	INSERT INTO act_done VALUES (c.id);
END
$$;
CREATE TABLE send_contact (id bigint PRIMARY KEY);
CREATE FUNCTION send_it(c send_contact) RETURNS bigint LANGUAGE workflow AS $$
	AFTER INSERT;
BEGIN
	SEND automation.http_request('POST', '/' || c.id, '{}', server => 'receiver');
END
$$;
CREATE PROCEDURE take_turns(first integer, n integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. first + n - 1 LOOP
		INSERT INTO act_contact VALUES (i);
		COMMIT;
		PERFORM pg_sleep(0.015);
		INSERT INTO send_contact VALUES (i);
		COMMIT;
		PERFORM pg_sleep(0.015);
	END LOOP;
END
$$;

-- When the requests of send_contact were received
CREATE TABLE received (id bigint, at double precision);
