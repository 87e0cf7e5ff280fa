-- Names to ids, as conditions write them: new.tag_id = tag('vip').  NULL where there is no such name: a condition
-- does not hold then; unknown_names() tells of it.

CREATE FUNCTION tag(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT t.id FROM tag t WHERE t.name = tag.name);

CREATE FUNCTION list(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT l.id FROM mailing_list l WHERE l.name = list.name);

CREATE FUNCTION static_list(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT l.id FROM static_list l WHERE l.name = static_list.name);

CREATE FUNCTION form(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT f.id FROM form f WHERE f.name = form.name);

CREATE FUNCTION campaign(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT c.id FROM email_campaign c WHERE c.name = campaign.name);

CREATE FUNCTION label(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT l.id FROM label l WHERE l.name = label.name);

CREATE FUNCTION event_type(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT e.id FROM event_type e WHERE e.name = event_type.name);

CREATE FUNCTION conversion_type(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT c.id FROM conversion_type c WHERE c.name = conversion_type.name);

CREATE FUNCTION site_message(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT m.id FROM site_message m WHERE m.name = site_message.name);

CREATE FUNCTION store(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT s.id FROM store_connection s WHERE s.name = store.name);

CREATE FUNCTION product(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT p.id FROM product p WHERE p.name = product.name ORDER BY p.id LIMIT 1);

CREATE FUNCTION product_category(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT c.id FROM product_category c WHERE c.name = product_category.name);

CREATE FUNCTION team(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT t.id FROM team t WHERE t.name = team.name);

CREATE FUNCTION app_user(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT u.id FROM app_user u WHERE u.name = app_user.name ORDER BY u.id LIMIT 1);

CREATE FUNCTION pipeline(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT p.id FROM pipeline p WHERE p.name = pipeline.name);

CREATE FUNCTION stage(pipeline text, name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT s.id FROM pipeline_stage s JOIN pipeline p ON p.id = s.pipeline_id
        WHERE p.name = stage.pipeline AND s.name = stage.name);

CREATE FUNCTION first_open_status(pipeline_id bigint) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT s.id FROM pipeline_stage s
        WHERE s.pipeline_id = first_open_status.pipeline_id AND s.is_open ORDER BY s.position LIMIT 1);

-- For actions, which must not pass a misspelt name by: coalesce(list(name), no_such('mailing_list', name)).
CREATE FUNCTION no_such(kind text, name text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'undefined_object',
        MESSAGE = pg_catalog.format('there is no %s %s', pg_catalog.replace(kind, '_', ' '),
                                    CASE WHEN name IS NULL THEN 'without a name' ELSE pg_catalog.format('"%s"', name) END),
        HINT = pg_catalog.format('Correct the name, or make it: INSERT INTO %s (name) VALUES (%s).', kind, pg_catalog.quote_nullable(name));
END $$;
COMMENT ON FUNCTION no_such(text, text) IS
    'Raises the error that there is no record of that name; kind is a table with a column name, such as mailing_list';

CREATE FUNCTION unknown_names(workflow regproc) RETURNS TABLE (kind text, name text) LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT DISTINCT said.kind, said.name
    FROM pg_catalog.pg_proc p,
         regexp_matches(p.prosrc, '\m(tag|list|static_list|form|campaign|label|event_type|conversion_type|site_message|store|product|product_category|team|app_user|pipeline|stage)\s*\(\s*''((?:[^'']|'''')*)''\s*(?:,\s*''((?:[^'']|'''')*)''\s*)?\)', 'g') m,
         LATERAL (SELECT m[1] AS kind, replace(m[2], '''''', '''') AS name, replace(m[3], '''''', '''') AS stage) s,
         LATERAL (SELECT s.kind, CASE WHEN s.stage IS NULL THEN s.name ELSE s.name || ', ' || s.stage END AS name,
                         CASE s.kind
                             WHEN 'tag' THEN tag(s.name)
                             WHEN 'list' THEN list(s.name)
                             WHEN 'static_list' THEN static_list(s.name)
                             WHEN 'form' THEN form(s.name)
                             WHEN 'campaign' THEN campaign(s.name)
                             WHEN 'label' THEN label(s.name)
                             WHEN 'event_type' THEN event_type(s.name)
                             WHEN 'conversion_type' THEN conversion_type(s.name)
                             WHEN 'site_message' THEN site_message(s.name)
                             WHEN 'store' THEN store(s.name)
                             WHEN 'product' THEN product(s.name)
                             WHEN 'product_category' THEN product_category(s.name)
                             WHEN 'team' THEN team(s.name)
                             WHEN 'app_user' THEN app_user(s.name)
                             WHEN 'pipeline' THEN pipeline(s.name)
                             WHEN 'stage' THEN stage(s.name, s.stage)
                         END AS id) said
    WHERE p.oid = workflow AND said.id IS NULL
    ORDER BY 1, 2;
END;
COMMENT ON FUNCTION unknown_names(regproc) IS
    'Names that a workflow speaks of, as in tag(''vip''), and that are nobody''s: a condition with one holds for nothing. No row: all are known. '
    'To be asked when a workflow is made: SELECT * FROM unknown_names(''welcome'') (T13, T71, T72, T73)';

CREATE FUNCTION name_of(c contact) RETURNS text LANGUAGE sql STABLE
RETURN coalesce((c).name, (c).email, (c).phone, 'contact ' || (c).id);
COMMENT ON FUNCTION name_of(contact) IS
    'What to call a contact in texts for colleagues: the name, else the address, the number, or contact 7; NULL only for NULL';
