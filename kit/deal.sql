-- Deals: made, moved, changed; their products and labels.  Projects, tickets and records of custom
-- objects move through their pipelines in the same way.

-- Stages by name

-- The error says which there are.
CREATE FUNCTION no_stage(pipeline_id bigint, name text) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF no_stage.pipeline_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = 'the record is in no pipeline',
            HINT = 'Name a pipeline, too.';
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'undefined_object',
        MESSAGE = format('pipeline "%s" has no stage %s', (SELECT p.name FROM pipeline p WHERE p.id = no_stage.pipeline_id),
                         coalesce('"' || no_stage.name || '"', 'at all')),
        HINT = coalesce((SELECT 'Its stages are: ' || string_agg(s.name, ', ' ORDER BY s.position) || '.'
                         FROM pipeline_stage s WHERE s.pipeline_id = no_stage.pipeline_id),
                        'Make some: INSERT INTO pipeline_stage (pipeline_id, name, position) ....');
END $$;
COMMENT ON FUNCTION no_stage(bigint, text) IS 'Raises the error that the pipeline has no stage of that name; the hint names those it has';

CREATE FUNCTION known_pipeline(name text, object_type text) RETURNS bigint LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    found bigint := (SELECT p.id FROM pipeline p WHERE p.name = known_pipeline.name AND p.object_type = known_pipeline.object_type);
BEGIN
    IF found IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = format('there is no pipeline %s of %ss', coalesce('"' || known_pipeline.name || '"', 'without a name'), known_pipeline.object_type),
            HINT = coalesce((SELECT 'There are: ' || string_agg(p.name, ', ' ORDER BY p.name) || '.'
                             FROM pipeline p WHERE p.object_type = known_pipeline.object_type),
                            'Make one: INSERT INTO pipeline (object_type, name) ....');
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION known_pipeline(text, text) IS
    'Id of a pipeline by its name and what goes through it: deal, ticket, project or custom; an error if there is none, and the hint names those there are';

CREATE FUNCTION known_stage(pipeline_id bigint, name text) RETURNS bigint LANGUAGE sql STABLE
RETURN coalesce((SELECT s.id FROM pipeline_stage s
                 WHERE s.pipeline_id = known_stage.pipeline_id AND (s.name = known_stage.name OR known_stage.name IS NULL)
                 ORDER BY s.position LIMIT 1),
                no_stage(known_stage.pipeline_id, known_stage.name));
COMMENT ON FUNCTION known_stage(bigint, text) IS
    'Id of a stage of the pipeline by its name, NULL is the first one; an error if there is none, and the hint names those there are';

-- Moves

