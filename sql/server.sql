-- Foreign servers: where messages go, and what the way there asks for.  The wrapper
-- has no tables: its servers hold options, its user mappings credentials.  USAGE on the
-- wrapper, which lets a role create servers, is nobody's until it is granted.

CREATE FUNCTION automation.server_validator(options text[], catalog oid) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wf_server_validator';
COMMENT ON FUNCTION automation.server_validator(text[], oid) IS
'Checks the options of servers and user mappings of the wrapper automation: PostgreSQL calls it. Errors: an option that does not exist, a value that is none, an option that only superusers may set.';

CREATE FOREIGN DATA WRAPPER automation NO HANDLER VALIDATOR automation.server_validator;
COMMENT ON FOREIGN DATA WRAPPER automation IS
'Receivers of messages: CREATE SERVER name TYPE ''http'' or ''smtp'' FOREIGN DATA WRAPPER automation OPTIONS (url ''https://...''). Workflows whose owner has USAGE on a server may send to it; credentials are options of CREATE USER MAPPING.';

CREATE FUNCTION automation.server_option(server text, option text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'wf_server_option_value';
COMMENT ON FUNCTION automation.server_option(text, text) IS
'What an option of a server is, or its default; NULL if it has none. Never a credential. Errors: no such server of the wrapper automation, no such option, an option that only superusers may set and the caller is none.';

CREATE FUNCTION automation.server_for(role regrole, url text, OUT server text, OUT address text, OUT problem text)
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'wf_server_for_url';
COMMENT ON FUNCTION automation.server_for(regrole, text) IS
'Which server a message of this role to this URL would go to, the address in its canonical form, and, if there is no server, why. For superusers, and whom they grant it to.';
