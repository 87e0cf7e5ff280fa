-- Mail templates, and what makes mails of them.
--
-- A template belongs to a role, its members and those it names as users see it. It is
-- written by SQL, under row security, and checked by a trigger: so INSERT, UPDATE,
-- DELETE and SELECT are granted to everybody. Not dumped: those of roles that are gone.

CREATE TABLE automation.template (
    owner         regrole NOT NULL DEFAULT pg_catalog.quote_ident(current_user)::pg_catalog.regrole,
    name          text COLLATE "C" NOT NULL,
    variant       text COLLATE "C" NOT NULL DEFAULT '' CHECK (variant !~ '[[:cntrl:]]' AND pg_catalog.length(variant) <= 60),
    share         double precision NOT NULL DEFAULT 1 CHECK (share > 0 AND share <= 1000000),
    subject       text NOT NULL,
    html          text,
    body          text,
    class         text NOT NULL DEFAULT 'marketing' CHECK (class IN ('transactional', 'marketing', 'internal')),
    list          text CHECK (list !~ '[[:cntrl:]]' AND list <> ''),
    once          boolean NOT NULL DEFAULT false,
    on_missing_token text NOT NULL DEFAULT 'fail' CHECK (on_missing_token IN ('fail', 'empty', 'skip')),
    zone          text NOT NULL DEFAULT 'UTC',
    about         regclass,
    users         regrole[] NOT NULL DEFAULT '{}',
    raw_allowed   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (owner, name, variant)
);
CREATE INDEX template_name ON automation.template (name);
COMMENT ON TABLE automation.template IS
    'Texts of mails, with tokens {{ contact.first_name | default: "there" }}; used by automation.email()';
COMMENT ON COLUMN automation.template.owner IS 'role it belongs to: the one that writes the row, or a role it is a member of';
COMMENT ON COLUMN automation.template.variant IS 'several rows of a name are an A/B test: each recipient gets always the same one';
COMMENT ON COLUMN automation.template.share IS 'part of the recipients the variant gets, in relation to the shares of the others';
COMMENT ON COLUMN automation.template.html IS 'HTML part; what tokens bring is escaped';
COMMENT ON COLUMN automation.template.body IS 'plain text part; NULL: made from html';
COMMENT ON COLUMN automation.template.class IS
    'marketing: needs {{ unsubscribe_url }} and {{ postal_address }}; transactional: what the recipient asked for; internal';
COMMENT ON COLUMN automation.template.list IS 'topic that one may unsubscribe from';
COMMENT ON COLUMN automation.template.once IS 'nobody gets a mail of this name twice';
COMMENT ON COLUMN automation.template.on_missing_token IS
    'when a value is NULL, empty or blank and the token has no default: fail (the step fails), empty, or skip (this mail is not sent)';
COMMENT ON COLUMN automation.template.zone IS 'time zone in which the filter date shows moments';
COMMENT ON COLUMN automation.template.about IS 'table of the recipients: its columns that tokens name are checked when the row is saved';
COMMENT ON COLUMN automation.template.users IS 'roles that may use it and read it, besides the owner''s members; - is everybody';
COMMENT ON COLUMN automation.template.raw_allowed IS 'the filter raw may be used, which puts data in as HTML; only superusers can set it';

CREATE FUNCTION automation.template_check() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_template_check';
COMMENT ON FUNCTION automation.template_check() IS 'Refuses templates that could not be rendered, with line and column; trigger of automation.template';
CREATE TRIGGER template_check BEFORE INSERT OR UPDATE ON automation.template
    FOR EACH ROW EXECUTE FUNCTION automation.template_check();
ALTER TABLE automation.template ENABLE ALWAYS TRIGGER template_check;

ALTER TABLE automation.template ENABLE ROW LEVEL SECURITY;
CREATE POLICY template_members ON automation.template
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY template_users ON automation.template FOR SELECT
    USING (EXISTS (SELECT FROM pg_catalog.unnest(users) u (role)
                   WHERE CASE WHEN u.role::oid = 0 THEN true ELSE pg_catalog.pg_has_role(u.role::oid, 'USAGE') END));
REVOKE ALL ON automation.template FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON automation.template TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('automation.template', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = owner)');

CREATE FUNCTION automation.email(template text, recipient anyelement, vars jsonb DEFAULT NULL, sender text DEFAULT NULL,
                                 reply_to text DEFAULT NULL, address text DEFAULT NULL, thread anycompatible DEFAULT NULL::text,
                                 cc text[] DEFAULT NULL, bcc text[] DEFAULT NULL, attachments jsonb DEFAULT NULL,
                                 headers jsonb DEFAULT NULL, class text DEFAULT NULL, list text DEFAULT NULL,
                                 server text DEFAULT NULL, once boolean DEFAULT NULL, expires text DEFAULT NULL,
                                 ordering_key text DEFAULT NULL, owner name DEFAULT NULL)
    RETURNS automation.message LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_email';
COMMENT ON FUNCTION automation.email(text, anyelement, jsonb, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, name) IS
    'A mail to a row''s column email (or address), rendered from the template: tokens {{ contact.first_name }} are columns of the row, others are looked up in vars. sender: address or Name <address>; thread: first, previous or the id of a delivery; expires: interval; owner: whose template, NULL: one''s own. Errors: 42704 no such template, P0002 a token is missing, 42703 no such column (A01 A02 A11)';
CREATE FUNCTION automation.email(template text, recipient text, vars jsonb DEFAULT NULL, sender text DEFAULT NULL,
                                 reply_to text DEFAULT NULL, address text DEFAULT NULL, thread anycompatible DEFAULT NULL::text,
                                 cc text[] DEFAULT NULL, bcc text[] DEFAULT NULL, attachments jsonb DEFAULT NULL,
                                 headers jsonb DEFAULT NULL, class text DEFAULT NULL, list text DEFAULT NULL,
                                 server text DEFAULT NULL, once boolean DEFAULT NULL, expires text DEFAULT NULL,
                                 ordering_key text DEFAULT NULL, owner name DEFAULT NULL)
    RETURNS automation.message LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_email';