CREATE FUNCTION move_to_stage(d deal, stage text, pipeline text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET pipeline_id = t.pipeline_id, stage_id = t.stage_id
    FROM (SELECT p.id AS pipeline_id, known_stage(p.id, move_to_stage.stage) AS stage_id
          FROM (SELECT CASE WHEN move_to_stage.pipeline IS NULL THEN (d).pipeline_id
                            ELSE known_pipeline(move_to_stage.pipeline, 'deal') END) p (id)
          WHERE (d).id IS NOT NULL) t
    WHERE deal.id = (d).id AND deal.stage_id IS DISTINCT FROM t.stage_id;
END;
COMMENT ON FUNCTION move_to_stage(deal, text, text) IS
    'Moves the deal to a stage of its pipeline, or of another one; NULL is the first stage. Where it is already: nothing happens. '
    'No such stage or pipeline: an error, and the hint names those there are (A72)';

CREATE FUNCTION move_to_stage(p project, stage text, pipeline text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE project SET pipeline_id = t.pipeline_id, stage_id = t.stage_id
    FROM (SELECT l.id AS pipeline_id, known_stage(l.id, move_to_stage.stage) AS stage_id
          FROM (SELECT CASE WHEN move_to_stage.pipeline IS NULL THEN (p).pipeline_id
                            ELSE known_pipeline(move_to_stage.pipeline, 'project') END) l (id)
          WHERE (p).id IS NOT NULL) t
    WHERE project.id = (p).id AND project.stage_id IS DISTINCT FROM t.stage_id;
END;
COMMENT ON FUNCTION move_to_stage(project, text, text) IS 'Moves the project to a stage; as move_to_stage(deal, ...) (A122)';

CREATE FUNCTION move_to_stage(r custom_object_record, stage text, pipeline text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE custom_object_record SET pipeline_id = t.pipeline_id, stage_id = t.stage_id
    FROM (SELECT l.id AS pipeline_id, known_stage(l.id, move_to_stage.stage) AS stage_id
          FROM (SELECT CASE WHEN move_to_stage.pipeline IS NULL THEN (r).pipeline_id
                            ELSE known_pipeline(move_to_stage.pipeline, 'custom') END) l (id)
          WHERE (r).id IS NOT NULL) t
    WHERE custom_object_record.id = (r).id AND custom_object_record.stage_id IS DISTINCT FROM t.stage_id;
END;
COMMENT ON FUNCTION move_to_stage(custom_object_record, text, text) IS
    'Moves the record of a custom object to a stage; as move_to_stage(deal, ...)';

CREATE FUNCTION set_ticket_status(t ticket, status text, pipeline text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE ticket SET pipeline_id = s.pipeline_id, status_id = s.status_id
    FROM (SELECT l.id AS pipeline_id, known_stage(l.id, set_ticket_status.status) AS status_id
          FROM (SELECT CASE WHEN set_ticket_status.pipeline IS NULL THEN (t).pipeline_id
                            ELSE known_pipeline(set_ticket_status.pipeline, 'ticket') END) l (id)
          WHERE (t).id IS NOT NULL) s
    WHERE ticket.id = (t).id AND ticket.status_id IS DISTINCT FROM s.status_id;
END;
COMMENT ON FUNCTION set_ticket_status(ticket, text, text) IS
    'Sets the status of the ticket: a stage of its pipeline, or of another one. The one it has: nothing happens. '
    'No such status or pipeline: an error, and the hint names those there are (A108)';

-- Title, status, value

CREATE FUNCTION set_title(d deal, title text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET title = set_title.title WHERE id = (d).id AND deal.title IS DISTINCT FROM set_title.title;
END;
COMMENT ON FUNCTION set_title(deal, text) IS 'Gives the deal another title. The one it has: nothing happens. NULL: an error (A68)';

CREATE FUNCTION set_status(d deal, status deal_status) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET status = set_status.status WHERE id = (d).id AND deal.status IS DISTINCT FROM set_status.status;
END;
COMMENT ON FUNCTION set_status(deal, deal_status) IS
    'Makes the deal open, won or lost. What it is already: nothing happens. Another word: an error (A69)';

CREATE FUNCTION set_status(p project, status text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE project SET status = set_status.status WHERE id = (p).id AND project.status IS DISTINCT FROM set_status.status;
END;
COMMENT ON FUNCTION set_status(project, text) IS
    'Makes the project open, completed or cancelled. What it is already: nothing happens. Another word: an error (A122)';

CREATE FUNCTION set_deal_status(c contact, status deal_status) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH written AS (
        UPDATE deal SET status = set_deal_status.status
        WHERE deal.id IN (SELECT d.id FROM deal d JOIN deal_contact dc ON dc.deal_id = d.id
                          WHERE dc.contact_id = (c).id AND d.status = 'open' AND set_deal_status.status <> 'open' AND d.deleted_at IS NULL
                          ORDER BY d.id FOR NO KEY UPDATE OF d)
        RETURNING id)
    SELECT count(*) FROM written;
END;
COMMENT ON FUNCTION set_deal_status(contact, deal_status) IS
    'Makes all open deals of the contact won or lost, in one statement; returns how many. Closed ones stay as they are (A69)';

CREATE FUNCTION set_value(d deal, value numeric, currency text DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET value = set_value.value, currency = coalesce(set_value.currency, deal.currency)
    WHERE id = (d).id
      AND (deal.value, deal.currency) IS DISTINCT FROM (set_value.value::numeric(18, 4), coalesce(set_value.currency, deal.currency));
END;
COMMENT ON FUNCTION set_value(deal, numeric, text) IS
    'Sets the value of the deal, in its currency or in another one; NULL: unknown. The value it has: nothing happens (A71)';

-- Products and labels

CREATE FUNCTION add_product(d deal, product text, quantity numeric DEFAULT 1, unit_price numeric DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO deal_product AS l (deal_id, product_id, quantity, unit_price)
    SELECT (d).id, p.id, add_product.quantity, coalesce(add_product.unit_price, p.price)
    FROM product p WHERE p.id = coalesce(product(add_product.product), no_such('product', add_product.product)) AND (d).id IS NOT NULL
    ON CONFLICT (deal_id, product_id) DO UPDATE
    SET quantity = l.quantity + excluded.quantity, unit_price = coalesce(add_product.unit_price, l.unit_price);
END;
COMMENT ON FUNCTION add_product(deal, text, numeric, numeric) IS
    'Puts a product on the deal: so many, at this price each, or the product''s own. One that is there gets so many more. '
    'One product a call. No product of that name, or not more than none: an error (A118)';

CREATE FUNCTION add_label(d deal, label text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    -- a label that somebody else makes in this moment is waited for and taken
    WITH made AS (
        INSERT INTO label (name) SELECT add_label.label WHERE (d).id IS NOT NULL AND label(add_label.label) IS NULL
        ON CONFLICT (name) DO UPDATE SET name = excluded.name
        RETURNING id)
    INSERT INTO deal_label (deal_id, label_id)
    SELECT (d).id, coalesce(label(add_label.label), (SELECT id FROM made)) WHERE (d).id IS NOT NULL
    ON CONFLICT DO NOTHING;
END;
COMMENT ON FUNCTION add_label(deal, text) IS
    'Puts a label on the deal. A label of that name is made if there is none. One that is on it stays: nothing fires (A119)';

CREATE FUNCTION remove_label(d deal, label text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM deal_label WHERE deal_id = (d).id AND label_id = label(remove_label.label);
END;
COMMENT ON FUNCTION remove_label(deal, text) IS 'Takes a label off the deal. One that is not on it: nothing happens (A119)';

CREATE FUNCTION has_label(d deal, label text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM deal_label dl JOIN label l ON l.id = dl.label_id WHERE dl.deal_id = (d).id AND l.name = has_label.label);
COMMENT ON FUNCTION has_label(deal, text) IS 'Whether the label is on the deal; false for a label that is not there';
