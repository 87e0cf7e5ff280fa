-- Messages to web services: functions that build values of automation.message, which is
-- all an integration takes.  None of them reads a table of anybody's, knows a secret or
-- sends anything: SEND does that, and checks what it is given, whoever built it.
--
-- What the services want is taken from their public documentation.  Where they let the
-- caller name a record, the functions use it, since a request may arrive more than once.

-- What the requests are written in

CREATE FUNCTION automation.url_encode(value text) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_url_encode';
COMMENT ON FUNCTION automation.url_encode(text) IS
    'The text as part of a URL or a form: all but letters, digits and - . _ ~ as %XX of its UTF-8 bytes';

CREATE FUNCTION automation.form_encode(fields jsonb) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_form_encode';
COMMENT ON FUNCTION automation.form_encode(jsonb) IS
    'The members of an object as a form (application/x-www-form-urlencoded), in the order of jsonb; those that are null are left out';

CREATE FUNCTION automation.sha256_hex(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(sha256(convert_to(value, 'UTF8')), 'hex');
COMMENT ON FUNCTION automation.sha256_hex(text) IS
    'SHA-256 of the text''s UTF-8 bytes in hexadecimal, as advertising networks want addresses';

-- What came back

CREATE FUNCTION automation.json_or_null(value text) RETURNS jsonb
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_json_or_null';
COMMENT ON FUNCTION automation.json_or_null(text) IS 'The text as jsonb; NULL: it is not JSON, or such as jsonb cannot hold';

CREATE FUNCTION automation.reply_json(reply automation.delivery) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN automation.json_or_null((reply).body);
COMMENT ON FUNCTION automation.reply_json(automation.delivery) IS
    'Body of an answer (SEND ... INTO reply) as jsonb; NULL: there is none, or it is not JSON';

-- Any request

CREATE FUNCTION automation.http_request(
    method text, url text, body text DEFAULT NULL, headers jsonb DEFAULT NULL, server text DEFAULT NULL,
    content_type text DEFAULT NULL, sign boolean DEFAULT NULL, ordering_key text DEFAULT NULL, expires interval DEFAULT NULL)
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN ROW('http', server, url, NULL, body, headers,
           jsonb_strip_nulls(jsonb_build_object('method', upper(method), 'content_type', content_type, 'sign', sign,
                                                'ordering_key', ordering_key, 'expires', extract(epoch FROM expires)::bigint || ' seconds')))::automation.message;
COMMENT ON FUNCTION automation.http_request(text, text, text, jsonb, text, text, boolean, text, interval) IS
    'Message for SEND: an HTTP request. method: GET, HEAD, POST, PUT, PATCH, DELETE; url: whole, or /path behind the url of server; '
    'body: as it is sent; headers: object of strings; server: a foreign server, NULL: the one whose url covers it; '
    'content_type: application/json if not given; sign: false: not signed even if the server has a secret; '
    'ordering_key: messages with the same one leave one after the other; expires: not sent after so long. '
    'SEND fails if one of them cannot be sent';

CREATE FUNCTION automation.with_options(message automation.message, options jsonb) RETURNS automation.message
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (message).kind IS NOT NULL THEN
    ROW((message).kind, (message).server, (message).target, (message).subject, (message).body, (message).headers,
        coalesce((message).options, '{}') || coalesce(options, '{}'))::automation.message END;
COMMENT ON FUNCTION automation.with_options(automation.message, jsonb) IS
    'The message with other options: ordering_key, expires (text of an interval), class, list, family ...; NULL stays NULL';

-- Standard Webhooks

-- In C, and webhook() nothing but calls of functions with each argument used once: so it is inlined,
-- and a SEND of it has a plan that is kept, where a function that can't be is planned for every message.
CREATE FUNCTION automation.webhook_body(data anyelement, type text, thin boolean) RETURNS text
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_webhook_body';
COMMENT ON FUNCTION automation.webhook_body(anyelement, text, boolean) IS
    'Internal: what automation.webhook() sends: {"type", "timestamp", "data"}';

-- No body of its own that is parsed early: PostgreSQL refuses that with anyelement.
CREATE FUNCTION automation.webhook(
    url text, data anyelement, type text DEFAULT NULL, thin boolean DEFAULT false, server text DEFAULT NULL, headers jsonb DEFAULT NULL,
    ordering_key text DEFAULT NULL, expires interval DEFAULT NULL)
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT automation.http_request('POST', url, automation.webhook_body(data, type, thin),
    headers => headers, server => server, content_type => 'application/json', ordering_key => ordering_key, expires => expires) $$;
COMMENT ON FUNCTION automation.webhook(text, anyelement, text, boolean, text, jsonb, text, interval) IS
    'Message for SEND: an event as Standard Webhooks has it: POST of {"type", "timestamp", "data"}, signed if the server''s user mapping '
    'has a secret. url: whole, or /path behind the url of server; data: a row, jsonb ...; type: what happened, contact.created; if not '
    'given the name of the row''s type, else event; thin: of a row only the primary key, of JSON only the member id; '
    'the rest as of automation.http_request(), which sends a body as it is (A107 A111)';

-- SMS (Twilio and what is compatible)

CREATE FUNCTION automation.server_sender(server text, sender text) RETURNS text
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_server_sender';
COMMENT ON FUNCTION automation.server_sender(text, text) IS
    'Internal: the sender; NULL: the first of those that the server''s option "from" lists';

CREATE FUNCTION automation.sms(
    recipient text, body text, sender text DEFAULT NULL, server text DEFAULT 'twilio', class text DEFAULT 'marketing',
    list text DEFAULT NULL, expires interval DEFAULT '72 hours')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN ROW('http', server, '/Messages.json', NULL,
           automation.form_encode(jsonb_build_object(
               'To', btrim(recipient), 'Body', body,
               CASE WHEN automation.server_sender(server, sender) ~ '^MG[0-9a-f]{32}$' THEN 'MessagingServiceSid' ELSE 'From' END,
               automation.server_sender(server, sender))),
           NULL,
           jsonb_strip_nulls(jsonb_build_object(
               'method', 'POST', 'content_type', 'application/x-www-form-urlencoded', 'sign', false, 'channel', 'sms',
               'address', nullif(btrim(recipient), ''), 'class', class, 'list', list,
               'expires', extract(epoch FROM expires)::bigint || ' seconds')))::automation.message;
COMMENT ON FUNCTION automation.sms(text, text, text, text, text, text, interval) IS
    'Message for SEND: a text message by Twilio''s interface. recipient: number with + and country code, NULL: it is skipped as no_address; '
    'sender: a number or a messaging service (MG...), NULL: the first of the server''s option from; server: its url ends in '
    '/2010-04-01/Accounts/AC..., user and password of its user mapping are the account (or key) and its token; class: marketing, '
    'transactional or internal; list: topic; expires: not sent after so long. Delivered means accepted by the service (A10)';

-- Slack

CREATE FUNCTION automation.slack(
    channel text, body text, thread text DEFAULT NULL, blocks jsonb DEFAULT NULL, server text DEFAULT 'slack')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.http_request('POST', '/chat.postMessage',
    (jsonb_strip_nulls(jsonb_build_object('channel', channel, 'text', body, 'thread_ts', thread))
     || CASE WHEN blocks IS NULL THEN '{}' ELSE jsonb_build_object('blocks', blocks) END)::text,
    server => server, content_type => 'application/json; charset=utf-8', sign => false);
COMMENT ON FUNCTION automation.slack(text, text, text, jsonb, text) IS
    'Message for SEND: chat.postMessage of Slack. channel: #name or id, of a user or channel; body: text, in Slack''s mrkdwn; thread: ts of '
    'the message to answer; blocks: Block Kit; server: its url is https://slack.com/api, the bearer of its user mapping a token with '
    'chat:write. Slack says 200 to what it refuses as well: then automation.reply_json(reply) ->> ''ok'' is false, and error says why (A36)';

CREATE DOMAIN automation.slack_name AS text
    CONSTRAINT at_most_80_of_a_to_z_digits_hyphens_and_underscores CHECK (VALUE ~ '^[a-z0-9_-]{1,80}$');
COMMENT ON DOMAIN automation.slack_name IS
    'Name of a Slack channel: at most 80 lower-case letters, digits, hyphens and underscores; automation.slack_channel_name() makes one';

CREATE FUNCTION automation.slack_channel_name(name text) RETURNS automation.slack_name
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN nullif(btrim(left(regexp_replace(regexp_replace(lower(name), '[[:space:]./]+', '-', 'g'), '[^a-z0-9_-]+', '', 'g'), 80), '-'), '')
       ::automation.slack_name;
COMMENT ON FUNCTION automation.slack_channel_name(text) IS
    'The name as Slack allows it: in lower case, hyphens for blanks, points and slashes, without what is neither a to z, a digit, hyphen or '
    'underscore, cut at 80; NULL: nothing is left';

CREATE FUNCTION automation.slack_channel(name automation.slack_name, private boolean DEFAULT false, server text DEFAULT 'slack')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN name IS NOT NULL THEN
    automation.http_request('POST', '/conversations.create', jsonb_build_object('name', name, 'is_private', private)::text,
                            server => server, content_type => 'application/json; charset=utf-8', sign => false) END;
COMMENT ON FUNCTION automation.slack_channel(automation.slack_name, boolean, text) IS
    'Message for SEND: conversations.create of Slack, in the name of whom the token belongs to, who is a member of it. name: error 23514 if '
    'Slack does not allow it, automation.slack_channel_name() makes one that it does; NULL: no message; private: visible to its members '
    'only; server: as of automation.slack(), scopes channels:manage and groups:write. The id is automation.reply_json(reply) #>> ''{channel,id}'' (A37 to A39)';

-- Language models (OpenAI's chat completions and what is compatible)

CREATE FUNCTION automation.ai_prompt(
    prompt text, system text DEFAULT NULL, model text DEFAULT 'gpt-4o-mini', options jsonb DEFAULT NULL, server text DEFAULT 'openai')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN prompt IS NOT NULL THEN
    automation.http_request('POST', '/chat/completions',
        (jsonb_build_object(
            'model', model,
            'messages', CASE WHEN system IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('role', 'system', 'content', system)) END
                        || jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt)))
         || coalesce(options, '{}'))::text,
        server => server, sign => false) END;
