-- What pipelines do by themselves: the status of a ticket follows the mails about it.
-- It is a trigger on the mails, not a workflow: so it is there with the tables, whoever owns them, holds in
-- the transaction that records the mail, and what it can't be switched off for is not switched off by a pause.
-- Which status, and whether at all, is a row of ticket_pipeline_setting for each pipeline.

-- What a mail makes of a ticket's status; NULL: nothing.  In plpgsql, since it keeps the plan, as in what follows.
CREATE FUNCTION status_after(t ticket, m email_message) RETURNS bigint LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN CASE
        -- a forwarded mail and what answers one, an answer by way of a mailbox of one's own
        WHEN m.is_forward OR EXISTS (SELECT FROM email_message o WHERE o.id = m.in_reply_to AND o.is_forward) THEN NULL
        WHEN m.in_reply_to IS NOT NULL AND m.sent_via = 'personal_mailbox' THEN NULL
        -- chats have threads, too
        WHEN EXISTS (SELECT FROM conversation_thread h WHERE h.id = m.thread_id AND h.channel <> 'email') THEN NULL
        -- somebody of ours writes to a contact, from the ticket
        WHEN m.direction = 'out' AND m.sent_from = 'ticket' AND m.ticket_id = t.id AND m.contact_id IS NOT NULL AND m.class <> 'internal' THEN
            (SELECT s.on_sent_status_id FROM ticket_pipeline_setting s WHERE s.pipeline_id = t.pipeline_id AND s.on_sent_enabled)
        -- a contact answers, in a thread of the ticket
        WHEN m.direction = 'in' AND m.in_reply_to IS NOT NULL
             AND EXISTS (SELECT FROM conversation_thread h WHERE h.id = m.thread_id AND h.ticket_id = t.id) THEN
            CASE
                WHEN EXISTS (SELECT FROM pipeline_stage g WHERE g.id = t.status_id AND NOT g.is_open) THEN first_open_status(t.pipeline_id)
                WHEN EXISTS (SELECT FROM conversation_thread h
                             WHERE h.id = m.thread_id AND (h.is_creating_thread OR h.created_at >= t.reopened_at)) THEN
                    (SELECT s.on_reply_status_id FROM ticket_pipeline_setting s WHERE s.pipeline_id = t.pipeline_id AND s.on_reply_enabled)
            END
    END;
END $$;
COMMENT ON FUNCTION status_after(ticket, email_message) IS
'the status that a mail gives to a ticket; NULL if it gives none. Out, sent from the ticket to a contact: on_sent_status_id of the pipeline''s row in ticket_pipeline_setting, if that is enabled. In, an answer in the thread the ticket was made from, or in one that began after the ticket was reopened: on_reply_status_id, if enabled. In, an answer in any thread of a ticket that is closed: the first open status of its pipeline, whatever the settings. Never: forwarded mails, answers to them, other mails of a contact, answers sent through a user''s own mailbox, chats (T159, T160, T161, T162, T163, T164)';

CREATE FUNCTION move_ticket(m email_message) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    its bigint := CASE m.direction WHEN 'out' THEN m.ticket_id
                  ELSE (SELECT h.ticket_id FROM conversation_thread h WHERE h.id = m.thread_id) END;
    moved bigint;
BEGIN
    UPDATE ticket t SET status_id = status_after(t, m)
    WHERE t.id = its AND t.deleted_at IS NULL
      AND coalesce(status_after(t, m), t.status_id) IS DISTINCT FROM t.status_id
    RETURNING t.id INTO moved;
    RETURN moved;
END $$;
COMMENT ON FUNCTION move_ticket(email_message) IS
'gives a mail''s ticket the status that status_after() says; the id of the ticket if it moved. A new mail does that by itself; this is for one that was put into its thread later (T159, T160)';

CREATE FUNCTION email_message_moves_ticket() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF default_source() <> 'import' THEN
        PERFORM move_ticket(NEW);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION email_message_moves_ticket() IS
'trigger of email_message: the ticket''s status follows a mail, but for mails that are imported (SET crm.source = ''import''). Who records mails needs UPDATE on ticket. ALTER TABLE email_message DISABLE TRIGGER ticket_status switches all of it off';

