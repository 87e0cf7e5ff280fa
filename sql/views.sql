-- What users see of the engine.  A row is shown to the members of the role it
-- belongs to and to pg_read_all_data; counts without any key or value to
-- pg_monitor as well.  The views read the tables with the rights of their
-- owner, who alone can; security_barrier keeps functions in a caller's WHERE
-- away from rows that are not his.  Every name is bound when the view is made.

CREATE VIEW automation.workflows WITH (security_barrier) AS
SELECT coalesce(p.proname::text, w.signature) AS name,
       n.nspname AS schema,
       w.signature,
       o.role AS owner,
       w.entry = 'open' AND w.hold IS NULL AND g.armed AS active,
       w.entry,
       w.hold,
       CASE WHEN r.sees_payload THEN w.hold_detail END AS hold_detail,
       w.version,
       w.created_at,
       coalesce((SELECT pg_catalog.sum(l.entries) FROM automation.ledger l WHERE l.workflow = w.id), 0)::bigint AS entered,
       e.waiting,
       e.retrying,
       e.held,
       e.failed,
       CASE
           WHEN NOT g.armed THEN 'the engine is disarmed, for example after a restore: CALL automation.arm()'
           WHEN w.hold = 'paused' THEN 'paused: automation.resume() lets it go on'
           WHEN w.hold = 'definition_invalid' THEN 'something it uses has changed: CREATE OR REPLACE FUNCTION shows what'
           WHEN w.hold = 'owner_changed' THEN 'it has versions by another author: automation.accept_versions() shows them and lets them run'
           WHEN w.hold = 'owner_is_superuser' THEN 'workflows do not run as superuser: ALTER FUNCTION ... OWNER TO an ordinary role'
           WHEN w.hold = 'owner_cannot_connect' THEN 'its owner cannot connect: ALTER ROLE ... LOGIN (no password is needed), GRANT CONNECT ON DATABASE'
           WHEN w.hold = 'owner_missing' THEN 'its owner was dropped: ALTER FUNCTION ... OWNER TO'
           WHEN w.hold = 'function_missing' THEN 'its function is not there: CREATE FUNCTION brings it back, CALL automation.reconcile() looks again'
           WHEN w.hold = 'not_permitted' THEN 'its owner may not use the language: GRANT USAGE ON LANGUAGE workflow'
           WHEN w.hold IS NOT NULL THEN pg_catalog.replace(w.hold, '_', ' ')
           WHEN w.entry = 'paused' THEN 'nobody enters, those inside go on: automation.resume() opens it again'
           WHEN e.failed > 0 THEN 'some have failed: automation.enrollments shows the error, automation.retry() tries again'
       END AS note