COMMENT ON FUNCTION automation.ai_prompt(text, text, text, jsonb, text) IS
    'Message for SEND ... INTO: a prompt for a language model by OpenAI''s chat completions; automation.ai_answer(reply) is the answer. '
    'prompt: NULL: no message; system: what the model is told before; model: its name at the service; options: further members of the '
    'request (temperature, max_tokens ...); server: its url ends in /v1, the bearer of its user mapping is the key; its timeout should be '
    'a minute or two, its answer_limit fit the answers (A56)';

CREATE FUNCTION automation.ai_answer(reply automation.delivery) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN automation.reply_json(reply) #>> '{choices,0,message,content}';
COMMENT ON FUNCTION automation.ai_answer(automation.delivery) IS
    'What the model said to automation.ai_prompt(); NULL: there is no answer, or it is not what chat completions answer';

-- Facebook custom audiences

CREATE FUNCTION automation.facebook_members(email text, phone text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT jsonb_build_object('payload', jsonb_build_object(
               'schema', jsonb_agg(f.name ORDER BY f.name),
               'data', jsonb_build_array(jsonb_agg(automation.sha256_hex(f.value) ORDER BY f.name))))
    FROM (VALUES ('EMAIL', lower(btrim(email, E' \t\r\n'))),
                 ('PHONE', ltrim(regexp_replace(phone, '[^0-9]', '', 'g'), '0'))) f(name, value)
    WHERE f.value <> '';
END;
COMMENT ON FUNCTION automation.facebook_members(text, text) IS
    'Internal: somebody as custom audiences name him: SHA-256 of the address in lower case without blanks, of the digits of the number';

CREATE FUNCTION automation.facebook_audience_add(audience text, email text, phone text DEFAULT NULL, server text DEFAULT 'facebook')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN btrim(email, E' \t\r\n') <> '' OR phone ~ '[1-9]' THEN
    automation.http_request('POST', '/' || automation.url_encode(audience) || '/users',
                            automation.facebook_members(email, phone)::text, server => server, sign => false) END;
COMMENT ON FUNCTION automation.facebook_audience_add(text, text, text, text) IS
    'Message for SEND: adds somebody to a Facebook custom audience, by hashes. audience: its id; email; phone: with country code; neither: no '
    'message; server: its url is https://graph.facebook.com/v21.0 or later, the bearer of its user mapping a token with ads_management';

CREATE FUNCTION automation.facebook_audience_remove(audience text, email text, phone text DEFAULT NULL, server text DEFAULT 'facebook')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN btrim(email, E' \t\r\n') <> '' OR phone ~ '[1-9]' THEN
    automation.http_request('DELETE', '/' || automation.url_encode(audience) || '/users',
                            automation.facebook_members(email, phone)::text, server => server, sign => false) END;
COMMENT ON FUNCTION automation.facebook_audience_remove(text, text, text, text) IS
    'Message for SEND: takes somebody out of a Facebook custom audience; arguments as of automation.facebook_audience_add()';

CREATE FUNCTION automation.facebook_audience_create(account text, name text, description text DEFAULT NULL, server text DEFAULT 'facebook')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.http_request('POST', '/act_' || automation.url_encode(account) || '/customaudiences',
    jsonb_strip_nulls(jsonb_build_object('name', name, 'description', description, 'subtype', 'CUSTOM',
                                         'customer_file_source', 'USER_PROVIDED_ONLY'))::text, server => server, sign => false);
COMMENT ON FUNCTION automation.facebook_audience_create(text, text, text, text) IS
    'Message for SEND ... INTO: makes a custom audience of the kind customer list. account: number of the advertising account, without act_; '
    'its id is automation.reply_json(reply) ->> ''id''; server: as of automation.facebook_audience_add()';

-- Salesforce

CREATE FUNCTION automation.salesforce_record(
    object text, fields jsonb, external_field text DEFAULT NULL, external_id text DEFAULT NULL, server text DEFAULT 'salesforce')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN external_field IS NULL
    THEN automation.http_request('POST', '/sobjects/' || automation.url_encode(object), fields::text, server => server, sign => false)
    ELSE automation.http_request('PATCH', '/sobjects/' || automation.url_encode(object) || '/' || automation.url_encode(external_field)
                                 || '/' || automation.url_encode(external_id), fields::text, server => server, sign => false) END;
COMMENT ON FUNCTION automation.salesforce_record(text, jsonb, text, text, text) IS
    'Message for SEND: makes a record in Salesforce, of any object. fields: by their names in the API; external_field, external_id: an '
    'external id field of the object and the record''s value: then the record is made or changed, and a request that arrives twice makes '
    'no second one (fields must not contain it); server: its url is https://DOMAIN.my.salesforce.com/services/data/v62.0, the bearer of its '
    'user mapping an access token. The id of a new record is automation.reply_json(reply) ->> ''id''';

CREATE FUNCTION automation.salesforce_contact(
    last_name text, first_name text DEFAULT NULL, email text DEFAULT NULL, phone text DEFAULT NULL, fields jsonb DEFAULT '{}',
    external_field text DEFAULT NULL, external_id text DEFAULT NULL, server text DEFAULT 'salesforce')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.salesforce_record('Contact',
    jsonb_strip_nulls(jsonb_build_object('LastName', last_name, 'FirstName', first_name, 'Email', email, 'Phone', phone))
    || coalesce(fields, '{}'), external_field, external_id, server);
COMMENT ON FUNCTION automation.salesforce_contact(text, text, text, text, jsonb, text, text, text) IS
    'Message for SEND: a contact in Salesforce. fields: further ones ({"AccountId": ...}); the rest as of automation.salesforce_record() (A112)';

CREATE FUNCTION automation.salesforce_lead(
    last_name text, company text, first_name text DEFAULT NULL, email text DEFAULT NULL, phone text DEFAULT NULL, fields jsonb DEFAULT '{}',
    external_field text DEFAULT NULL, external_id text DEFAULT NULL, server text DEFAULT 'salesforce')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.salesforce_record('Lead',
    jsonb_strip_nulls(jsonb_build_object('LastName', last_name, 'Company', company, 'FirstName', first_name, 'Email', email, 'Phone', phone))
    || coalesce(fields, '{}'), external_field, external_id, server);
COMMENT ON FUNCTION automation.salesforce_lead(text, text, text, text, text, jsonb, text, text, text) IS
    'Message for SEND: a lead in Salesforce, which wants the last name and the company. The rest as of automation.salesforce_contact() (A113)';

CREATE FUNCTION automation.salesforce_campaign_member(
    campaign text, contact text DEFAULT NULL, lead text DEFAULT NULL, status text DEFAULT NULL, server text DEFAULT 'salesforce')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.salesforce_record('CampaignMember',
    jsonb_strip_nulls(jsonb_build_object('CampaignId', campaign, 'ContactId', contact, 'LeadId', lead, 'Status', status)), server => server);
COMMENT ON FUNCTION automation.salesforce_campaign_member(text, text, text, text, text) IS
    'Message for SEND: adds a contact or a lead, by their ids in Salesforce, to a campaign. status: one of the campaign''s. Salesforce '
    'refuses a second membership. server: as of automation.salesforce_record() (A105 A114)';

CREATE FUNCTION automation.salesforce_task(
    subject text, who text DEFAULT NULL, what text DEFAULT NULL, owner text DEFAULT NULL, due date DEFAULT NULL, priority text DEFAULT NULL,
    description text DEFAULT NULL, fields jsonb DEFAULT '{}', server text DEFAULT 'salesforce')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.salesforce_record('Task',
    jsonb_strip_nulls(jsonb_build_object('Subject', subject, 'WhoId', who, 'WhatId', what, 'OwnerId', owner, 'ActivityDate', due,
                                         'Priority', priority, 'Description', description)) || coalesce(fields, '{}'), server => server);
COMMENT ON FUNCTION automation.salesforce_task(text, text, text, text, date, text, text, jsonb, text) IS
    'Message for SEND: a task in Salesforce. who: id of a contact or lead; what: of what it is about (account, opportunity); owner: of a user; '
    'priority: High, Normal, Low; fields: further ones; server: as of automation.salesforce_record() (A104)';

-- Google Sheets

CREATE FUNCTION automation.google_sheet_row(line json) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(json_agg(CASE WHEN json_typeof(v.value) IN ('object', 'array') THEN to_json(v.value::text) ELSE v.value END ORDER BY v.n), '[]')
    FROM (SELECT e.value, e.n
          FROM json_each(CASE WHEN json_typeof(line) = 'object' THEN line END) WITH ORDINALITY e(name, value, n)
          UNION ALL
          SELECT e.value, e.n
          FROM json_array_elements(CASE json_typeof(line) WHEN 'array' THEN line WHEN 'object' THEN '[]' ELSE json_build_array(line) END)
               WITH ORDINALITY e(value, n)) v;
END;
COMMENT ON FUNCTION automation.google_sheet_row(json) IS
    'Internal: the values of an object or array as an array of cells; what is no number, boolean or text becomes text';

-- No body of its own that is parsed early: see webhook().
CREATE FUNCTION automation.google_sheet_append(sheet text, line anyelement, spreadsheet text DEFAULT NULL, server text DEFAULT 'google_sheets')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT automation.http_request('POST',
    pg_catalog.concat('/', CASE WHEN spreadsheet IS NOT NULL THEN pg_catalog.concat(automation.url_encode(spreadsheet), '/') END,
                      'values/', automation.url_encode(sheet), ':append?valueInputOption=RAW&insertDataOption=INSERT_ROWS'),
    pg_catalog.json_build_object('values', pg_catalog.json_build_array(automation.google_sheet_row(pg_catalog.to_json(line))))::pg_catalog.text,
    server => server, sign => false) $$;
COMMENT ON FUNCTION automation.google_sheet_append(text, anyelement, text, text) IS
    'Message for SEND: a line at the end of a Google sheet. sheet: its name, or a range (calls!A:F); line: a row (its columns in order), a JSON '
    'array, or a JSON object (its values; those of jsonb in the order of jsonb); written as it is, nothing is taken for a formula; '
    'spreadsheet: its id, if the url of server is https://sheets.googleapis.com/v4/spreadsheets and does not end in it; the bearer of the '
    'user mapping is an access token. A request that arrives twice makes two lines (A115)';

-- Asana

CREATE FUNCTION automation.asana_task(
    name text, project text DEFAULT NULL, notes text DEFAULT NULL, assignee text DEFAULT NULL, due date DEFAULT NULL, workspace text DEFAULT NULL,
    fields jsonb DEFAULT '{}', server text DEFAULT 'asana')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.http_request('POST', '/tasks',
    jsonb_build_object('data',
        jsonb_strip_nulls(jsonb_build_object('name', name, 'notes', notes, 'assignee', assignee, 'due_on', due, 'workspace', workspace,
                                             'projects', CASE WHEN project IS NOT NULL THEN jsonb_build_array(project) END))
        || coalesce(fields, '{}'))::text, server => server, sign => false);
COMMENT ON FUNCTION automation.asana_task(text, text, text, text, date, text, jsonb, text) IS
    'Message for SEND: a task in Asana. project, workspace: gids, one of them is needed; assignee: gid or mail address of a user; fields: '
    'further ones; server: its url is https://app.asana.com/api/1.0, the bearer of its user mapping a token. The gid is '
    'automation.reply_json(reply) #>> ''{data,gid}'' (A106)';

-- Zendesk Sell

CREATE FUNCTION automation.zendesk_contact(
    last_name text, email text, first_name text DEFAULT NULL, phone text DEFAULT NULL, fields jsonb DEFAULT '{}', server text DEFAULT 'zendesk_sell')
    RETURNS automation.message LANGUAGE sql STABLE PARALLEL SAFE
RETURN automation.http_request('POST', '/contacts/upsert?email=' || automation.url_encode(email),
    jsonb_build_object('data',
        jsonb_strip_nulls(jsonb_build_object('last_name', last_name, 'first_name', first_name, 'email', email, 'phone', phone))
        || coalesce(fields, '{}'))::text, server => server, sign => false);
COMMENT ON FUNCTION automation.zendesk_contact(text, text, text, text, jsonb, text) IS
    'Message for SEND: makes the contact of this mail address in Zendesk Sell, or changes it. fields: further ones; server: its url is '
    'https://api.getbase.com/v2, the bearer of its user mapping an access token (A115)';

-- Feeds

CREATE FUNCTION automation.feed_time(value text) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    -- what the patterns let through is within the bounds of the types: nothing here can fail
    SELECT (make_date(d.year, d.month, 1)
            + make_interval(days => d.day - 1, hours => d.hour, mins => d.minute, secs => d.second)
            - coalesce(z.ahead, make_interval(hours => substr(d.zone, 1, 3)::int, mins => (substr(d.zone, 1, 1) || right(d.zone, 2))::int)))
           AT TIME ZONE 'UTC'
    FROM (SELECT m[1]::int, m[2]::int, m[3]::int, coalesce(m[4], '0')::int, coalesce(m[5], '0')::int, coalesce(m[6], '0')::float8, coalesce(m[7], 'Z')
          FROM regexp_match(value, '^\s*([12]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,6})?)\d*)?'
                            || '\s*(Z|[+-][01]\d:?[0-5]\d)?)?\s*$') m
          WHERE m IS NOT NULL
          UNION ALL
          SELECT CASE length(m[3]) WHEN 2 THEN CASE WHEN m[3] < '70' THEN 2000 ELSE 1900 END ELSE 0 END + m[3]::int,
                 strpos('janfebmaraprmayjunjulaugsepoctnovdec', lower(m[2])) / 3 + 1, m[1]::int,
                 m[4]::int, m[5]::int, coalesce(m[6], '0')::float8, coalesce(upper(m[7]), 'Z')
          FROM regexp_match(value, '^\s*(?:[a-z]+,)?\s*(0?[1-9]|[12]\d|3[01])[\s-]+(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s-]+'
                            || '([12]\d{3}|\d\d)\s+([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\s*([+-][01]\d:?[0-5]\d|[a-z]+)?\s*$', 'i') m
          WHERE m IS NOT NULL
         ) d(year, month, day, hour, minute, second, zone)
         LEFT JOIN (VALUES ('EST', '-5 h'), ('EDT', '-4 h'), ('CST', '-6 h'), ('CDT', '-5 h'), ('MST', '-7 h'), ('MDT', '-6 h'), ('PST', '-8 h'),
                           ('PDT', '-7 h')) n(name, hours) ON n.name = d.zone
         CROSS JOIN LATERAL (SELECT CASE WHEN d.zone !~ '^[+-]' THEN coalesce(n.hours, '0')::interval END) z(ahead);
END;
COMMENT ON FUNCTION automation.feed_time(text) IS
    'A moment as feeds write it: RFC 822 (Sat, 21 Nov 2026 10:00:00 +0100) or ISO 8601; UTC where the zone is missing or unknown; NULL: it is neither';

-- Entities are what bombs are made of, and a way into the file system; no feed needs any of its own.
-- What is in front of the document, a byte order mark or blank lines, is passed over.
CREATE FUNCTION automation.feed_problem(body text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN body IS NULL OR body ~ '^\s*$' THEN 'the feed is empty'
            WHEN strpos(body, '<!ENTITY') > 0 THEN 'the feed declares entities'
            WHEN NOT xml_is_well_formed_document(substr(body, strpos(body, '<'))) THEN 'the feed is not well-formed XML'
            WHEN NOT xpath_exists('/*[local-name() = "rss" or local-name() = "feed" or local-name() = "RDF"]',
                                  xmlparse(DOCUMENT substr(body, strpos(body, '<')))) THEN 'it is no feed' END;
COMMENT ON FUNCTION automation.feed_problem(text) IS
    'Why automation.feed_items() gives no items: in words; NULL: nothing is wrong';

CREATE FUNCTION automation.feed_items(
    body text, OUT guid text, OUT title text, OUT link text, OUT published_at timestamptz, OUT summary text, OUT author text)
    RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(i.guid, i.link, md5(concat_ws(' ', i.title, i.summary))), i.title, i.link, i.published_at, i.summary, i.author
    FROM (SELECT xmlparse(DOCUMENT substr(body, strpos(body, '<'))) WHERE automation.feed_problem(body) IS NULL) d(doc),
         XMLTABLE(('/*[local-name() = "feed"]/*[local-name() = "entry"] | /*/*[local-name() = "channel"]/*[local-name() = "item"] '
                   || '| /*[local-name() = "RDF"]/*[local-name() = "item"]') PASSING d.doc COLUMNS
             guid text PATH 'normalize-space((*[local-name() = "guid" or local-name() = "id"] | @*[local-name() = "about"])[1])',
             title text PATH 'normalize-space(*[local-name() = "title" and namespace-uri() != "http://search.yahoo.com/mrss/"][1])',
             href text PATH 'normalize-space(*[local-name() = "link" and @href and (not(@rel) or @rel = "alternate")][1]/@href)',
             link text PATH 'normalize-space(*[local-name() = "link" and not(@href)][1])',
             published text PATH 'string(*[local-name() = "pubDate" or local-name() = "published" or local-name() = "date"][1])',
             changed text PATH 'string(*[local-name() = "updated" or local-name() = "modified"][1])',
             summary text PATH 'string(*[local-name() = "description" or local-name() = "summary"][1])',
             content text PATH 'string(*[local-name() = "encoded" or local-name() = "content"][1])',
             name text PATH 'normalize-space(*[local-name() = "author"]/*[local-name() = "name"][1])',
             author text PATH 'normalize-space(*[local-name() = "author" or local-name() = "creator"][1])') x
         CROSS JOIN LATERAL (
             SELECT nullif(x.guid, ''), nullif(x.title, ''), coalesce(nullif(x.link, ''), nullif(x.href, '')),
                    coalesce(automation.feed_time(x.published), automation.feed_time(x.changed)),
                    nullif(btrim(coalesce(nullif(x.summary, ''), x.content), E' \t\r\n'), ''), coalesce(nullif(x.name, ''), nullif(x.author, ''))
             ) i(guid, title, link, published_at, summary, author)
    WHERE i.guid IS NOT NULL OR i.link IS NOT NULL OR i.title IS NOT NULL OR i.summary IS NOT NULL;
END;
COMMENT ON FUNCTION automation.feed_items(text) IS
    'Items of a feed (RSS 0.9 to 2.0, RDF, Atom), in its order: guid (what names the item, never NULL), title, link, published_at, summary '
    '(as it is: mostly HTML of somebody else''s), author; what is missing is NULL. No rows: it is not a feed, automation.feed_problem() says why';

-- What the service said last, for those who ask again and again

CREATE FUNCTION automation.last_answer(server text, path text) RETURNS text
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_last_answer';
COMMENT ON FUNCTION automation.last_answer(text, text) IS
    'Body of the answer to the newest GET that the server answered 2xx at this path (or whole URL), of messages of roles the caller is a '
    'member of; NULL: there is none. Errors: 42704 no such server, 22023 the server does not cover the path';

CREATE FUNCTION automation.feed_items(
    server text, path text, OUT guid text, OUT title text, OUT link text, OUT published_at timestamptz, OUT summary text, OUT author text)
    RETURNS SETOF record LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT i.guid, i.title, i.link, i.published_at, i.summary, i.author
    FROM automation.feed_items(automation.last_answer(server, path)) i;
END;
COMMENT ON FUNCTION automation.feed_items(text, text) IS
    'Items of the feed that automation.last_answer() has of this server and path, as of automation.feed_items(text); nothing is fetched: a '
    'workflow sends automation.http_request(''GET'', path, server => server). No rows: nothing was fetched yet, or it is no feed';
