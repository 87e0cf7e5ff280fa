-- What the constructors of messages to web services make of their arguments.
\pset format unaligned
\pset tuples_only on
SET SESSION AUTHORIZATION app;
-- the functions need nobody's path
SET search_path = '';
SET timezone = 'Europe/Berlin';

-- A message in lines; bodies as they are sent.
CREATE FUNCTION crm.show(m automation.message) RETURNS text LANGUAGE sql AS $$
SELECT pg_catalog.concat_ws(E'\n', (m).options ->> 'method' || ' ' || coalesce((m).server, '-') || ' ' || coalesce((m).target, '-'),
                            '  ' || pg_catalog.regexp_replace((m).body, '"timestamp" : "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"', '"timestamp" : NOW'),
                            '  headers ' || (m).headers::text,
                            '  ' || nullif(((m).options - 'method')::text, '{}')) $$;

CREATE TABLE crm.shop_order (shop text, number int, note text, placed_on date, PRIMARY KEY (number, shop));

\echo -- http_request
SELECT crm.show(automation.http_request('get', 'https://api.example.com/a'));
SELECT crm.show(automation.http_request('PUT', '/a', 'x=1', '{"X-Key": "1"}', server => 'api', content_type => 'text/plain', sign => false,
                                        ordering_key => 'k', expires => '1 hour'));

\echo -- webhook
SELECT crm.show(automation.webhook('https://hooks.example.com/crm', '{"id": 7, "name": "Ann"}'::jsonb));
SELECT crm.show(automation.webhook('https://hooks.example.com/crm', ROW('web', 5, E'a "quoted"\nline', '2026-03-01')::crm.shop_order));
SELECT crm.show(automation.webhook('/crm', ROW('web', 5, 'x', NULL)::crm.shop_order, 'order.placed', thin => true, server => 'hooks',
                                   headers => '{"X-A": "b"}', ordering_key => 'o5', expires => '2 days'));
SELECT crm.show(automation.webhook('/crm', '{"id": 7, "name": "Ann"}'::jsonb, thin => true, server => 'hooks'));
SELECT crm.show(automation.webhook('/crm', '{"name": "Ann"}'::json, thin => true, server => 'hooks'));
SELECT crm.show(automation.webhook('/crm', NULL::jsonb, server => 'hooks'));
-- its moment is the engine's, in UTC
SELECT ((automation.webhook('/', 1)).body::jsonb ->> 'timestamp')::timestamptz BETWEEN automation.now() - interval '1 hour' AND automation.now() + interval '1 hour',
       (automation.webhook('/', 1)).body ~ 'Z"';

\echo -- with_options
SELECT crm.show(automation.with_options(automation.webhook('/crm', 1, server => 'hooks'), '{"class": "transactional", "expires": "1 day"}'));
-- thin: the key of nobody, of what is no object and of no record
SELECT (automation.webhook('/', NULL::crm.shop_order, thin => true)).body::json -> 'data' AS "of NULL",
       (automation.webhook('/', '["id"]'::jsonb, thin => true)).body::json -> 'data' AS "of an array",
       (automation.webhook('/', 7, thin => true)).body::json -> 'data' AS "of a number",
       (automation.webhook('/', NULL::text, E'a "quoted"\ttype')).body::json ->> 'type' AS type,
       (automation.webhook('/', ROW(1, 2))).body::json ->> 'type' AS "of no type";
-- they are written out into the query, which is planned once: none of them is a query of its own for each message
CREATE FUNCTION crm.calls(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  called text := '';
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF) SELECT %s FROM crm.shop_order o', expression) LOOP
    SELECT called || coalesce(string_agg(m[1], ' ' ORDER BY m[1]), '') INTO called FROM regexp_matches(line, 'automation\.(\w+)\(', 'g') m;
  END LOOP;
  RETURN called;
END $$;
SELECT crm.calls($$automation.webhook('/', o, server => 'hooks')$$), crm.calls($$automation.sms(o.number::text, o.note)$$);
DROP FUNCTION crm.calls;
SELECT automation.with_options(NULL, '{"class": "marketing"}') IS NULL;

\echo -- url_encode, form_encode, sha256_hex
SELECT automation.url_encode(E'aZ09-._~ +&=/?%\né€'), automation.url_encode('');
SELECT automation.form_encode('{"To": "+49 151", "Body": "1 & 2 = 3", "Empty": "", "None": null}');
SELECT automation.form_encode('{"n": 1.50, "yes": true, "deep": {"a": [1, "x"]}}'), automation.form_encode('{"none": null}') IS NULL, automation.form_encode('{}') IS NULL;
SELECT automation.form_encode('[1]');
SELECT automation.sha256_hex('abc');

\echo -- sms
SELECT crm.show(automation.sms('+491511234', 'Thank you & good-bye', '+15005550006'));
SELECT crm.show(automation.sms('+491511234', 'x', 'MG0123456789abcdef0123456789abcdef', server => 'sms', class => 'internal', list => 'news', expires => '1 hour'));
SELECT crm.show(automation.sms(' ', 'nobody'));