CREATE TRIGGER ticket_status AFTER INSERT ON email_message FOR EACH ROW
    WHEN (NOT NEW.is_forward AND (NEW.direction = 'out' AND NEW.sent_from = 'ticket'
                                  OR NEW.direction = 'in' AND NEW.in_reply_to IS NOT NULL AND NEW.thread_id IS NOT NULL))
    EXECUTE FUNCTION email_message_moves_ticket();

-- A custom object has stages if its type says so, and those of a pipeline that is not another type's.
CREATE FUNCTION custom_object_record_has_pipeline() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    of_type custom_object_type := (SELECT k FROM custom_object_type k WHERE k.name = NEW.type);
    other text := (SELECT p.name FROM pipeline p
                   WHERE p.id IN (NEW.pipeline_id, (SELECT s.pipeline_id FROM pipeline_stage s WHERE s.id = NEW.stage_id))
                         AND p.custom_object_type_id <> of_type.id LIMIT 1);
BEGIN
    IF NOT of_type.has_pipeline THEN
        RAISE EXCEPTION 'custom object "%" has no pipeline', NEW.type
            USING ERRCODE = 'check_violation', HINT = 'Set has_pipeline of its row in custom_object_type, or leave stage_id out.';
    ELSIF other IS NOT NULL THEN
        RAISE EXCEPTION 'pipeline "%" is not for the custom object "%"', other, NEW.type
            USING ERRCODE = 'check_violation', HINT = 'See custom_object_type_id of its row in pipeline.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION custom_object_record_has_pipeline() IS
'trigger of custom_object_record: error 23514 for a stage if the type has no pipeline, or the pipeline is another type''s (T157, S50)';

CREATE TRIGGER has_pipeline BEFORE INSERT OR UPDATE OF type, pipeline_id, stage_id ON custom_object_record FOR EACH ROW
    WHEN (NEW.stage_id IS NOT NULL OR NEW.pipeline_id IS NOT NULL)
    EXECUTE FUNCTION custom_object_record_has_pipeline();

CREATE FUNCTION add_pipeline(name text, stages text[], object_type text DEFAULT 'deal', closed text[] DEFAULT '{}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH p AS (
        INSERT INTO pipeline (name, object_type) VALUES (add_pipeline.name, add_pipeline.object_type) RETURNING id
    ), s AS (
        INSERT INTO pipeline_stage (pipeline_id, name, position, is_open)
        SELECT p.id, u.name, u.n, u.name <> ALL (closed) FROM p, unnest(stages) WITH ORDINALITY u (name, n)
    )
    SELECT id FROM p;
END;
COMMENT ON FUNCTION add_pipeline(text, text[], text, text[]) IS
'makes a pipeline with its stages (statuses, for tickets) in this order and returns its id; object_type is deal, ticket, project or custom; records in stages named in closed are closed. Errors: 23505 there is a pipeline of that name (T155, T158)';

CREATE FUNCTION add_stages(pipeline text, stages text[], object_type text DEFAULT 'deal', closed text[] DEFAULT '{}') RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH found AS (
        SELECT p.id FROM pipeline p WHERE p.name = add_stages.pipeline AND p.object_type = add_stages.object_type
    ), made AS (
        INSERT INTO pipeline (name, object_type) SELECT add_stages.pipeline, add_stages.object_type WHERE NOT EXISTS (SELECT FROM found) RETURNING id
    ), p AS (
        SELECT id FROM found UNION ALL SELECT id FROM made
    ), s AS (
        INSERT INTO pipeline_stage (pipeline_id, name, position, is_open)
        SELECT p.id, u.name, u.n + coalesce((SELECT max(o.position) FROM pipeline_stage o WHERE o.pipeline_id = p.id), 0), u.name <> ALL (closed)
        FROM p, unnest(stages) WITH ORDINALITY u (name, n)
        WHERE NOT EXISTS (SELECT FROM pipeline_stage o WHERE o.pipeline_id = p.id AND o.name = u.name)
    )
    SELECT id FROM p;
END;
COMMENT ON FUNCTION add_stages(text, text[], text, text[]) IS
'sees to it that a pipeline has these stages, and returns its id: those that are missing come behind those that are there, which stay as they are; a pipeline that is missing is made. Arguments as those of add_pipeline(). Errors: 23505 the pipeline of that name is for another type of record (T155, T158)';
