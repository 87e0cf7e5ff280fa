-- Mail templates.  Each belongs to a role; others use it if they are among its users.

CREATE TABLE automation.template (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner         regrole NOT NULL DEFAULT pg_catalog.quote_ident(current_user)::pg_catalog.regrole,
    name          text NOT NULL,
    variant       text NOT NULL DEFAULT '',  -- several rows of a name: an A/B test
    share         numeric NOT NULL DEFAULT 1 CHECK (share > 0),
    subject       text NOT NULL,
    html          text,
    body          text,                      -- plain text; made from html if there is none
    class         text NOT NULL DEFAULT 'marketing',
    list          text,
    once          boolean NOT NULL DEFAULT false,
    on_missing_token text NOT NULL DEFAULT 'fail' CHECK (on_missing_token IN ('fail', 'empty', 'skip')),
    about         regclass,                  -- table whose columns the tokens name; checked when saved
    users         regrole[] NOT NULL DEFAULT '{}',
    UNIQUE (owner, name, variant)
);