COMMENT ON FUNCTION automation.email(text, text, jsonb, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, name) IS
    'The same to an address';

CREATE FUNCTION automation.mail(recipient anyelement, subject text, body text DEFAULT NULL, html text DEFAULT NULL,
                                sender text DEFAULT NULL, reply_to text DEFAULT NULL, address text DEFAULT NULL,
                                thread anycompatible DEFAULT NULL::text, cc text[] DEFAULT NULL, bcc text[] DEFAULT NULL,
                                attachments jsonb DEFAULT NULL, headers jsonb DEFAULT NULL, class text DEFAULT NULL,
                                list text DEFAULT NULL, server text DEFAULT NULL, once boolean DEFAULT NULL,
                                expires text DEFAULT NULL, ordering_key text DEFAULT NULL, family text DEFAULT NULL)
    RETURNS automation.message LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_mail';
COMMENT ON FUNCTION automation.mail(anyelement, text, text, text, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, text) IS
    'A mail without a template: the texts as they are, nothing in them is a token; data in html is for the caller to escape, with automation.html_escape(). The recipient is a row with a column email, or address says where it goes';
CREATE FUNCTION automation.mail(recipient text, subject text, body text DEFAULT NULL, html text DEFAULT NULL,
                                sender text DEFAULT NULL, reply_to text DEFAULT NULL, address text DEFAULT NULL,
                                thread anycompatible DEFAULT NULL::text, cc text[] DEFAULT NULL, bcc text[] DEFAULT NULL,
                                attachments jsonb DEFAULT NULL, headers jsonb DEFAULT NULL, class text DEFAULT NULL,
                                list text DEFAULT NULL, server text DEFAULT NULL, once boolean DEFAULT NULL,
                                expires text DEFAULT NULL, ordering_key text DEFAULT NULL, family text DEFAULT NULL)
    RETURNS automation.message LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'wf_mail';
COMMENT ON FUNCTION automation.mail(text, text, text, text, text, text, text, anycompatible, text[], text[], jsonb, jsonb, text, text, text, boolean, text, text, text) IS
    'The same to an address';

CREATE FUNCTION automation.html_to_text(html text) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_html_to_text';
COMMENT ON FUNCTION automation.html_to_text(text) IS 'HTML as plain text: links as text (address), lists, line breaks; without styles and scripts';
CREATE FUNCTION automation.html_escape(value text) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_html_escape_text';
COMMENT ON FUNCTION automation.html_escape(text) IS 'The text as it may stand in HTML and in quoted attributes: & < > " '' escaped, control characters left out';

-- What became of the mails of a template, variant by variant.
CREATE VIEW automation.template_results WITH (security_barrier) AS
SELECT w.role AS owner, o.family AS template, coalesce(o.variant, '') AS variant,
       pg_catalog.count(*) AS messages,
       pg_catalog.count(*) FILTER (WHERE o.state = 'sent') AS sent,
       pg_catalog.count(*) FILTER (WHERE i.opened) AS opened,
       pg_catalog.count(*) FILTER (WHERE i.clicked) AS clicked,
       pg_catalog.count(*) FILTER (WHERE i.replied) AS replied,
       pg_catalog.count(*) FILTER (WHERE i.bounced) AS bounced,
       pg_catalog.count(*) FILTER (WHERE i.complained) AS complained,
       pg_catalog.count(*) FILTER (WHERE i.unsubscribed) AS unsubscribed
FROM automation.outgoing o
JOIN automation.owner w ON w.id = o.owner
LEFT JOIN LATERAL (
    SELECT pg_catalog.bool_or(e.kind IN ('open', 'click')) AS opened,
           pg_catalog.bool_or(e.kind = 'click') AS clicked,
           pg_catalog.bool_or(e.kind = 'reply') AS replied,
           pg_catalog.bool_or(e.kind IN ('hard_bounce', 'soft_bounce')) AS bounced,
           pg_catalog.bool_or(e.kind = 'complaint') AS complained,
           pg_catalog.bool_or(e.kind = 'unsubscribe') AS unsubscribed
    FROM automation.inbound e WHERE e.delivery = o.id) i ON true
WHERE o.kind = 'mail' AND o.family IS NOT NULL AND pg_catalog.pg_has_role(w.role::oid, 'USAGE')
GROUP BY 1, 2, 3;
COMMENT ON VIEW automation.template_results IS
    'Mails by template and variant, and what became of them; of roles one is a member of';
COMMENT ON COLUMN automation.template_results.owner IS 'role whose mails they are';
COMMENT ON COLUMN automation.template_results.template IS 'name of the template';
COMMENT ON COLUMN automation.template_results.variant IS 'its variant; empty = none';
COMMENT ON COLUMN automation.template_results.messages IS 'mails that were made';
COMMENT ON COLUMN automation.template_results.sent IS 'that left';
COMMENT ON COLUMN automation.template_results.opened IS 'known to have been opened; a click is an opening';
COMMENT ON COLUMN automation.template_results.clicked IS 'with a click on a link';
COMMENT ON COLUMN automation.template_results.replied IS 'that were replied to';
COMMENT ON COLUMN automation.template_results.bounced IS 'that came back';
COMMENT ON COLUMN automation.template_results.complained IS 'that the recipient called unwanted';
COMMENT ON COLUMN automation.template_results.unsubscribed IS 'whose link to unsubscribe was used';
GRANT SELECT ON automation.template_results TO PUBLIC;
