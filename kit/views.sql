-- What is read off other rows.  Nothing here is stored, so none of it can start a workflow by itself.

-- Which records belong together, in both directions; a type is the name of its table.
CREATE VIEW association AS
    SELECT 'contact' AS from_type, contact_id AS from_id, 'account' AS to_type, account_id AS to_id FROM account_contact
    UNION ALL SELECT 'account', account_id, 'contact', contact_id FROM account_contact
    UNION ALL SELECT 'contact', contact_id, 'deal', deal_id FROM deal_contact
    UNION ALL SELECT 'deal', deal_id, 'contact', contact_id FROM deal_contact
    UNION ALL SELECT 'contact', contact_id, 'ticket', ticket_id FROM ticket_contact
    UNION ALL SELECT 'ticket', ticket_id, 'contact', contact_id FROM ticket_contact
    UNION ALL SELECT 'contact', contact_id, 'project', project_id FROM project_contact
    UNION ALL SELECT 'project', project_id, 'contact', contact_id FROM project_contact
    UNION ALL SELECT 'contact', contact_id, 'quote', quote_id FROM quote_contact
    UNION ALL SELECT 'quote', quote_id, 'contact', contact_id FROM quote_contact
    UNION ALL SELECT 'contact', contact_id, 'custom_object_record', record_id FROM custom_object_link
    UNION ALL SELECT 'custom_object_record', record_id, 'contact', contact_id FROM custom_object_link
    UNION ALL SELECT 'account', account_id, 'deal', id FROM deal WHERE account_id IS NOT NULL
    UNION ALL SELECT 'deal', id, 'account', account_id FROM deal WHERE account_id IS NOT NULL
    UNION ALL SELECT 'account', account_id, 'ticket', id FROM ticket WHERE account_id IS NOT NULL
    UNION ALL SELECT 'ticket', id, 'account', account_id FROM ticket WHERE account_id IS NOT NULL
    UNION ALL SELECT 'account', account_id, 'project', id FROM project WHERE account_id IS NOT NULL
    UNION ALL SELECT 'project', id, 'account', account_id FROM project WHERE account_id IS NOT NULL
    UNION ALL SELECT 'deal', deal_id, 'project', id FROM project WHERE deal_id IS NOT NULL
    UNION ALL SELECT 'project', id, 'deal', deal_id FROM project WHERE deal_id IS NOT NULL
    UNION ALL SELECT 'deal', deal_id, 'quote', id FROM quote WHERE deal_id IS NOT NULL
    UNION ALL SELECT 'quote', id, 'deal', deal_id FROM quote WHERE deal_id IS NOT NULL;
COMMENT ON VIEW association IS
    'Which records belong together, each pair in both directions, over all tables that link two: (from_type, from_id) to (to_type, to_id). '
    'A type is the name of its table: contact, account, deal, ticket, project, quote, custom_object_record';
COMMENT ON COLUMN association.from_type IS 'table of the one record';
COMMENT ON COLUMN association.from_id IS 'its id';
COMMENT ON COLUMN association.to_type IS 'table of the other';
COMMENT ON COLUMN association.to_id IS 'its id';

CREATE FUNCTION email_count(d deal) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM email_message m WHERE m.deal_id = (d).id);
COMMENT ON FUNCTION email_count(deal) IS
    'How many mails of the deal there are, in and out; also written d.email_count. Counted when asked: a mail changes no deal, and starts nothing that '
    'is about deals (S06)';

CREATE FUNCTION rotten_at(d deal) RETURNS timestamptz LANGUAGE sql STABLE
RETURN (SELECT (d).stage_entered_at + s.rotting_days * interval '1 day' FROM pipeline_stage s
        WHERE s.id = (d).stage_id AND (d).status = 'open');
COMMENT ON FUNCTION rotten_at(deal) IS
    'When an open deal has been in its stage for the stage''s rotting_days; also written d.rotten_at. NULL if it is won or lost, or the stage has no rotting_days. '
    'Nothing starts at that moment by itself: a task that is due then can (T171 S08 A120)';
