-- Messages to contacts and colleagues.  What makes a message returns automation.message, for SEND; what
-- shows something inside the application writes its row.

-- Who sends

CREATE FUNCTION mailbox_of(user_id bigint) RETURNS text LANGUAGE sql STABLE STRICT
RETURN (SELECT m.address FROM connected_mailbox m
        WHERE m.user_id = mailbox_of.user_id ORDER BY m.is_preferred DESC, m.id LIMIT 1);
COMMENT ON FUNCTION mailbox_of(bigint) IS
    'The mailbox a user sends from: the preferred one of those he has connected, else the first; NULL: he has none (A09)';

CREATE FUNCTION sender_of(d deal, otherwise text DEFAULT NULL) RETURNS text LANGUAGE sql STABLE
RETURN coalesce(mailbox_of((d).owner_id), otherwise);
COMMENT ON FUNCTION sender_of(deal, text) IS
    'Sender of mails about a deal: the mailbox of its owner (mailbox_of()), or otherwise, if the deal has no owner, or he no '
    'mailbox. There is none of another record: of what is no deal a sender must be named (A04, S55)';

CREATE FUNCTION not_connected(sender text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF sender IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a personal mail has no sender',
            HINT = 'Name a connected mailbox: sender => ''ann@example.com'', or sender_of(deal, otherwise => ''ann@example.com'').';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = pg_catalog.format('mailbox "%s" is not connected', sender),
        HINT = 'Connect it by a row of connected_mailbox, or send from one that is.';
END $$;
COMMENT ON FUNCTION not_connected(text) IS 'Raises the error that a personal mail cannot be sent from there';

CREATE FUNCTION mailboxes(list text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT
RETURN (SELECT array_agg(btrim(a.address) ORDER BY a.n) FROM regexp_split_to_table(list, ',') WITH ORDINALITY a (address, n)
        WHERE btrim(a.address) <> '');
COMMENT ON FUNCTION mailboxes(text) IS 'Addresses that are separated by commas, as an array; NULL: there are none (A06)';

-- What templates can speak of besides the recipient

CREATE FUNCTION tokens(c contact) RETURNS jsonb LANGUAGE sql STABLE
RETURN jsonb_build_object(
    'contact', to_jsonb(c),
    'owner', (SELECT to_jsonb(u) FROM app_user u WHERE u.id = (c).owner_id),
    'account', (SELECT to_jsonb(a) FROM account a JOIN account_contact ac ON ac.account_id = a.id
                WHERE ac.contact_id = (c).id ORDER BY ac.is_primary DESC, a.id LIMIT 1));
COMMENT ON FUNCTION tokens(contact) IS
    'For vars of mails: {{ contact.name }}, {{ owner.name }}, {{ account.name }} (of the contact''s primary company) (A07, A29)';

CREATE FUNCTION tokens(d deal) RETURNS jsonb LANGUAGE sql STABLE
RETURN jsonb_build_object(
    'deal', to_jsonb(d),
    'stage', (SELECT to_jsonb(s) FROM pipeline_stage s WHERE s.id = (d).stage_id),
    'owner', (SELECT to_jsonb(u) FROM app_user u WHERE u.id = (d).owner_id),
    'account', (SELECT to_jsonb(a) FROM account a WHERE a.id = (d).account_id),
    'contact', (SELECT to_jsonb(c) FROM contact c JOIN deal_contact dc ON dc.contact_id = c.id
                WHERE dc.deal_id = (d).id ORDER BY dc.is_primary DESC, c.id LIMIT 1));
COMMENT ON FUNCTION tokens(deal) IS
    'For vars of mails: {{ deal.title }}, {{ stage.name }}, {{ owner.name }}, {{ account.name }}, {{ contact.name }} (of the '
    'primary contact, unless the recipient is a contact: then it is the recipient) (A07, A29)';

CREATE FUNCTION tokens(t ticket) RETURNS jsonb LANGUAGE sql STABLE
RETURN jsonb_build_object(
    'ticket', to_jsonb(t),
    'status', (SELECT to_jsonb(s) FROM pipeline_stage s WHERE s.id = (t).status_id),
    'owner', (SELECT to_jsonb(u) FROM app_user u WHERE u.id = (t).owner_id),
    'account', (SELECT to_jsonb(a) FROM account a WHERE a.id = (t).account_id));
COMMENT ON FUNCTION tokens(ticket) IS
    'For vars of mails: {{ ticket.subject }}, {{ status.name }}, {{ owner.name }}, {{ account.name }} (A29)';

CREATE FUNCTION tokens(a account) RETURNS jsonb LANGUAGE sql STABLE
RETURN jsonb_build_object(
    'account', to_jsonb(a),
    'owner', (SELECT to_jsonb(u) FROM app_user u WHERE u.id = (a).owner_id));
COMMENT ON FUNCTION tokens(account) IS 'For vars of mails: {{ account.name }}, {{ owner.name }} (A29)';

-- Mails to contacts

CREATE FUNCTION about(message automation.message, c contact) RETURNS automation.message LANGUAGE sql STABLE
RETURN automation.with_options(message, jsonb_build_object('about',
    coalesce((message).options -> 'about', '{}') || jsonb_build_object('contact', (c).id)));
COMMENT ON FUNCTION about(automation.message, contact) IS
    'The message with a contact it is about, beside what it is about already: about(about(m, c), d); note_mail() links the row of email_message to it. NULL stays NULL';

CREATE FUNCTION about(message automation.message, d deal) RETURNS automation.message LANGUAGE sql STABLE
RETURN automation.with_options(message, jsonb_build_object('about',
    coalesce((message).options -> 'about', '{}') || jsonb_build_object('deal', (d).id)));
COMMENT ON FUNCTION about(automation.message, deal) IS
    'The message with a deal it is about, beside what it is about already: about(about(m, c), d); note_mail() links the row of email_message to it. NULL stays NULL';

CREATE FUNCTION about(message automation.message, t ticket) RETURNS automation.message LANGUAGE sql STABLE
RETURN automation.with_options(message, jsonb_build_object('about',
    coalesce((message).options -> 'about', '{}') || jsonb_build_object('ticket', (t).id)));
COMMENT ON FUNCTION about(automation.message, ticket) IS
    'The message with a ticket it is about, beside what it is about already: about(about(m, c), d); note_mail() links the row of email_message to it. NULL stays NULL';

CREATE FUNCTION campaign_mail(name text, c contact, vars jsonb DEFAULT NULL, sender text DEFAULT NULL)
    RETURNS automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT automation.with_options(m, jsonb_build_object(
               'about', jsonb_build_object('contact', (c).id, 'campaign', k.id, 'class', 'campaign'),
               'skip', CASE WHEN (c).unsubscribed OR s.subscribed IS NULL THEN 'not_subscribed' ELSE m.options ->> 'skip' END))
    FROM (SELECT coalesce(campaign(campaign_mail.name), no_such('email_campaign', campaign_mail.name)) AS id) named
         JOIN email_campaign k ON k.id = named.id
         -- the list of the campaign that the contact is on; a campaign without lists: any list
         LEFT JOIN LATERAL (SELECT true AS subscribed, CASE WHEN cl.list_id IS NOT NULL THEN l.name END AS list
                            FROM list_subscription ls JOIN mailing_list l ON l.id = ls.list_id
                                 LEFT JOIN campaign_list cl ON cl.campaign_id = k.id AND cl.list_id = ls.list_id
                            WHERE ls.contact_id = (c).id AND ls.status = 'active'
                              AND (cl.list_id IS NOT NULL OR NOT EXISTS (SELECT FROM campaign_list x WHERE x.campaign_id = k.id))
                            ORDER BY l.id LIMIT 1) s ON true
         CROSS JOIN LATERAL automation.email(coalesce(k.template, k.name), c, vars => coalesce(campaign_mail.vars, tokens(c)),
                                             sender => campaign_mail.sender, list => s.list) m
    WHERE (c).id IS NOT NULL AND (c).deleted_at IS NULL;
END;
COMMENT ON FUNCTION campaign_mail(text, contact, jsonb, text) IS
    'Message for SEND: a campaign (email_campaign.name), out of its template. Who is on none of its lists (on no list at all, if it '
    'has none), or took himself off all, gets nothing: the message is skipped, reason not_subscribed; without an address, no_address. '
    'vars: tokens(contact) unless given. NULL contact, or one in the bin: no message. Errors: no campaign or template of that name (A01, S51, S52)';

CREATE FUNCTION automated_mail(template text, c contact, vars jsonb DEFAULT NULL, sender text DEFAULT NULL)
    RETURNS automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT automation.with_options(m, jsonb_build_object(
               'about', jsonb_build_object('contact', (c).id),
               'skip', CASE WHEN m.options ->> 'class' <> 'marketing' THEN m.options ->> 'skip'
                            WHEN NOT (c).is_marketing THEN 'not_marketing'
                            WHEN (c).unsubscribed THEN 'not_subscribed'
                            WHEN EXISTS (SELECT FROM contact_subscription s JOIN subscription_type t ON t.id = s.type_id
                                         WHERE s.contact_id = (c).id AND t.name = m.options ->> 'list' AND s.status <> 'active') THEN 'not_subscribed'
                            ELSE m.options ->> 'skip' END))
    FROM (SELECT) one, automation.email(automated_mail.template, c, vars => coalesce(automated_mail.vars, tokens(c)),
                                        sender => automated_mail.sender) m
    WHERE (c).id IS NOT NULL AND (c).deleted_at IS NULL;
END;
COMMENT ON FUNCTION automated_mail(text, contact, jsonb, text) IS
    'Message for SEND: an automated mail out of a template. If its class is marketing, it reaches marketing contacts only '
    '(contact.is_marketing): others are skipped, reason not_marketing, or not_subscribed if they took themselves off, all mails or the '
    'type of communication that the template names as its list (contact_subscription). What is transactional reaches everybody. '
    'NULL contact, or one in the bin: no message. Error: no such template (A15, A19, S56 to S58)';

CREATE FUNCTION personal_mail(template text, c contact, sender text, vars jsonb DEFAULT NULL, thread text DEFAULT NULL,
                              cc text DEFAULT NULL, bcc text DEFAULT NULL)
    RETURNS automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT automation.with_options(m, jsonb_build_object(
               'about', jsonb_build_object('contact', (c).id, 'mailbox', b.id, 'class', 'personal')))
    FROM (SELECT) one
         LEFT JOIN LATERAL (SELECT x.id, format('%s <%s>', translate(u.name, '<>"', ''), x.address) AS name_and_address
                            FROM connected_mailbox x JOIN app_user u ON u.id = x.user_id
                            WHERE lower(x.address) = lower(personal_mail.sender) ORDER BY x.id LIMIT 1) b ON true
         CROSS JOIN LATERAL automation.email(personal_mail.template, c, vars => coalesce(personal_mail.vars, tokens(c)),
                                             sender => coalesce(b.name_and_address, not_connected(personal_mail.sender)),
                                             thread => personal_mail.thread, cc => mailboxes(personal_mail.cc),
                                             bcc => mailboxes(personal_mail.bcc), class => 'transactional') m
    WHERE (c).id IS NOT NULL AND (c).deleted_at IS NULL;
END;
COMMENT ON FUNCTION personal_mail(text, contact, text, jsonb, text, text, text) IS
    'Message for SEND: a mail from one person to one, out of a template; it needs no subscription. sender: a connected mailbox, '
    'sender_of(deal) for example, whose user''s name is shown with it; vars: tokens(contact) unless given, tokens(deal) for mails about '
    'a deal; thread: first or previous '
    'continues the mails of this run of the workflow to the contact, or the id of a delivery to him; cc, bcc: addresses, separated by '
    'commas. NULL contact, or one in the bin: no message. Errors: the mailbox is not connected, no such template (A03 to A08, S53)';

-- Ticket received, ticket closed: made once, then edited as any template.
CREATE FUNCTION ticket_templates() RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH made AS (
        INSERT INTO automation.template (name, class, subject, html) VALUES
            ('Ticket received', 'transactional', 'We have received your request: {{ ticket.subject }}',
             '<p>Dear {{ contact.first_name | default: "customer" }},</p><p>thank you for your message. Its number is {{ ticket.id }}; '
             'we will answer as soon as we can.</p>'),
            ('Ticket closed', 'transactional', 'Your request is closed: {{ ticket.subject }}',
             '<p>Dear {{ contact.first_name | default: "customer" }},</p><p>we have closed your request number {{ ticket.id }}. '
             'If something is still open, answer to this mail.</p>')
        ON CONFLICT DO NOTHING
        RETURNING name)
    SELECT count(*) FROM made;
END;
COMMENT ON FUNCTION ticket_templates() IS
    'Makes the templates "Ticket received" and "Ticket closed" (transactional) for the caller, for automated_mail(name, contact, vars => '
    'tokens(ticket)); those that are there stay as they were edited. Returns how many it made (A17, A18, S56)';

-- Contacts of a record: the primary one first

CREATE FUNCTION people_of(a account, at_most int DEFAULT 100) RETURNS SETOF contact LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM contact c JOIN account_contact x ON x.contact_id = c.id
    WHERE x.account_id = (a).id AND c.deleted_at IS NULL ORDER BY x.is_primary DESC, c.id LIMIT at_most;
END;
COMMENT ON FUNCTION people_of(account, int) IS
    'Contacts of the company: at most so many, NULL: all; the primary one first, then in the order of their ids (A15, S40)';

CREATE FUNCTION people_of(d deal, at_most int DEFAULT 100) RETURNS SETOF contact LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM contact c JOIN deal_contact x ON x.contact_id = c.id
    WHERE x.deal_id = (d).id AND c.deleted_at IS NULL ORDER BY x.is_primary DESC, c.id LIMIT at_most;
END;
COMMENT ON FUNCTION people_of(deal, int) IS
    'Contacts of the deal: at most so many, NULL: all; the primary one first, then in the order of their ids (A15, S40)';

CREATE FUNCTION people_of(t ticket, at_most int DEFAULT 100) RETURNS SETOF contact LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM contact c JOIN ticket_contact x ON x.contact_id = c.id
    WHERE x.ticket_id = (t).id AND c.deleted_at IS NULL ORDER BY c.id LIMIT at_most;
END;
COMMENT ON FUNCTION people_of(ticket, int) IS 'Contacts of the ticket: at most so many, NULL: all; in the order of their ids (A16, S40)';

CREATE FUNCTION people_of(p project, at_most int DEFAULT 100) RETURNS SETOF contact LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM contact c JOIN project_contact x ON x.contact_id = c.id
    WHERE x.project_id = (p).id AND c.deleted_at IS NULL ORDER BY c.id LIMIT at_most;
END;
COMMENT ON FUNCTION people_of(project, int) IS 'Contacts of the project: at most so many, NULL: all; in the order of their ids (S40)';

CREATE FUNCTION people_of(q quote, at_most int DEFAULT 100) RETURNS SETOF contact LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM contact c JOIN quote_contact x ON x.contact_id = c.id
    WHERE x.quote_id = (q).id AND c.deleted_at IS NULL ORDER BY c.id LIMIT at_most;
END;
COMMENT ON FUNCTION people_of(quote, int) IS 'Contacts of the quote: at most so many, NULL: all; in the order of their ids (S40)';

CREATE FUNCTION people_of(r custom_object_record, at_most int DEFAULT 100) RETURNS SETOF contact LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c FROM contact c JOIN custom_object_link x ON x.contact_id = c.id
    WHERE x.record_id = (r).id AND c.deleted_at IS NULL ORDER BY c.id LIMIT at_most;
END;
COMMENT ON FUNCTION people_of(custom_object_record, int) IS
    'Contacts of the record of a custom object: at most so many, NULL: all; in the order of their ids (S40)';

-- Colleagues

CREATE FUNCTION owner_of(c contact) RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM app_user u WHERE u.id = (c).owner_id AND u.is_active;
END;
COMMENT ON FUNCTION owner_of(contact) IS 'The owner of the contact, for FROM; no row: there is none, or he is no longer active (A28)';

CREATE FUNCTION owner_of(d deal) RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM app_user u WHERE u.id = (d).owner_id AND u.is_active;
END;
COMMENT ON FUNCTION owner_of(deal) IS 'The owner of the deal, for FROM; no row: there is none, or he is no longer active (A28)';

CREATE FUNCTION owner_of(a account) RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM app_user u WHERE u.id = (a).owner_id AND u.is_active;
END;
COMMENT ON FUNCTION owner_of(account) IS 'The owner of the company, for FROM; no row: there is none, or he is no longer active (A28)';

CREATE FUNCTION owner_of(t ticket) RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM app_user u WHERE u.id = (t).owner_id AND u.is_active;
END;
COMMENT ON FUNCTION owner_of(ticket) IS 'The owner of the ticket, for FROM; no row: there is none, or he is no longer active (A28)';

CREATE FUNCTION owner_of(p project) RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM app_user u WHERE u.id = (p).owner_id AND u.is_active;
END;
COMMENT ON FUNCTION owner_of(project) IS 'The owner of the project, for FROM; no row: there is none, or he is no longer active (A28)';

CREATE FUNCTION members_of(team text) RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM (SELECT coalesce(team(members_of.team), no_such('team', members_of.team)) AS id) t
         JOIN team_member m ON m.team_id = t.id JOIN app_user u ON u.id = m.user_id
    WHERE u.is_active ORDER BY u.id;
END;
COMMENT ON FUNCTION members_of(text) IS 'The active members of a team, for FROM. Error: no team of that name (A27)';

CREATE FUNCTION internal_mail(u app_user, subject text, body text, html text DEFAULT NULL) RETURNS automation.message LANGUAGE sql STABLE
RETURN CASE WHEN (u).id IS NOT NULL AND (u).is_active THEN
    automation.mail((u).email, internal_mail.subject, internal_mail.body, html => internal_mail.html, class => 'internal') END;
COMMENT ON FUNCTION internal_mail(app_user, text, text, text) IS
    'Message for SEND: a mail to a colleague: SEND internal_mail(u, ''Won'', d.title) FROM owner_of(d) u, FROM members_of(''Sales'') u. '
    'Who is not active gets none; without an address it is skipped, reason no_address (A24 to A29, A35)';

CREATE FUNCTION internal_mail(user_id bigint, subject text, body text, html text DEFAULT NULL) RETURNS automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT internal_mail(u, internal_mail.subject, internal_mail.body, internal_mail.html) FROM app_user u WHERE u.id = internal_mail.user_id;
END;
COMMENT ON FUNCTION internal_mail(bigint, text, text, text) IS
    'The same to the user of that id: SEND internal_mail(d.owner_id, ...). NULL: no message (A26, A28)';

CREATE FUNCTION internal_mail(address text, subject text, body text, html text DEFAULT NULL) RETURNS automation.message LANGUAGE sql STABLE
RETURN automation.mail(internal_mail.address, internal_mail.subject, internal_mail.body, html => internal_mail.html, class => 'internal');
COMMENT ON FUNCTION internal_mail(text, text, text, text) IS 'The same to an address; NULL: it is skipped, reason no_address (A24)';

CREATE FUNCTION internal_copy(template text, c contact, addresses text, vars jsonb DEFAULT NULL) RETURNS SETOF automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.* FROM unnest(mailboxes(internal_copy.addresses)) a (address),
         automation.email(internal_copy.template, c, vars => coalesce(internal_copy.vars, tokens(c)), address => a.address, class => 'internal') m;
END;
COMMENT ON FUNCTION internal_copy(text, contact, text, jsonb) IS
    'Messages for SEND m FROM internal_copy(...) m: an automated mail about the contact, to other addresses than his: given ones, '
    'separated by commas, or a property that holds some. NULL or empty: no message (A30)';

CREATE FUNCTION notify(user_id bigint, body text, push boolean DEFAULT false, contact_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO notification (user_id, channel, body, contact_id, deal_id)
    SELECT notify.user_id, ch.channel, notify.body, notify.contact_id, notify.deal_id
    FROM (VALUES ('center', true), ('push', push)) ch (channel, wanted)
    WHERE notify.user_id IS NOT NULL AND ch.wanted;
END;
COMMENT ON FUNCTION notify(bigint, text, boolean, bigint, bigint) IS
    'Notifies a user inside the application: a row of notification, channel center; push: another one for the mobile application, '
    'channel push. contact_id, deal_id: what it is about. NULL user: nothing happens. Errors: no such user, no text (A34)';

CREATE FUNCTION notify_team(team text, body text, push boolean DEFAULT false, contact_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO notification (team_id, channel, body, contact_id, deal_id)
    SELECT t.id, ch.channel, notify_team.body, notify_team.contact_id, notify_team.deal_id
    FROM (SELECT coalesce(team(notify_team.team), no_such('team', notify_team.team)) AS id) t,
         (VALUES ('center', true), ('push', push)) ch (channel, wanted)
    WHERE ch.wanted;
END;
COMMENT ON FUNCTION notify_team(text, text, boolean, bigint, bigint) IS
    'Notifies a team inside the application; arguments as of notify(). Error: no team of that name (A34)';

CREATE FUNCTION internal_sms(number text, body text, server text DEFAULT 'twilio') RETURNS automation.message LANGUAGE sql STABLE
RETURN automation.sms(number, internal_sms.body, server => internal_sms.server, class => 'internal', expires => '72 hours');
COMMENT ON FUNCTION internal_sms(text, text, text) IS
    'Message for SEND: a text message to a number; it is not sent later than 72 hours after it might have been. NULL: it is skipped, '
    'reason no_address. How many a month is the option monthly_cap of the server (A31, A33, S61, S62)';

CREATE FUNCTION internal_sms(u app_user, body text, server text DEFAULT 'twilio') RETURNS automation.message LANGUAGE sql STABLE
RETURN CASE WHEN (u).id IS NOT NULL AND (u).is_active THEN internal_sms((u).phone, internal_sms.body, internal_sms.server) END;
COMMENT ON FUNCTION internal_sms(app_user, text, text) IS
    'The same to a colleague: SEND internal_sms(u, ''...'') FROM owner_of(c) u. Who is not active gets none (A31, A32)';

CREATE FUNCTION internal_sms(user_id bigint, body text, server text DEFAULT 'twilio') RETURNS automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT internal_sms(u, internal_sms.body, internal_sms.server) FROM app_user u WHERE u.id = internal_sms.user_id;
END;
COMMENT ON FUNCTION internal_sms(bigint, text, text) IS 'The same to the user of that id; NULL: no message (A31, A32)';

CREATE VIEW sms_message AS
    SELECT d.id, d.workflow, d.subject, '+' || d.address AS to_number, d.class,
           CASE d.state WHEN 'sent' THEN 'SMS notification sent'
                        WHEN 'queued' THEN 'Action initiated' WHEN 'started' THEN 'Action initiated'
                        WHEN 'retry' THEN 'Action initiated' WHEN 'held' THEN 'Action initiated'
                        ELSE 'Unable to send' END AS status,
           d.reason, d.error, d.created_at, d.finished_at
    FROM automation.deliveries d WHERE d.channel = 'sms';
COMMENT ON VIEW sms_message IS
    'Text messages of workflows and their status: Action initiated, then SMS notification sent or Unable to send; reason and error say why (S60)';

-- Slack

CREATE FUNCTION slack_installer() RETURNS SETOF app_user LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT u FROM app_connection a JOIN app_user u ON u.id = a.installed_by
    WHERE a.app = 'slack' AND a.status = 'connected' AND u.is_active;
END;
COMMENT ON FUNCTION slack_installer() IS
    'Who has connected Slack (app_connection), in whose name channels are made; no row: it is not connected, or he is no longer active (S65)';

CREATE FUNCTION record_channel(owner_id bigint, name text, private boolean, server text) RETURNS automation.message LANGUAGE sql STABLE
RETURN CASE WHEN owner_id IS NOT NULL AND EXISTS (SELECT FROM slack_installer()) THEN
    automation.slack_channel(name::automation.slack_name, private, server) END;
COMMENT ON FUNCTION record_channel(bigint, text, boolean, text) IS 'For open_slack_channel()';

CREATE FUNCTION open_slack_channel(d deal, name text, private boolean DEFAULT false, server text DEFAULT 'slack')
    RETURNS automation.message LANGUAGE sql STABLE
RETURN record_channel((d).owner_id, open_slack_channel.name, open_slack_channel.private, open_slack_channel.server);
COMMENT ON FUNCTION open_slack_channel(deal, text, boolean, text) IS
    'Message for SEND ... INTO: makes a Slack channel for the deal, if it has an owner and the one who installed Slack is still there; '
    'else no message. name: at most 80 of a to z, digits, hyphens and underscores, else an error (23514); automation.slack_channel_name() '
    'makes one of any text; private: visible to its members only (A37 to A39, S63 to S65)';

CREATE FUNCTION open_slack_channel(a account, name text, private boolean DEFAULT false, server text DEFAULT 'slack')
    RETURNS automation.message LANGUAGE sql STABLE
RETURN record_channel((a).owner_id, open_slack_channel.name, open_slack_channel.private, open_slack_channel.server);
COMMENT ON FUNCTION open_slack_channel(account, text, boolean, text) IS 'The same for a company';

CREATE FUNCTION slack_invite_installer(channel text, server text DEFAULT 'slack') RETURNS automation.message LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT automation.http_request('POST', '/conversations.invite',
               jsonb_build_object('channel', slack_invite_installer.channel, 'users', u.slack_id)::text,
               server => slack_invite_installer.server, content_type => 'application/json; charset=utf-8', sign => false)
    FROM slack_installer() u WHERE u.slack_id IS NOT NULL AND slack_invite_installer.channel IS NOT NULL;
END;
COMMENT ON FUNCTION slack_invite_installer(text, text) IS
    'Message for SEND: invites the one who installed Slack (app_user.slack_id) to a channel, by its id. With a token of his own he is a '
    'member anyway; with that of a bot this does it. NULL channel, nobody, or no slack_id: no message (S66)';

-- Messages on the site

CREATE FUNCTION show_site_message(c contact, name text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO site_message_event (message_id, contact_id, kind)
    SELECT m.id, (c).id, 'queued'
    FROM (SELECT coalesce(site_message(show_site_message.name), no_such('site_message', show_site_message.name)) AS id) m
    WHERE (c).id IS NOT NULL
      AND coalesce((SELECT e.kind FROM site_message_event e WHERE e.message_id = m.id AND e.contact_id = (c).id
                    ORDER BY e.id DESC LIMIT 1), '') <> 'queued';
END;
COMMENT ON FUNCTION show_site_message(contact, text) IS
    'The contact is to see a message on the site: on the page it names, or on any. page_messages() shows it at his next visit. One that '
    'waits already does not wait twice. NULL contact: nothing happens. Error: no message of that name (A12 to A14)';

CREATE FUNCTION page_messages(c contact, url text) RETURNS SETOF site_message LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- in SQL it would name the columns of today
    RETURN QUERY WITH due AS (
        SELECT m.id
        FROM site_message m,
             LATERAL (SELECT e.kind FROM site_message_event e WHERE e.message_id = m.id AND e.contact_id = (c).id ORDER BY e.id DESC LIMIT 1) last
        WHERE last.kind = 'queued'
          AND (m.url IS NULL OR m.url = regexp_replace(page_messages.url, '[?#].*$', ''))
          AND EXISTS (SELECT FROM contact x WHERE x.id = (c).id AND x.site_message_opt_in AND x.deleted_at IS NULL)
          AND EXISTS (SELECT FROM tracking_site s
                      WHERE right('.' || lower(substring(page_messages.url FROM '^[A-Za-z][A-Za-z0-9+.-]*://([^/:?#]+)')), length(s.domain) + 1)
                            = '.' || lower(s.domain))
    ), shown AS (
        INSERT INTO site_message_event (message_id, contact_id, kind) SELECT d.id, (c).id, 'shown' FROM due d ORDER BY d.id RETURNING message_id
    )
    SELECT m.* FROM site_message m JOIN shown s ON s.message_id = m.id ORDER BY m.id;
END $$;
COMMENT ON FUNCTION page_messages(contact, text) IS
    'For the site: the messages the contact is to see on this page, each once (site_message_event notes that it was shown). None, unless '
    'he has opted in (contact.site_message_opt_in) and the page''s host, or a domain above it, is in tracking_site; what follows ? or # in '
    'the address does not matter (A12 to A14, S54)';

-- What was sent, in the CRM

CREATE FUNCTION note_mail(delivery bigint) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH noted AS (
        INSERT INTO email_message (delivery_id, class, direction, sent_from, sent_via, name, contact_id, deal_id, ticket_id, mailbox_id,
                                   campaign_id, in_reply_to, subject, body_html, cc, bcc, provider_server, provider_stream, provider_tag,
                                   created_at)
        SELECT d.id,
               coalesce(d.options #>> '{about,class}', CASE d.class WHEN 'marketing' THEN 'campaign' ELSE d.class END),
               'out', 'automation', CASE WHEN b.id IS NULL THEN 'service' ELSE 'personal_mailbox' END, d.family,
               CASE WHEN d.options #> '{about,contact}' IS NOT NULL
                    THEN (SELECT c.id FROM contact c WHERE c.id = (d.options #>> '{about,contact}')::bigint)
                    ELSE (SELECT c.id FROM contact c WHERE lower(c.email) = d.address AND c.deleted_at IS NULL AND d.class <> 'internal'
                          ORDER BY c.id LIMIT 1) END,
               (SELECT x.id FROM deal x WHERE x.id = (d.options #>> '{about,deal}')::bigint),
               (SELECT x.id FROM ticket x WHERE x.id = (d.options #>> '{about,ticket}')::bigint),
               b.id,
               (SELECT x.id FROM email_campaign x
                WHERE CASE WHEN d.options #> '{about,campaign}' IS NOT NULL THEN x.id = (d.options #>> '{about,campaign}')::bigint
                           ELSE coalesce(x.template, x.name) = d.family AND d.class = 'marketing' END
                ORDER BY x.id LIMIT 1),
               (SELECT x.id FROM email_message x JOIN automation.deliveries p ON p.id = x.delivery_id
                WHERE p.uid = substring(d.options ->> 'in_reply_to' FROM '^<([^@>]+)@')),
               d.title, d.options ->> 'html',
               (SELECT array_agg(a.address) FROM jsonb_array_elements_text(d.options -> 'cc') a (address)),
               (SELECT array_agg(a.address) FROM jsonb_array_elements_text(d.options -> 'bcc') a (address)),
               d.server, d.headers ->> 'X-PM-Message-Stream', d.headers ->> 'X-PM-Tag', d.created_at
        FROM automation.deliveries d
             LEFT JOIN connected_mailbox b ON b.id = (d.options #>> '{about,mailbox}')::bigint
        WHERE d.id = note_mail.delivery AND d.kind = 'mail' AND d.state NOT IN ('skipped', 'cancelled', 'dead')
        ON CONFLICT (delivery_id) DO NOTHING
        RETURNING id)
    SELECT id FROM noted UNION ALL SELECT m.id FROM email_message m WHERE m.delivery_id = note_mail.delivery;
END;
COMMENT ON FUNCTION note_mail(bigint) IS
    'Notes a mail of SEND among the mails of the CRM and returns its id there: SEND ... INTO mail; SELECT note_mail(mail.id). The records '
    'it belongs to are those of about(), campaign_mail() and the like, else the contact of its address. Noted once; NULL: it is no mail, '
    'or was not sent';

CREATE FUNCTION note_mails(c contact) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    -- the older ones first: answers in a thread find what they answer
    SELECT count(note_mail(n.id))
    FROM (SELECT d.id FROM automation.deliveries d
          WHERE d.address = lower((c).email) AND d.kind = 'mail' AND d.state NOT IN ('skipped', 'cancelled', 'dead')
            AND NOT EXISTS (SELECT FROM email_message m WHERE m.delivery_id = d.id)
          ORDER BY d.id) n;
END;
COMMENT ON FUNCTION note_mails(contact) IS
    'Notes all mails of workflows to the contact that are not noted yet; returns how many. Of those that wait in the queue, too';

CREATE FUNCTION note_inbound(inbound bigint) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    -- a statement of its own, so that the next one sees it
    SELECT note_mail(i.delivery) FROM automation.inbound i
    WHERE i.id = note_inbound.inbound AND i.kind IN ('delivered', 'open', 'click', 'reply', 'unsubscribe', 'complaint');
    -- whoever has used the link in the mail: off the list it names, or off all
    UPDATE list_subscription ls SET status = 'unsubscribed', unsubscribed_at = i.at, unsubscribe_source = 'contact'
    FROM automation.inbound i JOIN automation.deliveries d ON d.id = i.delivery JOIN email_message m ON m.delivery_id = i.delivery
    WHERE i.id = note_inbound.inbound AND i.kind IN ('unsubscribe', 'complaint') AND ls.contact_id = m.contact_id AND ls.status <> 'unsubscribed'
      AND (i.kind = 'complaint' OR d.list IS NULL OR ls.list_id = list(d.list));
    INSERT INTO contact_subscription AS s (contact_id, type_id, status)
    SELECT m.contact_id, t.id, 'unsubscribed'
    FROM automation.inbound i JOIN automation.deliveries d ON d.id = i.delivery JOIN email_message m ON m.delivery_id = i.delivery
         JOIN subscription_type t ON t.name = d.list
    WHERE i.id = note_inbound.inbound AND i.kind = 'unsubscribe' AND m.contact_id IS NOT NULL
    ON CONFLICT (contact_id, type_id) DO UPDATE SET status = 'unsubscribed', changed_at = automation.now() WHERE s.status <> 'unsubscribed';
    UPDATE contact c SET unsubscribed = true
    FROM automation.inbound i JOIN automation.deliveries d ON d.id = i.delivery JOIN email_message m ON m.delivery_id = i.delivery
    WHERE i.id = note_inbound.inbound AND c.id = m.contact_id AND NOT c.unsubscribed
      AND (i.kind = 'complaint' OR i.kind = 'unsubscribe' AND d.list IS NULL);
    WITH came AS (
        SELECT i.kind, i.url, i.at, i.detail, m.id AS message_id, m.contact_id
        FROM automation.inbound i JOIN email_message m ON m.delivery_id = i.delivery
        WHERE i.id = note_inbound.inbound AND i.kind IN ('delivered', 'open', 'click', 'reply', 'unsubscribe')
    ), link AS (
        INSERT INTO email_link (message_id, url)
        SELECT c.message_id, c.url FROM came c
        WHERE c.url IS NOT NULL AND NOT EXISTS (SELECT FROM email_link l WHERE l.message_id = c.message_id AND l.url = c.url)
        RETURNING id
    )
    INSERT INTO email_event (message_id, contact_id, kind, link_id, is_machine_open, user_agent, occurred_at)
    SELECT c.message_id, c.contact_id, CASE c.kind WHEN 'unsubscribe' THEN 'unsubscribe_click' ELSE c.kind END,
           coalesce((SELECT id FROM link), (SELECT min(l.id) FROM email_link l WHERE l.message_id = c.message_id AND l.url = c.url)),
           coalesce((c.detail ->> 'machine')::boolean, false), c.detail ->> 'user_agent', c.at
    FROM came c
    RETURNING id;
END;
COMMENT ON FUNCTION note_inbound(bigint) IS
    'Notes among the CRM''s events (email_event) what came back about a mail: a row of automation.inbound of kind delivered, open, click, '
    'reply or unsubscribe. The mail is noted if it was not yet. Who has unsubscribed leaves the mailing list that the mail named, by '
    'himself (unsubscribe_source contact), or the type of communication of that name; if it named none, or he complained, all of them, '
    'and contact.unsubscribed is set. For a workflow '
    'with AFTER INSERT ON automation.inbound. Members machine (a program opened it) and user_agent of detail are kept. NULL: there was '
    'nothing to note among the events (T06, T17)';

CREATE FUNCTION allow_mail(c contact, list text DEFAULT NULL) RETURNS boolean LANGUAGE sql
BEGIN ATOMIC
    UPDATE contact SET unsubscribed = false WHERE contact.id = (c).id AND contact.unsubscribed AND allow_mail.list IS NULL;
    SELECT automation.unsuppress((c).email, list => allow_mail.list) WHERE (c).email <> '';
END;
COMMENT ON FUNCTION allow_mail(contact, text) IS
    'The contact wants marketing mails again, or those of one mailing list: takes back that his address was suppressed for the caller''s '
    'role when he unsubscribed. subscribe(c, list, resubscribe => true) puts him on the list again. False: nothing stood against him';

CREATE FUNCTION is_test_address(email text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(lower(email) LIKE '%+test@%' OR lower(split_part(email, '@', 2)) ~ '(^|\.)(example\.(com|org|net)|test|example|invalid|localhost)$', false);
COMMENT ON FUNCTION is_test_address(text) IS
    'Is it an address of nobody: with +test in front of the @, or in a domain that is set aside for examples and tests; false for NULL';
