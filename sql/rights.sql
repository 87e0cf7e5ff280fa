-- Who may do what.  PUBLIC gets what harms nobody: functions that look at
-- their caller, and the trigger function, which a restoring owner needs.

REVOKE ALL ON ALL ROUTINES IN SCHEMA automation FROM PUBLIC;
REVOKE ALL ON SCHEMA automation FROM PUBLIC;
REVOKE ALL ON LANGUAGE workflow FROM PUBLIC;

GRANT USAGE ON SCHEMA automation TO PUBLIC;

-- does nothing on a table that no workflow watches
GRANT EXECUTE ON FUNCTION automation.capture() TO PUBLIC;

-- only the caller's own workflows
GRANT EXECUTE ON PROCEDURE automation.run() TO PUBLIC;

-- does what its caller may do
GRANT EXECUTE ON PROCEDURE automation.install_crm(text) TO PUBLIC;

-- each checks whose workflow or call it is
GRANT EXECUTE ON FUNCTION automation.pause(text, boolean, boolean) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.resume(text, text, int, interval) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.hold(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.release(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.unenroll(text, anyelement) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.unenroll(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.decide(text, text, text, interval, int, double precision, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.allow_again(text, anyelement) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.unenroll_others(anyelement) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.explain(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.retry(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.retry(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.accept_versions(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.migrate(text, jsonb, boolean, int) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.finished(bigint) TO PUBLIC;
GRANT EXECUTE ON PROCEDURE automation.tick(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.enrollment_status(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.cancel_job(bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.backfill(text, text, int, boolean) TO PUBLIC;

-- each checks whose messages it is about
GRANT EXECUTE ON FUNCTION automation.suppress(text, text, text, text, text, regrole) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.unsuppress(text, text, text, text, regrole) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.suppressed(text, text, text, text, regrole) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.forget_address(text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.delivery_token(bigint, text) TO PUBLIC;
-- the token proves it; record_inbound() is nobody's before it is granted to a bridge
GRANT EXECUTE ON FUNCTION automation.unsubscribe(text) TO PUBLIC;

-- whose message it is, decides
GRANT EXECUTE ON FUNCTION automation.settle(bigint, text, int, text, text) TO PUBLIC;

-- only the caller's own messages, and servers
GRANT EXECUTE ON FUNCTION automation.replay(bigint, text, text, text, timestamptz, int, boolean) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.discard(bigint, text, text, text, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.release_deliveries(bigint, text, text, text, timestamptz, int) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.enable_server(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.disable_server(text) TO PUBLIC;

-- show and reset what is the caller's
GRANT EXECUTE ON FUNCTION automation.stat_counters() TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.stat_buckets() TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.stat_reset(regrole) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.health() TO PUBLIC;

-- say nothing about anybody; the views call the first and the last as their reader
GRANT EXECUTE ON FUNCTION automation.now() TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.entered_at() TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.statement_at(text, int) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.schedule_next(text, timestamptz, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.schedule_previous(text, timestamptz, text) TO PUBLIC;

-- says what pg_foreign_server says to everybody
GRANT EXECUTE ON FUNCTION automation.server_option(text, text) TO PUBLIC;

-- count on clocks and calendars
GRANT EXECUTE ON FUNCTION automation.next_time(text, time, text, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.next_time(time) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.next_time_after(time, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.next_anniversary(date) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.next_anniversary(date, time, text, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.next_anniversary_after(date, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.next_opening(text, text, timestamptz) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.is_open(timestamptz, text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.add_business_time(timestamptz, interval, text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.business_time_between(timestamptz, timestamptz, text, text) TO PUBLIC;

-- build values and take them apart: nothing is sent, and no table of anybody's is read
GRANT EXECUTE ON FUNCTION
    automation.url_encode(text), automation.form_encode(jsonb), automation.sha256_hex(text), automation.json_or_null(text),
    automation.reply_json(automation.delivery), automation.ai_answer(automation.delivery),
    automation.http_request(text, text, text, jsonb, text, text, boolean, text, interval),
    automation.with_options(automation.message, jsonb),
    automation.webhook_body(anyelement, text, boolean),
    automation.webhook(text, anyelement, text, boolean, text, jsonb, text, interval),
    automation.server_sender(text, text), automation.sms(text, text, text, text, text, text, interval),
    automation.slack(text, text, text, jsonb, text), automation.slack_channel_name(text),
    automation.slack_channel(automation.slack_name, boolean, text),
    automation.ai_prompt(text, text, text, jsonb, text),
    automation.facebook_members(text, text), automation.facebook_audience_add(text, text, text, text),
    automation.facebook_audience_remove(text, text, text, text), automation.facebook_audience_create(text, text, text, text),
    automation.salesforce_record(text, jsonb, text, text, text),
    automation.salesforce_contact(text, text, text, text, jsonb, text, text, text),
    automation.salesforce_lead(text, text, text, text, text, jsonb, text, text, text),
    automation.salesforce_campaign_member(text, text, text, text, text),
    automation.salesforce_task(text, text, text, text, date, text, text, jsonb, text),
    automation.google_sheet_row(json), automation.google_sheet_append(text, anyelement, text, text),
    automation.asana_task(text, text, text, text, date, text, jsonb, text),
    automation.zendesk_contact(text, text, text, text, jsonb, text),
    automation.feed_time(text), automation.feed_problem(text), automation.feed_items(text)
    TO PUBLIC;

-- only answers to the caller's own messages
GRANT EXECUTE ON FUNCTION automation.last_answer(text, text), automation.feed_items(text, text) TO PUBLIC;

-- make messages of what the caller may read
GRANT EXECUTE ON FUNCTION automation.email(text, anyelement, jsonb, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, name) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.email(text, text, jsonb, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, name) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.mail(anyelement, text, text, text, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.mail(text, text, text, text, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.html_to_text(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION automation.html_escape(text) TO PUBLIC;

-- From here on DDL is watched.  ALWAYS: also where session_replication_role
-- says replica.  CREATE TRIGGER is in the list because pg_restore ends with the
-- tables' triggers.

CREATE EVENT TRIGGER automation_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'ALTER TABLE', 'CREATE VIEW', 'ALTER VIEW',
                 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'ALTER TYPE', 'ALTER DOMAIN',
                 'ALTER SCHEMA', 'CREATE TRIGGER', 'CREATE EXTENSION', 'ALTER EXTENSION',
                 'CREATE SERVER', 'ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
    EXECUTE FUNCTION automation.ddl_end();
COMMENT ON EVENT TRIGGER automation_ddl IS 'Registers workflows and keeps the registry in line with DDL';
ALTER EVENT TRIGGER automation_ddl ENABLE ALWAYS;

CREATE EVENT TRIGGER automation_drop ON sql_drop
    WHEN TAG IN ('DROP FUNCTION', 'DROP ROUTINE', 'DROP TABLE', 'DROP VIEW', 'DROP MATERIALIZED VIEW',
                 'DROP FOREIGN TABLE', 'DROP TYPE', 'DROP DOMAIN', 'DROP SCHEMA', 'DROP EXTENSION',
                 'DROP OWNED', 'ALTER TABLE')
    EXECUTE FUNCTION automation.sql_drop();
COMMENT ON EVENT TRIGGER automation_drop IS 'Forgets workflows and tables that were dropped';
ALTER EVENT TRIGGER automation_drop ENABLE ALWAYS;

CREATE EVENT TRIGGER automation_start ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION')
    EXECUTE FUNCTION automation.ddl_start();
COMMENT ON EVENT TRIGGER automation_start IS 'Deletes the jobs in pg_cron before the extension is dropped';
ALTER EVENT TRIGGER automation_start ENABLE ALWAYS;

SELECT automation.announce();
