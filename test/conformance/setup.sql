-- What the cases work on, made once by a superuser: the extension, the kit in schema crm owned by
-- app, servers that messages are addressed to (nothing leaves: automation.egress is off), and the
-- small harness in schema conformance.
CREATE EXTENSION pg_cron;
CREATE EXTENSION automation;
CREATE ROLE app LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE administrator LOGIN IN ROLE app;
GRANT USAGE ON LANGUAGE workflow TO app WITH GRANT OPTION;
GRANT CREATE ON DATABASE crm TO app;
GRANT USAGE ON FOREIGN DATA WRAPPER automation TO app;
GRANT EXECUTE ON PROCEDURE automation.advance(interval) TO app;
ALTER ROLE app SET timezone = 'UTC';
ALTER ROLE app SET search_path = try, crm;

CREATE SERVER mail TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://mail.example.com', "from" 'shop@example.com, @example.com', class 'marketing, transactional, internal',
           unsubscribe_url 'https://example.com/u/', postal_address 'Example Ltd, 1 Road, Town',
           recipient_rate '0');
CREATE SERVER postmark TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://smtp.postmarkapp.com:587', "from" 'shop@example.com', class 'transactional');
CREATE SERVER newsletters TYPE 'smtp' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'smtp://news.example.com', "from" 'shop@example.com', class 'marketing', unsubscribe_url 'https://example.com/u/', postal_address 'Example Ltd');
CREATE SERVER sms_of_account TYPE 'http' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'https://api.twilio.com/2010-04-01/Accounts/AC456', "from" '+15550101', monthly_cap '1000');
CREATE SERVER sms_of_support TYPE 'http' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'https://api.twilio.com/2010-04-01/Accounts/AC789', "from" '+15550102', monthly_cap '1000');
CREATE SERVER ai_bought TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://ai.example.com/v1', monthly_cap '2');
CREATE SERVER hooks TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://hooks.example.com');
CREATE SERVER sms TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.twilio.com/2010-04-01/Accounts/AC123/Messages.json');
CREATE SERVER twilio TYPE 'http' FOREIGN DATA WRAPPER automation
  OPTIONS (url 'https://api.twilio.com/2010-04-01/Accounts/AC123', "from" '+15550100', recipient_rate '0');
-- app may not use this one
CREATE SERVER add_on TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://add-on.example.com');
CREATE SERVER slack TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://slack.com/api');
CREATE SERVER facebook TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://graph.facebook.com/v19.0');
CREATE SERVER salesforce TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://example.my.salesforce.com/services/data/v60.0');
CREATE SERVER google_sheets TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://sheets.googleapis.com');
CREATE SERVER asana TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://app.asana.com/api/1.0');
CREATE SERVER zendesk TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.getbase.com');
CREATE SERVER zendesk_sell TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.getbase.com/v2');
CREATE SERVER openai TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.openai.com/v1');
CREATE SERVER ai TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.openai.com/v1');
CREATE SERVER boards TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://api.trello.com/1');
CREATE SERVER partner TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://partner.example.com');
CREATE SERVER push TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://push.example.com');
CREATE SERVER blog TYPE 'http' FOREIGN DATA WRAPPER automation OPTIONS (url 'https://blog.example.com');
GRANT EXECUTE ON FUNCTION automation.record_inbound(text, text, text, text, text, text, jsonb, text, jsonb) TO app;
GRANT USAGE ON FOREIGN SERVER mail, hooks, sms, slack, facebook, salesforce, google_sheets, asana, zendesk, ai, twilio, zendesk_sell, openai, postmark,
  newsletters, sms_of_account, sms_of_support, ai_bought, boards, push, blog TO app;

-- The harness
CREATE SCHEMA conformance AUTHORIZATION app;
SET ROLE app;
SET search_path = conformance;

CREATE TABLE catalogue (id text PRIMARY KEY, system text, name text NOT NULL, position int GENERATED ALWAYS AS IDENTITY);

-- What was seen of a case.  A case is through if all of it is ok, and it had both what must happen and what must not.
CREATE TABLE seen (
    n         int GENERATED ALWAYS AS IDENTITY,
    id        text NOT NULL REFERENCES catalogue,
    kind      text NOT NULL CHECK (kind IN ('yes', 'no', 'not applicable')),
    what      text NOT NULL,
    ok        boolean NOT NULL,
    file      text DEFAULT current_setting('conformance.file', true)
);

-- What workflows of the cases did.
CREATE TABLE hit (n int GENERATED ALWAYS AS IDENTITY, id text NOT NULL, key text, what text, at timestamptz NOT NULL DEFAULT automation.now());

-- Must hold.
CREATE FUNCTION yes(id text, what text, ok boolean) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO seen (id, kind, what, ok) VALUES (yes.id, 'yes', yes.what, coalesce(yes.ok, false));
END;

-- Must not hold: who did not enter, what did not happen, what went beyond a limit.
CREATE FUNCTION no(id text, what text, happened boolean) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO seen (id, kind, what, ok) VALUES (no.id, 'no', no.what, NOT coalesce(no.happened, true));
END;

-- Must be refused, with a message LIKE this.
CREATE FUNCTION refused(id text, what text, statement text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        INSERT INTO conformance.seen (id, kind, what, ok)
        VALUES (refused.id, 'no', refused.what || CASE WHEN SQLERRM LIKE message THEN '' ELSE ' (said: ' || SQLERRM || ')' END, SQLERRM LIKE message);
        RETURN;
    END;
    INSERT INTO conformance.seen (id, kind, what, ok) VALUES (refused.id, 'no', refused.what || ' (was not refused)', false);
END $$;

CREATE FUNCTION not_applicable(id text, reason text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO seen (id, kind, what, ok) VALUES (not_applicable.id, 'not applicable', reason, true);
END;

-- For workflows: SELECT hit('T13', c.id);
CREATE FUNCTION hit(id text, key anyelement DEFAULT NULL::text, what text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO conformance.hit (id, key, what) VALUES ($1, $2::text, $3);
$$;

-- Keys of a case's hits, in the order of the keys; how often it hit one.
CREATE FUNCTION hits(id text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(key ORDER BY length(key), key, n), '{}') FROM conformance.hit h WHERE h.id = $1;
$$;
CREATE FUNCTION hits(id text, key anyelement) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM conformance.hit h WHERE h.id = $1 AND h.key = $2::text;
$$;

-- What the case of each row has come to.
CREATE VIEW result AS
    SELECT c.position, c.id, c.system, c.name,
           CASE WHEN count(s.id) = 0 THEN 'missing'
                WHEN NOT bool_and(s.ok) THEN 'fail'
                WHEN bool_and(s.kind = 'not applicable') THEN 'n/a'
                WHEN bool_or(s.kind = 'not applicable') THEN 'fail'
                WHEN NOT bool_or(s.kind = 'yes') OR NOT bool_or(s.kind = 'no') THEN 'one-sided'
                ELSE 'pass' END AS result,
           coalesce(string_agg(s.what, '; ' ORDER BY s.n) FILTER (WHERE NOT s.ok),
                    max(s.what) FILTER (WHERE s.kind = 'not applicable')) AS reason,
           count(s.id) AS checks, min(s.file) AS file
    FROM catalogue c LEFT JOIN seen s USING (id)
    GROUP BY c.position, c.id, c.system, c.name;