FROM automation.workflow w
     JOIN automation.owner o ON o.id = w.owner
     CROSS JOIN automation.engine g
     CROSS JOIN LATERAL (SELECT pg_catalog.pg_has_role(o.role, 'USAGE')
                                OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE') AS sees_payload) r
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     LEFT JOIN LATERAL (SELECT pg_catalog.count(*) FILTER (WHERE s.state = 'waiting') AS waiting,
                               pg_catalog.count(*) FILTER (WHERE s.state = 'retrying') AS retrying,
                               pg_catalog.count(*) FILTER (WHERE s.state = 'held') AS held,
                               pg_catalog.count(*) FILTER (WHERE s.state = 'failed') AS failed
                        FROM automation.enrollment s WHERE s.workflow = w.id) e ON true
WHERE r.sees_payload OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');

COMMENT ON VIEW automation.workflows IS 'Workflows and how many are in them';
COMMENT ON COLUMN automation.workflows.name IS 'name of the function';
COMMENT ON COLUMN automation.workflows.schema IS 'schema of the function';
COMMENT ON COLUMN automation.workflows.signature IS 'function with its argument types';
COMMENT ON COLUMN automation.workflows.owner IS 'role that everything in it runs as';
COMMENT ON COLUMN automation.workflows.active IS 'records can enter and go on: entry is open, no hold, the engine is armed';
COMMENT ON COLUMN automation.workflows.entry IS 'open, or paused: nobody enters, those inside go on';
COMMENT ON COLUMN automation.workflows.hold IS 'why nothing of it runs; NULL: it runs';
COMMENT ON COLUMN automation.workflows.hold_detail IS 'more about the hold';
COMMENT ON COLUMN automation.workflows.version IS 'version that new entries take; those inside stay on theirs';
COMMENT ON COLUMN automation.workflows.created_at IS 'when it was first created';
COMMENT ON COLUMN automation.workflows.entered IS 'entries since it was created';
COMMENT ON COLUMN automation.workflows.waiting IS 'enrollments that wait for a time, a moment or a condition';
COMMENT ON COLUMN automation.workflows.retrying IS 'enrollments whose last attempt met an error and that will be tried again';
COMMENT ON COLUMN automation.workflows.held IS 'enrollments that go on only after a command';
COMMENT ON COLUMN automation.workflows.failed IS 'enrollments that used up their attempts';
COMMENT ON COLUMN automation.workflows.note IS 'what is wrong and what to do about it';

CREATE VIEW automation.enrollments WITH (security_barrier) AS
SELECT e.id,
       coalesce(p.proname::text, w.signature) AS workflow,
       s.relation::regclass::text || ' ' || k.subject AS subject,
       s.relation AS subject_table,
       k.subject AS subject_key,
       k.entry AS entry_key,
       e.state,
       e.reason,
       place.line,
       place.statement,
       e.since,
       k.waits_for,
       e.wake_at AS wakes_at,
       e.attempt,
       pg_catalog.concat_ws(' ', 'line ' || (e.error ->> 'line') || ':', e.error ->> 'sqlstate', e.error ->> 'message',
                            '(' || (e.error ->> 'detail') || ')') AS error,
       e.entered_at,
       e.version,
       w.signature,
       o.role AS owner,
       e.args,
       e.vars
FROM automation.enrollment e
     JOIN automation.owner o ON o.id = e.owner
     JOIN automation.workflow w ON w.id = e.workflow
     LEFT JOIN automation.source s ON s.id = e.source
     LEFT JOIN automation.workflow_version v ON v.workflow = e.workflow AND v.version = e.version
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN LATERAL automation.statement_at(v.source, coalesce((e.error ->> 'statement')::int, e.statement)) place ON true
     CROSS JOIN LATERAL (SELECT (SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                 FROM pg_catalog.jsonb_array_elements_text(CASE WHEN e.key LIKE '[%' THEN e.key::jsonb
                                                                                WHEN e.key IS NOT NULL THEN e.args -> 0 END)
                                      WITH ORDINALITY t (text, n)) AS subject,
                                coalesce((SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                          FROM pg_catalog.jsonb_array_elements_text(CASE WHEN e.entry_key LIKE '[%' THEN e.entry_key::jsonb END)
                                               WITH ORDINALITY t (text, n)), e.entry_key) AS entry,
                                CASE e.waiting ->> 'kind'
                                    WHEN 'interval' THEN 'a time to pass'
                                    WHEN 'moment' THEN 'a moment' || CASE WHEN e.waiting ? 'moment' THEN '' ELSE ' to be known' END
                                    WHEN 'condition' THEN 'a condition'
                                END || coalesce(': ' || nullif(e.waiting ->> 'waits_for', ''), '') AS waits_for) k
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');

COMMENT ON VIEW automation.enrollments IS 'Who is in a workflow now, where, and what comes next; those that ended are in automation.journal';
COMMENT ON COLUMN automation.enrollments.id IS 'what SELECT workflow(...) returned';
COMMENT ON COLUMN automation.enrollments.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.enrollments.subject IS 'table and primary key of the first argument, to read';
COMMENT ON COLUMN automation.enrollments.subject_table IS 'table of the first argument; NULL if that is a plain value';
COMMENT ON COLUMN automation.enrollments.subject_key IS 'primary key of the first argument as text; several columns are separated by commas';
COMMENT ON COLUMN automation.enrollments.entry_key IS 'value of the ENROLL clause''s PER; without it the subject''s key';
COMMENT ON COLUMN automation.enrollments.state IS 'waiting, retrying (after an error), held (until a command), failed (no attempts left)';
COMMENT ON COLUMN automation.enrollments.reason IS 'reason code of held and failed';
COMMENT ON COLUMN automation.enrollments.line IS 'line in the body of its version';
COMMENT ON COLUMN automation.enrollments.statement IS 'the wait it stands on, the statement that met an error, or the one that comes next';
COMMENT ON COLUMN automation.enrollments.since IS 'when it came into this state';
COMMENT ON COLUMN automation.enrollments.waits_for IS 'what has to happen, with the columns it depends on';
COMMENT ON COLUMN automation.enrollments.wakes_at IS 'when it goes on or tries again if nothing happens before; NULL: only a change or a command wakes it';
COMMENT ON COLUMN automation.enrollments.attempt IS 'attempts at this statement that met an error';
COMMENT ON COLUMN automation.enrollments.error IS 'line, SQLSTATE and message of the last error';
COMMENT ON COLUMN automation.enrollments.entered_at IS 'when the change or call that started it happened';
COMMENT ON COLUMN automation.enrollments.version IS 'version of the workflow it runs';
COMMENT ON COLUMN automation.enrollments.signature IS 'workflow with its argument types';
COMMENT ON COLUMN automation.enrollments.owner IS 'role it runs as';
COMMENT ON COLUMN automation.enrollments.args IS 'arguments in order: primary key of a row, text of a value';
COMMENT ON COLUMN automation.enrollments.vars IS 'DECLAREd variables in order, as text';

-- The months of history as one; of use to the engine and the journal only.
CREATE VIEW automation.history AS
SELECT ctid AS position, h.* FROM automation.history_00 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_01 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_02 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_03 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_04 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_05 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_06 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_07 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_08 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_09 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_10 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_11 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_12 h UNION ALL
SELECT ctid AS position, h.* FROM automation.history_13 h;
COMMENT ON VIEW automation.history IS 'For the engine: see automation.journal';

CREATE VIEW automation.journal WITH (security_barrier) AS
SELECT h.at,
       coalesce(p.proname::text, w.signature, 'workflow ' || h.workflow) AS workflow,
       s.relation::regclass::text || ' ' || k.subject AS subject,
       h.enrollment,
       h.event,
       h.reason,
       place.statement,
       place.line,
       pg_catalog.concat_ws(' ',
           CASE h.event
               WHEN 'entered' THEN 'enters'
               WHEN 'not_entered' THEN 'does not enter'
               WHEN 'waiting' THEN 'waits'
               WHEN 'resumed' THEN 'goes on'
               WHEN 'ended' THEN 'ends'
               WHEN 'retrying' THEN 'met an error and will try again'
               WHEN 'failed' THEN 'has failed'
               WHEN 'held' THEN 'is held'
               WHEN 'released' THEN 'is released'
               WHEN 'statement' THEN 'runs'
               ELSE pg_catalog.replace(h.event, '_', ' ')
           END || coalesce(': ' || coalesce(words.words, nullif(pg_catalog.replace(h.reason, '_', ' '), 'error')), ''),
           CASE
               WHEN h.event IN ('waiting', 'statement') THEN 'at line ' || place.line || ': ' || place.statement
               WHEN h.event IN ('retrying', 'failed', 'held') THEN 'at line ' || place.line
           END,
           '(' || (h.detail ->> 'message') || ')') AS what,
       s.relation AS subject_table,
       k.subject AS subject_key,
       h.version,
       o.role AS owner,
       h.position,
       h.detail
FROM automation.history h
     JOIN automation.owner o ON o.id = h.owner
     LEFT JOIN automation.workflow w ON w.id = h.workflow
     LEFT JOIN automation.source s ON s.id = h.source
     LEFT JOIN automation.workflow_version v ON v.workflow = h.workflow AND v.version = h.version
     LEFT JOIN pg_catalog.pg_proc p ON p.oid = w.routine
     LEFT JOIN LATERAL automation.statement_at(v.source, coalesce((h.detail ->> 'statement')::int, h.statement)) place ON true
     LEFT JOIN (VALUES
         ('time', 'the time has come'),
         ('condition', 'what it waited for is true'),
         ('timeout', 'the time limit has passed'),
         ('completed', 'it has come to its end'),
         ('exited', 'an EXIT statement'),
         ('exit_when', 'an EXIT WHEN has become true'),
         ('exit_when_at_entry', 'an EXIT WHEN is true already'),
         ('manual', 'taken out by a command'),
         ('other_workflow', 'taken out by another workflow'),
         ('entry_failed', 'WHEN, FOR or the first statements met an error'),
         ('replaced', 'a newer entry takes its place'),
         ('already_active', 'it is inside'),
         ('already_entered', 'it was inside before, and ENROLL ONCE'),
         ('too_soon', 'ENROLL AGAIN AFTER: it is too early'),
         ('key_null', 'a part of its entry key is null'),
         ('no_subject', 'FOR gave no row'),
         ('subject_deleted', 'its row was deleted'),
         ('subject_not_visible', 'the owner may not see its row'),
         ('missed_while_paused', 'entry was paused'),
         ('loop_guard', 'its own work led here again'),
         ('loop_depth', 'too long a chain of workflows led here'),
         ('entry_rate', 'workflows sent it in too often today'),
         ('locked', 'somebody else holds a lock'),
         ('goto_limit', 'too many turns of a loop'),
         ('runaway', '10,000 statements without a wait'),
         ('paused', 'the workflow is paused'),
         ('definition_invalid', 'something the workflow uses has changed'),
         ('owner_changed', 'the workflow has another owner'),
         ('owner_is_superuser', 'the workflow belongs to a superuser'),
         ('owner_cannot_connect', 'the owner of the workflow can''t connect'),
         ('owner_missing', 'the owner of the workflow was dropped'),
         ('function_missing', 'the function was dropped unseen'),
         ('not_permitted', 'the owner may no longer use the language or the function'),
         ('workflow_gone', 'the workflow was dropped'),
         ('suspected_crash', 'the server went down while it ran'),
         ('unknown_time_zone', 'TIME ZONE gave a name the server does not know')
     ) words (reason, words) ON words.reason = h.reason
     CROSS JOIN LATERAL (SELECT coalesce((SELECT pg_catalog.string_agg(coalesce(t.text, 'null'), ', ' ORDER BY t.n)
                                          FROM pg_catalog.jsonb_array_elements_text(CASE WHEN h.key LIKE '[%' THEN h.key::jsonb END)
                                               WITH ORDINALITY t (text, n)), h.key) AS subject) k
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE');

COMMENT ON VIEW automation.journal IS 'What happened, in words: entries, waits, ends, errors, and why somebody did not enter; kept for 13 months';
COMMENT ON COLUMN automation.journal.at IS 'engine time at which it was done';
COMMENT ON COLUMN automation.journal.workflow IS 'name of the workflow';
COMMENT ON COLUMN automation.journal.subject IS 'table and primary key of the first argument, to read';
COMMENT ON COLUMN automation.journal.enrollment IS 'id as in automation.enrollments';
COMMENT ON COLUMN automation.journal.event IS 'entered, not_entered, waiting, resumed, ended, retrying, failed, held, released, warning, statement';
COMMENT ON COLUMN automation.journal.reason IS 'reason code, made to be compared; what says it in words';
COMMENT ON COLUMN automation.journal.statement IS 'statement it stood on or that met an error';
COMMENT ON COLUMN automation.journal.line IS 'line of that statement in the body of its version';
COMMENT ON COLUMN automation.journal.what IS 'the event in words';
COMMENT ON COLUMN automation.journal.subject_table IS 'table of the first argument';
COMMENT ON COLUMN automation.journal.subject_key IS 'primary key of the first argument as text';
COMMENT ON COLUMN automation.journal.version IS 'version of the workflow';
COMMENT ON COLUMN automation.journal.owner IS 'role the workflow runs as';
COMMENT ON COLUMN automation.journal.position IS 'ORDER BY at, position is the order in which it was written';
COMMENT ON COLUMN automation.journal.detail IS 'more about it, such as the parts of an error';

CREATE VIEW automation.stat WITH (security_barrier) AS
SELECT o.role AS owner,
       coalesce(l.events, 0) AS events,
       l.oldest_event,
       coalesce(e.waiting, 0) AS waiting,
       coalesce(e.retrying, 0) AS retrying,
       coalesce(e.held, 0) AS held,
       coalesce(e.failed, 0) AS failed,
       (SELECT pg_catalog.count(*) FROM automation.timer t WHERE t.owner = o.id AND t.at <= automation.now()) AS overdue,
       (SELECT pg_catalog.min(t.at) FROM automation.timer t WHERE t.owner = o.id) AS next_timer,
       coalesce(k.parked, 0) AS parked,
       k.next_parked
FROM automation.owner o
     LEFT JOIN (SELECT s.owner, pg_catalog.count(*) AS events, pg_catalog.min(s.at) AS oldest_event
                FROM (SELECT owner, at FROM automation.event_0 UNION ALL SELECT owner, at FROM automation.event_1 UNION ALL
                      SELECT owner, at FROM automation.event_2 UNION ALL SELECT owner, at FROM automation.event_3) s
                GROUP BY s.owner) l ON l.owner = o.id
     LEFT JOIN (SELECT s.owner,
                       pg_catalog.count(*) FILTER (WHERE s.state = 'waiting') AS waiting,
                       pg_catalog.count(*) FILTER (WHERE s.state = 'retrying') AS retrying,
                       pg_catalog.count(*) FILTER (WHERE s.state = 'held') AS held,
                       pg_catalog.count(*) FILTER (WHERE s.state = 'failed') AS failed
                FROM automation.enrollment s GROUP BY s.owner) e ON e.owner = o.id
     LEFT JOIN (SELECT s.owner, pg_catalog.count(*) AS parked, pg_catalog.min(s.retry_at) AS next_parked
                FROM automation.parked s GROUP BY s.owner) k ON k.owner = o.id
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE')
      OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');

COMMENT ON VIEW automation.stat IS 'The engine in numbers, per owner';
COMMENT ON COLUMN automation.stat.owner IS 'role whose workflows are counted';
COMMENT ON COLUMN automation.stat.events IS 'committed changes not dealt with yet';
COMMENT ON COLUMN automation.stat.oldest_event IS 'time of the oldest of them: if it grows old, no executor is at work';
COMMENT ON COLUMN automation.stat.waiting IS 'enrollments that wait';
COMMENT ON COLUMN automation.stat.retrying IS 'enrollments that will be tried again after an error';
COMMENT ON COLUMN automation.stat.held IS 'enrollments held until a command';
COMMENT ON COLUMN automation.stat.failed IS 'enrollments without attempts left';
COMMENT ON COLUMN automation.stat.overdue IS 'timers that are due and have not fired yet';
COMMENT ON COLUMN automation.stat.next_timer IS 'time of the earliest timer';
COMMENT ON COLUMN automation.stat.parked IS 'events put aside: a lock, an error, or their workflow is held';
COMMENT ON COLUMN automation.stat.next_parked IS 'when the first of them is tried again';

GRANT SELECT ON automation.workflows, automation.enrollments, automation.journal, automation.stat TO PUBLIC;
