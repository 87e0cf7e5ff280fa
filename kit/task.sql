-- Tasks and other activities of a record: given to whom, completed.

-- Who may be given work of a pipeline

CREATE FUNCTION may_work_on(pipeline_id bigint, user_id bigint) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pipeline_permission p WHERE p.pipeline_id = may_work_on.pipeline_id AND p.user_id = may_work_on.user_id)
       OR NOT EXISTS (SELECT FROM pipeline_permission p WHERE p.pipeline_id = may_work_on.pipeline_id);
COMMENT ON FUNCTION may_work_on(bigint, bigint) IS
    'Whether a user may be given work of the pipeline: pipeline_permission names him, or names nobody for it (S76)';

-- The user, if he may; the error says who he is.
CREATE FUNCTION may_be_given(user_id bigint, pipeline_id bigint) RETURNS bigint LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF may_be_given.user_id IS NOT NULL AND NOT may_work_on(may_be_given.pipeline_id, may_be_given.user_id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('%s may not be given work of pipeline "%s"',
                             coalesce((SELECT u.name FROM app_user u WHERE u.id = may_be_given.user_id), 'user ' || may_be_given.user_id),
                             (SELECT p.name FROM pipeline p WHERE p.id = may_be_given.pipeline_id)),
            HINT = 'Choose somebody else, or INSERT INTO pipeline_permission (pipeline_id, user_id) ....';
    END IF;
    RETURN may_be_given.user_id;
END $$;
COMMENT ON FUNCTION may_be_given(bigint, bigint) IS
    'The user, if he may be given work of the pipeline, or the record is in none; an error if not. NULL stays NULL (S76)';

-- Who is meant by a word: assignee => 'account owner'

CREATE FUNCTION user_named(name text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN coalesce(app_user(user_named.name), no_such('app_user', user_named.name));
COMMENT ON FUNCTION user_named(text) IS 'Id of the user of that name; an error if there is none; NULL: nobody';

CREATE FUNCTION assignee(d deal, who text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE who WHEN 'owner' THEN (d).owner_id
                 WHEN 'creator' THEN (d).creator_id
                 WHEN 'account owner' THEN account_owner(d)
                 WHEN 'contact owner' THEN (SELECT c.owner_id FROM contact c WHERE c.id = primary_contact(d))
                 ELSE user_named(who) END;
COMMENT ON FUNCTION assignee(deal, text) IS
    'Who is meant: ''owner'' of the deal, its ''creator'', ''contact owner'', that of its primary contact, ''account owner'', that of the account of its primary contact, or a user by his name. NULL where there is no such owner, or for NULL; an error where there is no user of that name (A77 A78)';

CREATE FUNCTION assignee(c contact, who text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE who WHEN 'owner' THEN (c).owner_id
                 WHEN 'account owner' THEN account_owner(c)
                 ELSE user_named(who) END;
COMMENT ON FUNCTION assignee(contact, text) IS
    'Who is meant: ''owner'' of the contact, ''account owner'', that of his account, or a user by his name; as assignee(deal, text)';

CREATE FUNCTION assignee(a account, who text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE who WHEN 'owner' THEN (a).owner_id
                 ELSE user_named(who) END;
COMMENT ON FUNCTION assignee(account, text) IS
    'Who is meant: ''owner'' of the account, or a user by his name; as assignee(deal, text)';

CREATE FUNCTION assignee(t ticket, who text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE who WHEN 'owner' THEN (t).owner_id
                 WHEN 'account owner' THEN (SELECT a.owner_id FROM account a WHERE a.id = account_of(t))
                 ELSE user_named(who) END;
COMMENT ON FUNCTION assignee(ticket, text) IS
    'Who is meant: ''owner'' of the ticket, ''account owner'', or a user by his name; as assignee(deal, text)';

CREATE FUNCTION assignee(p project, who text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE who WHEN 'owner' THEN (p).owner_id
                 WHEN 'account owner' THEN (SELECT a.owner_id FROM account a WHERE a.id = account_of(p))
                 WHEN 'deal owner' THEN (SELECT d.owner_id FROM deal d WHERE d.id = (p).deal_id)
                 ELSE user_named(who) END;
COMMENT ON FUNCTION assignee(project, text) IS
    'Who is meant: ''owner'' of the project, ''deal owner'', ''account owner'', or a user by his name; as assignee(deal, text)';

CREATE FUNCTION assignee(r custom_object_record, who text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE who WHEN 'owner' THEN (r).owner_id
                 ELSE user_named(who) END;
COMMENT ON FUNCTION assignee(custom_object_record, text) IS
    'Who is meant: ''owner'' of the record, or a user by his name; as assignee(deal, text)';

-- A task of a record

CREATE FUNCTION add_task(d deal, title text, due timestamptz, assignee bigint,
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, deal_id, source)
    SELECT add_task.type, add_task.title, due, due - remind, may_be_given(add_task.assignee, (d).pipeline_id), (d).id, 'automation'
    WHERE (d).id IS NOT NULL RETURNING id;
END;
CREATE FUNCTION add_task(d deal, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT add_task(d, add_task.title, due, assignee(d, add_task.assignee), remind, add_task.type);
END;
COMMENT ON FUNCTION add_task(deal, text, timestamptz, bigint, interval, text) IS
    'Makes a task, or an activity of another type such as call, of the deal: due then, with a reminder so long before, of this user, or of nobody if NULL. '
    'Returns its id. A user who may not be given work of the deal''s pipeline: an error (A77 S76)';
COMMENT ON FUNCTION add_task(deal, text, timestamptz, text, interval, text) IS
    'Makes a task of the deal, of the assignee meant by a word: owner, which is the default, creator, contact owner, account owner, or a user''s name; '
    'where there is no such owner, and for NULL, it is nobody''s. As add_task(deal, text, timestamptz, bigint, ...) (A77 A78 S76)';

CREATE FUNCTION add_task(c contact, title text, due timestamptz, assignee bigint,
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, contact_id, source)
    SELECT add_task.type, add_task.title, due, due - remind, add_task.assignee, (c).id, 'automation'
    WHERE (c).id IS NOT NULL RETURNING id;
END;
CREATE FUNCTION add_task(c contact, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT add_task(c, add_task.title, due, assignee(c, add_task.assignee), remind, add_task.type);
END;
COMMENT ON FUNCTION add_task(contact, text, timestamptz, bigint, interval, text) IS 'Makes a task of the contact; as add_task(deal, ...) (A94)';
COMMENT ON FUNCTION add_task(contact, text, timestamptz, text, interval, text) IS 'Makes a task of the contact; as add_task(deal, ...) (A94)';

CREATE FUNCTION add_task(a account, title text, due timestamptz, assignee bigint,
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, account_id, source)
    SELECT add_task.type, add_task.title, due, due - remind, add_task.assignee, (a).id, 'automation'
    WHERE (a).id IS NOT NULL RETURNING id;
END;
CREATE FUNCTION add_task(a account, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT add_task(a, add_task.title, due, assignee(a, add_task.assignee), remind, add_task.type);
END;
COMMENT ON FUNCTION add_task(account, text, timestamptz, bigint, interval, text) IS 'Makes a task of the account; as add_task(deal, ...) (A94)';
COMMENT ON FUNCTION add_task(account, text, timestamptz, text, interval, text) IS 'Makes a task of the account; as add_task(deal, ...) (A94)';

CREATE FUNCTION add_task(t ticket, title text, due timestamptz, assignee bigint,
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, ticket_id, source)
    SELECT add_task.type, add_task.title, due, due - remind, may_be_given(add_task.assignee, (t).pipeline_id), (t).id, 'automation'
    WHERE (t).id IS NOT NULL RETURNING id;
END;
CREATE FUNCTION add_task(t ticket, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT add_task(t, add_task.title, due, assignee(t, add_task.assignee), remind, add_task.type);
END;
COMMENT ON FUNCTION add_task(ticket, text, timestamptz, bigint, interval, text) IS 'Makes a task of the ticket; as add_task(deal, ...) (A94 A109)';
COMMENT ON FUNCTION add_task(ticket, text, timestamptz, text, interval, text) IS 'Makes a task of the ticket; as add_task(deal, ...) (A94 A109)';

CREATE FUNCTION add_task(p project, title text, due timestamptz, assignee bigint,
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, project_id, source)
    SELECT add_task.type, add_task.title, due, due - remind, may_be_given(add_task.assignee, (p).pipeline_id), (p).id, 'automation'
    WHERE (p).id IS NOT NULL RETURNING id;
END;
CREATE FUNCTION add_task(p project, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT add_task(p, add_task.title, due, assignee(p, add_task.assignee), remind, add_task.type);
END;
COMMENT ON FUNCTION add_task(project, text, timestamptz, bigint, interval, text) IS 'Makes a task of the project; as add_task(deal, ...) (A94 A110)';
COMMENT ON FUNCTION add_task(project, text, timestamptz, text, interval, text) IS 'Makes a task of the project; as add_task(deal, ...) (A94 A110)';

CREATE FUNCTION add_task(r custom_object_record, title text, due timestamptz, assignee bigint,
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO activity (type, title, due_at, reminder_at, assignee_id, record_id, source)
    SELECT add_task.type, add_task.title, due, due - remind, may_be_given(add_task.assignee, (r).pipeline_id), (r).id, 'automation'
    WHERE (r).id IS NOT NULL RETURNING id;
END;
CREATE FUNCTION add_task(r custom_object_record, title text, due timestamptz DEFAULT NULL, assignee text DEFAULT 'owner',
                         remind interval DEFAULT '1 hour', type text DEFAULT 'task') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT add_task(r, add_task.title, due, assignee(r, add_task.assignee), remind, add_task.type);
END;
COMMENT ON FUNCTION add_task(custom_object_record, text, timestamptz, bigint, interval, text) IS 'Makes a task of the custom object record; as add_task(deal, ...) (A94)';
COMMENT ON FUNCTION add_task(custom_object_record, text, timestamptz, text, interval, text) IS 'Makes a task of the custom object record; as add_task(deal, ...) (A94)';

-- Done

CREATE FUNCTION complete_task(a activity, outcome text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE activity SET status = 'done', completed_at = automation.now(), outcome = coalesce(complete_task.outcome, activity.outcome)
    WHERE id = (a).id AND activity.status <> 'done';
END;
COMMENT ON FUNCTION complete_task(activity, text) IS
    'Marks the task done, now, with what came of it. One that is done stays as it is: nothing fires (A80)';

CREATE FUNCTION complete_task(d deal, title text DEFAULT NULL, outcome text DEFAULT NULL, type text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH done AS (
        UPDATE activity SET status = 'done', completed_at = automation.now(), outcome = coalesce(complete_task.outcome, activity.outcome)
        WHERE id IN (SELECT o.id FROM activity o
                     WHERE o.deal_id = (d).id AND o.status <> 'done' AND o.deleted_at IS NULL
                       AND (complete_task.title IS NULL OR o.title LIKE complete_task.title) AND (complete_task.type IS NULL OR o.type = complete_task.type)
                     ORDER BY o.id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM done;
END;
COMMENT ON FUNCTION complete_task(deal, text, text, text) IS
    'Marks the open tasks of the deal done, now, with what came of them: those with a title LIKE this, of that type, or all; returns how many (A80)';

CREATE FUNCTION complete_task(c contact, title text DEFAULT NULL, outcome text DEFAULT NULL, type text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH done AS (
        UPDATE activity SET status = 'done', completed_at = automation.now(), outcome = coalesce(complete_task.outcome, activity.outcome)
        WHERE id IN (SELECT o.id FROM activity o
                     WHERE o.contact_id = (c).id AND o.status <> 'done' AND o.deleted_at IS NULL
                       AND (complete_task.title IS NULL OR o.title LIKE complete_task.title) AND (complete_task.type IS NULL OR o.type = complete_task.type)
                     ORDER BY o.id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM done;
END;
COMMENT ON FUNCTION complete_task(contact, text, text, text) IS 'Marks open tasks of the contact done; as complete_task(deal, ...) (A80)';

CREATE FUNCTION complete_task(a account, title text DEFAULT NULL, outcome text DEFAULT NULL, type text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH done AS (
        UPDATE activity SET status = 'done', completed_at = automation.now(), outcome = coalesce(complete_task.outcome, activity.outcome)
        WHERE id IN (SELECT o.id FROM activity o
                     WHERE o.account_id = (a).id AND o.status <> 'done' AND o.deleted_at IS NULL
                       AND (complete_task.title IS NULL OR o.title LIKE complete_task.title) AND (complete_task.type IS NULL OR o.type = complete_task.type)
                     ORDER BY o.id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM done;
END;
COMMENT ON FUNCTION complete_task(account, text, text, text) IS 'Marks open tasks of the account done; as complete_task(deal, ...) (A80)';

CREATE FUNCTION complete_task(t ticket, title text DEFAULT NULL, outcome text DEFAULT NULL, type text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH done AS (
        UPDATE activity SET status = 'done', completed_at = automation.now(), outcome = coalesce(complete_task.outcome, activity.outcome)
        WHERE id IN (SELECT o.id FROM activity o
                     WHERE o.ticket_id = (t).id AND o.status <> 'done' AND o.deleted_at IS NULL
                       AND (complete_task.title IS NULL OR o.title LIKE complete_task.title) AND (complete_task.type IS NULL OR o.type = complete_task.type)
                     ORDER BY o.id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM done;
END;
COMMENT ON FUNCTION complete_task(ticket, text, text, text) IS 'Marks open tasks of the ticket done; as complete_task(deal, ...) (A80)';

CREATE FUNCTION complete_task(p project, title text DEFAULT NULL, outcome text DEFAULT NULL, type text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH done AS (
        UPDATE activity SET status = 'done', completed_at = automation.now(), outcome = coalesce(complete_task.outcome, activity.outcome)
        WHERE id IN (SELECT o.id FROM activity o
                     WHERE o.project_id = (p).id AND o.status <> 'done' AND o.deleted_at IS NULL
                       AND (complete_task.title IS NULL OR o.title LIKE complete_task.title) AND (complete_task.type IS NULL OR o.type = complete_task.type)
                     ORDER BY o.id FOR NO KEY UPDATE)
        RETURNING id)
    SELECT count(*) FROM done;
END;
COMMENT ON FUNCTION complete_task(project, text, text, text) IS 'Marks open tasks of the project done; as complete_task(deal, ...) (A80)';
