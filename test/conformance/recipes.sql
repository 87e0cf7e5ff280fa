-- What the cases of recipes ask: included by e1_recipes.sql and e2_recipes.sql.

-- Mails of a workflow: template > recipient, in the order of the letters.
CREATE FUNCTION mails(workflow text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(d.family || ' > ' || d.target ORDER BY d.family || ' > ' || d.target), '{}') FROM automation.deliveries d
    WHERE d.workflow = $1 AND d.kind = 'mail' AND d.state IN ('queued', 'sent');
$$;
-- Text messages of a workflow: the numbers.
CREATE FUNCTION texts(workflow text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(d.address ORDER BY d.id), '{}') FROM automation.deliveries d WHERE d.workflow = $1 AND d.channel = 'sms';
$$;
-- What a user, or a team, was told.
CREATE FUNCTION told(who bigint) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(n.body ORDER BY n.id), '{}') FROM crm.notification n WHERE n.user_id = $1 AND n.channel = 'center';
$$;
CREATE FUNCTION told(who text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(n.body ORDER BY n.id), '{}') FROM crm.notification n JOIN crm.team t ON t.id = n.team_id WHERE t.name = $1 AND n.channel = 'center';
$$;
CREATE FUNCTION tasks(deal bigint) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(a.type || ': ' || a.title || coalesce(' / ' || u.name, '') ORDER BY a.id), '{}')
    FROM crm.activity a LEFT JOIN crm.app_user u ON u.id = a.assignee_id WHERE a.deal_id = $1;
$$;
CREATE FUNCTION score(contact bigint) RETURNS int LANGUAGE sql STABLE AS $$ SELECT c.score FROM crm.contact c WHERE c.id = $1 $$;
CREATE FUNCTION tagged(contact bigint, tag text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT crm.has_tag(c, $2) FROM crm.contact c WHERE c.id = $1 $$;
-- Between recipes: what was sent has arrived, what was told is read.
CREATE PROCEDURE next_recipe() LANGUAGE sql AS $$
    SELECT automation.settle(d.id, 'sent') FROM automation.deliveries d WHERE d.state = 'queued';
    DELETE FROM crm.notification;
$$;
