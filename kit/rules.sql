-- What follows from a write by itself, whoever writes: triggers of the tables.  They change columns of the
-- row that is written, or add rows of a history; nothing here reads much or locks another row.
-- What a statement says itself stands: a rule fills in what was left out.

-- A name

CREATE FUNCTION full_name(first_name text, last_name text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN nullif(concat_ws(' ', nullif(trim(first_name), ''), nullif(trim(last_name), '')), '');
COMMENT ON FUNCTION full_name(text, text) IS 'First and last name in one; NULL if there is neither';

CREATE FUNCTION contact_name() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.name IS NULL
       OR TG_OP = 'UPDATE' AND NEW.name = OLD.name AND OLD.name = full_name(OLD.first_name, OLD.last_name) THEN
        NEW.name := full_name(NEW.first_name, NEW.last_name);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION contact_name() IS
    'Trigger of contact: name is first and last name, and follows them, unless something else was written there; NULL brings that back';

CREATE TRIGGER contact_name BEFORE INSERT OR UPDATE OF first_name, last_name, name ON contact
    FOR EACH ROW EXECUTE FUNCTION contact_name();

-- Stages

CREATE FUNCTION check_pipeline_type(pipeline bigint, object_type text) RETURNS void LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    found_type text := (SELECT p.object_type FROM pipeline p WHERE p.id = check_pipeline_type.pipeline);
BEGIN
    IF found_type <> object_type THEN
        RAISE EXCEPTION 'pipeline "%" is for objects of type %, not %', (SELECT p.name FROM pipeline p WHERE p.id = check_pipeline_type.pipeline),
                found_type, object_type
            USING ERRCODE = 'check_violation', HINT = 'See object_type in table pipeline.';
    END IF;
END $$;
COMMENT ON FUNCTION check_pipeline_type(bigint, text) IS
    'Error 23514 if the pipeline is there and not for this type of object (deal, ticket, project, custom)';

CREATE FUNCTION stage_and_pipeline() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.stage_id IS DISTINCT FROM OLD.stage_id THEN
        -- if both were written the foreign key says whether they belong together
        IF NEW.stage_id IS NOT NULL AND NEW.pipeline_id IS NOT DISTINCT FROM OLD.pipeline_id THEN
            NEW.pipeline_id := (SELECT s.pipeline_id FROM pipeline_stage s WHERE s.id = NEW.stage_id);
        END IF;
    ELSIF NEW.pipeline_id IS DISTINCT FROM OLD.pipeline_id THEN
        NEW.stage_id := first_open_status(NEW.pipeline_id);
    END IF;
    IF NEW.pipeline_id IS DISTINCT FROM OLD.pipeline_id THEN
        PERFORM check_pipeline_type(NEW.pipeline_id, TG_ARGV[0]);
    END IF;
    IF NEW.stage_id IS DISTINCT FROM OLD.stage_id AND NEW.stage_entered_at IS NOT DISTINCT FROM OLD.stage_entered_at THEN
        NEW.stage_entered_at := CASE WHEN NEW.stage_id IS NOT NULL THEN automation.now() END;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION stage_and_pipeline() IS
    'Trigger of deal, project and custom_object_record: the pipeline follows the stage; a pipeline that is written without a stage means its first '
    'open stage; stage_entered_at is when the stage was entered. Error 23514: the pipeline is for another type of object';

-- The same of status_id, and what is closed.
CREATE FUNCTION ticket_status_and_pipeline() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.status_id IS DISTINCT FROM OLD.status_id THEN
        IF NEW.status_id IS NOT NULL AND NEW.pipeline_id IS NOT DISTINCT FROM OLD.pipeline_id THEN
            NEW.pipeline_id := (SELECT s.pipeline_id FROM pipeline_stage s WHERE s.id = NEW.status_id);
        END IF;
    ELSIF NEW.pipeline_id IS DISTINCT FROM OLD.pipeline_id THEN
        NEW.status_id := first_open_status(NEW.pipeline_id);
    END IF;
    IF NEW.pipeline_id IS DISTINCT FROM OLD.pipeline_id THEN
        PERFORM check_pipeline_type(NEW.pipeline_id, 'ticket');
    END IF;
    IF NEW.status_id IS DISTINCT FROM OLD.status_id THEN
        IF NEW.stage_entered_at IS NOT DISTINCT FROM OLD.stage_entered_at THEN
            NEW.stage_entered_at := CASE WHEN NEW.status_id IS NOT NULL THEN automation.now() END;
        END IF;
        IF NEW.closed_at IS NOT DISTINCT FROM OLD.closed_at THEN
            NEW.closed_at := CASE WHEN NOT (SELECT s.is_open FROM pipeline_stage s WHERE s.id = NEW.status_id)
                                  THEN coalesce(NEW.closed_at, automation.now()) END;
        END IF;
    END IF;
    IF OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL AND NEW.reopened_at IS NOT DISTINCT FROM OLD.reopened_at THEN
        NEW.reopened_at := automation.now();
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ticket_status_and_pipeline() IS
    'Trigger of ticket: as stage_and_pipeline(), with status_id for the stage; closed_at is when a status that is not open was entered, NULL in one that is; '
    'reopened_at is when closed_at was taken back';

CREATE TRIGGER stage_and_pipeline BEFORE INSERT OR UPDATE OF stage_id, pipeline_id ON deal
    FOR EACH ROW EXECUTE FUNCTION stage_and_pipeline('deal');
CREATE TRIGGER stage_and_pipeline BEFORE INSERT OR UPDATE OF stage_id, pipeline_id ON project
    FOR EACH ROW EXECUTE FUNCTION stage_and_pipeline('project');
CREATE TRIGGER stage_and_pipeline BEFORE INSERT OR UPDATE OF stage_id, pipeline_id ON custom_object_record
    FOR EACH ROW EXECUTE FUNCTION stage_and_pipeline('custom');
CREATE TRIGGER stage_and_pipeline BEFORE INSERT OR UPDATE OF status_id, pipeline_id, closed_at ON ticket
    FOR EACH ROW EXECUTE FUNCTION ticket_status_and_pipeline();

CREATE FUNCTION note_stage() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    CASE TG_ARGV[0]
        WHEN 'deal' THEN
            INSERT INTO stage_history (deal_id, from_stage_id, to_stage_id) VALUES (NEW.id, OLD.stage_id, NEW.stage_id);
        WHEN 'ticket' THEN
            INSERT INTO stage_history (ticket_id, from_stage_id, to_stage_id) VALUES (NEW.id, OLD.status_id, NEW.status_id);
        WHEN 'project' THEN
            INSERT INTO stage_history (project_id, from_stage_id, to_stage_id) VALUES (NEW.id, OLD.stage_id, NEW.stage_id);
        WHEN 'custom' THEN
            INSERT INTO stage_history (record_id, from_stage_id, to_stage_id) VALUES (NEW.id, OLD.stage_id, NEW.stage_id);
    END CASE;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION note_stage() IS
    'Trigger of deal, ticket, project and custom_object_record: a row of stage_history for each move between stages. Who moves them needs INSERT on it';

CREATE TRIGGER note_first_stage AFTER INSERT ON deal
    FOR EACH ROW WHEN (NEW.stage_id IS NOT NULL) EXECUTE FUNCTION note_stage('deal');
CREATE TRIGGER note_stage AFTER UPDATE OF stage_id, pipeline_id ON deal
    FOR EACH ROW WHEN (OLD.stage_id IS DISTINCT FROM NEW.stage_id) EXECUTE FUNCTION note_stage('deal');
CREATE TRIGGER note_first_stage AFTER INSERT ON ticket
    FOR EACH ROW WHEN (NEW.status_id IS NOT NULL) EXECUTE FUNCTION note_stage('ticket');
CREATE TRIGGER note_stage AFTER UPDATE OF status_id, pipeline_id ON ticket
    FOR EACH ROW WHEN (OLD.status_id IS DISTINCT FROM NEW.status_id) EXECUTE FUNCTION note_stage('ticket');
CREATE TRIGGER note_first_stage AFTER INSERT ON project
    FOR EACH ROW WHEN (NEW.stage_id IS NOT NULL) EXECUTE FUNCTION note_stage('project');
CREATE TRIGGER note_stage AFTER UPDATE OF stage_id, pipeline_id ON project
    FOR EACH ROW WHEN (OLD.stage_id IS DISTINCT FROM NEW.stage_id) EXECUTE FUNCTION note_stage('project');
CREATE TRIGGER note_first_stage AFTER INSERT ON custom_object_record
    FOR EACH ROW WHEN (NEW.stage_id IS NOT NULL) EXECUTE FUNCTION note_stage('custom');
CREATE TRIGGER note_stage AFTER UPDATE OF stage_id, pipeline_id ON custom_object_record
    FOR EACH ROW WHEN (OLD.stage_id IS DISTINCT FROM NEW.stage_id) EXECUTE FUNCTION note_stage('custom');

-- When something was done

CREATE FUNCTION deal_closed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.closed_at IS NOT DISTINCT FROM OLD.closed_at THEN
        NEW.closed_at := CASE WHEN NEW.status <> 'open' THEN automation.now() END;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION deal_closed() IS 'Trigger of deal: closed_at is when it was won or lost, NULL while it is open';
CREATE TRIGGER deal_closed_at_once BEFORE INSERT ON deal
    FOR EACH ROW WHEN (NEW.status <> 'open') EXECUTE FUNCTION deal_closed();
CREATE TRIGGER deal_closed BEFORE UPDATE OF status ON deal
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION deal_closed();

CREATE FUNCTION activity_completed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.completed_at IS NOT DISTINCT FROM OLD.completed_at THEN
        NEW.completed_at := CASE WHEN NEW.status = 'done' THEN automation.now() END;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION activity_completed() IS 'Trigger of activity: completed_at is when it was done, NULL while it is open';
CREATE TRIGGER activity_completed_at_once BEFORE INSERT ON activity
    FOR EACH ROW WHEN (NEW.status = 'done') EXECUTE FUNCTION activity_completed();
CREATE TRIGGER activity_completed BEFORE UPDATE OF status ON activity
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION activity_completed();

CREATE FUNCTION approval_decided() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.decided_at IS NOT DISTINCT FROM OLD.decided_at THEN
        NEW.decided_at := CASE WHEN NEW.status <> 'pending' THEN automation.now() END;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION approval_decided() IS 'Trigger of approval: decided_at is when it was approved or refused, NULL while it is pending';
CREATE TRIGGER approval_decided BEFORE UPDATE OF status ON approval
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION approval_decided();

-- A form is confirmed at once, unless it asks for a confirmation; then it does its actions, once.

CREATE FUNCTION form_confirmed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT (SELECT f.double_opt_in FROM form f WHERE f.id = NEW.form_id) THEN
        NEW.confirmed_at := NEW.submitted_at;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION form_confirmed() IS 'Trigger of form_submission: confirmed_at is submitted_at, unless the form has double_opt_in (S14)';
CREATE TRIGGER form_confirmed BEFORE INSERT ON form_submission
    FOR EACH ROW WHEN (NEW.confirmed_at IS NULL) EXECUTE FUNCTION form_confirmed();

CREATE FUNCTION form_asks() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO list_subscription (contact_id, list_id, status, source, subscribed_at)
    SELECT NEW.contact_id, a.list_id, 'unconfirmed', 'form', NEW.submitted_at
    FROM form_action a WHERE a.form_id = NEW.form_id AND a.list_id IS NOT NULL ORDER BY a.list_id
    ON CONFLICT (contact_id, list_id) DO NOTHING;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION form_asks() IS
    'Trigger of form_submission: while a submission waits for its confirmation the contact is unconfirmed on the lists of form_action; '
    'who is on them, or was, stays as he is (S13)';

CREATE FUNCTION form_does() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    asked_for boolean := (SELECT f.double_opt_in FROM form f WHERE f.id = NEW.form_id);
BEGIN
    INSERT INTO contact_tag (contact_id, tag_id, source)
    SELECT NEW.contact_id, a.tag_id, 'form'
    FROM form_action a WHERE a.form_id = NEW.form_id AND a.tag_id IS NOT NULL ORDER BY a.tag_id
    ON CONFLICT (contact_id, tag_id) WHERE removed_at IS NULL DO NOTHING;

    INSERT INTO list_subscription AS s (contact_id, list_id, status, source, subscribed_at, confirmed_at)
    SELECT NEW.contact_id, l.id, CASE WHEN l.double_opt_in AND NOT asked_for THEN 'unconfirmed' ELSE 'active' END::subscription_status,
           'form', NEW.submitted_at, CASE WHEN asked_for THEN NEW.confirmed_at END
    FROM form_action a JOIN mailing_list l ON l.id = a.list_id WHERE a.form_id = NEW.form_id ORDER BY l.id
    ON CONFLICT (contact_id, list_id) DO UPDATE
    SET status = excluded.status, confirmed_at = coalesce(excluded.confirmed_at, s.confirmed_at),
        subscribed_at = excluded.subscribed_at, unsubscribed_at = NULL, unsubscribe_source = NULL
    WHERE s.status = 'unsubscribed' OR s.status = 'unconfirmed' AND excluded.status = 'active';
    RETURN NULL;
END $$;
COMMENT ON FUNCTION form_does() IS
    'Trigger of form_submission: what form_action says, once, when it is confirmed and its contact is known. Tags are put on, lists joined; '
    'who had unsubscribed from one and submits the form joins again; a list with double_opt_in waits for its own confirmation, '
    'unless the form asked for one (S13 S14 S15)';

CREATE TRIGGER form_asks AFTER INSERT ON form_submission
    FOR EACH ROW WHEN (NEW.confirmed_at IS NULL AND NEW.contact_id IS NOT NULL) EXECUTE FUNCTION form_asks();
CREATE TRIGGER form_does AFTER INSERT ON form_submission
    FOR EACH ROW WHEN (NEW.confirmed_at IS NOT NULL AND NEW.contact_id IS NOT NULL) EXECUTE FUNCTION form_does();
CREATE TRIGGER form_does_later AFTER UPDATE OF confirmed_at, contact_id ON form_submission
    FOR EACH ROW WHEN ((OLD.confirmed_at IS NULL OR OLD.contact_id IS NULL)
                       AND NEW.confirmed_at IS NOT NULL AND NEW.contact_id IS NOT NULL) EXECUTE FUNCTION form_does();

-- When a row was changed: not by a write that changes nothing

CREATE FUNCTION updated_now() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := automation.now();
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION updated_now() IS 'Trigger of records: updated_at is when something of the row was changed; the same written again is no change';

CREATE TRIGGER updated_now BEFORE UPDATE ON app_user FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON account FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON contact FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON deal FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON ticket FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON project FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON quote FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON custom_object_record FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON activity FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON cart FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
CREATE TRIGGER updated_now BEFORE UPDATE ON sales_order FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION updated_now();
