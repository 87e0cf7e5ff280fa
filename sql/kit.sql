-- The CRM (kit/), made in a schema of the caller's.

CREATE PROCEDURE automation.install_crm(schema text DEFAULT 'crm')
    LANGUAGE C AS 'MODULE_PATHNAME', 'wf_install_crm';
COMMENT ON PROCEDURE automation.install_crm(text) IS
    'Makes the tables, views and functions of a CRM in this schema, which is made too if it is not there; all of it belongs to the caller. '
    'Repeatable: what an earlier call made and what is there stays as it is, what is missing is made. '
    'Errors: 42710 names are taken by objects that install_crm() has not made (nothing is changed), '
    '42501 the schema is the system''s, an extension''s, somebody else''s, or everybody may create in it, 22023 no name of a schema';