\echo -- slack
SELECT crm.show(automation.slack('#sales', 'Ann looks at "prices"'));
SELECT crm.show(automation.slack('C123', 'x', thread => '1700000000.1', blocks => '[{"type": "divider", "block_id": null}]', server => 'slack2'));
SELECT crm.show(automation.slack_channel('deal-7_acme'));
SELECT crm.show(automation.slack_channel(automation.slack_channel_name('Deal 7: ACME Ltd./Köln'), private => true));
SELECT automation.slack_channel_name(repeat('x', 100)) = repeat('x', 80), automation.slack_channel_name('!?') IS NULL, automation.slack_channel(NULL) IS NULL;
SELECT automation.slack_channel('Deal 7');
SELECT automation.slack_channel(repeat('x', 81));
SELECT automation.slack_channel('');

\echo -- ai_prompt
SELECT crm.show(automation.ai_prompt('Summarize: hello'));
SELECT crm.show(automation.ai_prompt('hello', 'You translate to French.', 'mistral', '{"temperature": 0}', 'local'));
SELECT automation.ai_prompt(NULL) IS NULL;
SELECT automation.ai_answer(ROW(1, 'sent', 200, NULL, '{"choices": [{"message": {"role": "assistant", "content": "bon\njour"}}]}', NULL));
SELECT automation.ai_answer(ROW(1, 'dead', 500, NULL, '<html>', NULL)) IS NULL, automation.ai_answer(NULL) IS NULL,
       automation.ai_answer(ROW(1, 'sent', 200, NULL, '{"choices": []}', NULL)) IS NULL;

\echo -- reply_json: whatever came back, it is no error
SELECT n, automation.reply_json(ROW(1, 'sent', 200, NULL, body, NULL)) IS NULL AS none
FROM (VALUES (1, NULL), (2, ''), (3, '{"a": 1}'), (4, '{"a": '), (5, '"\u0000"'), (6, '"\ud83d\ude00"'), (7, '"\ud83d"'), (8, '1e5'), (9, '-1e999999999'),
             (10, '1' || repeat('0', 200000)), (11, repeat('[', 200000)), (12, repeat('[', 400) || repeat(']', 400)),
             (13, '["' || repeat('[', 200000) || '", "\"["]'), (14, 'null'), (15, '{"a": 1} x')) v(n, body) ORDER BY n;

\echo -- Facebook: hashes only, of normalized addresses
SELECT crm.show(automation.facebook_audience_add('238', ' Ann@Example.COM ', '+49 (151) 12-34'));
SELECT automation.sha256_hex('ann@example.com'), automation.sha256_hex('491511234');
SELECT crm.show(automation.facebook_audience_remove('238', NULL, '00491511234'));
SELECT automation.facebook_audience_add('238', ' ') IS NULL, automation.facebook_audience_remove('238', NULL, '-') IS NULL;
SELECT crm.show(automation.facebook_audience_create('42', 'Customers'));

\echo -- Salesforce
SELECT crm.show(automation.salesforce_contact('Weber', 'Ann', 'ann@example.com'));
SELECT crm.show(automation.salesforce_contact('Weber', fields => '{"AccountId": "001", "Fax": null}', external_field => 'Crm_Id__c', external_id => '7 8'));
SELECT crm.show(automation.salesforce_lead('Weber', 'ACME', phone => '+49151'));
SELECT crm.show(automation.salesforce_campaign_member('701', contact => '003', status => 'Sent'));
SELECT crm.show(automation.salesforce_task('Call', who => '003', due => '2026-03-01', priority => 'High'));

\echo -- Google Sheets
SELECT crm.show(automation.google_sheet_append('calls', ROW('web', 5, '=HYPERLINK("x")', '2026-03-01')::crm.shop_order));
SELECT crm.show(automation.google_sheet_append('my calls!A:F', '[1, null, true, {"a": 1}, ["b"]]'::jsonb, '1AbC'));
SELECT crm.show(automation.google_sheet_append('calls', 'one cell'::text));

\echo -- Asana, Zendesk Sell
SELECT crm.show(automation.asana_task('Call Ann', '120', 'about the price', 'ann@example.com', '2026-03-01'));
SELECT crm.show(automation.asana_task('Call', workspace => '7', fields => '{"followers": ["1"]}'));
SELECT crm.show(automation.zendesk_contact('Weber', 'ann+crm@example.com', 'Ann', fields => '{"tags": ["a"]}'));

DROP TABLE crm.shop_order;
DROP FUNCTION crm.show;
RESET SESSION AUTHORIZATION;

\echo -- nobody but superusers may make functions in the schema, everybody may call these
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'automation'::regnamespace AND prorettype = 'automation.message'::regtype
   AND NOT EXISTS (SELECT FROM aclexplode(proacl) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE');
