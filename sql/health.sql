-- What is wrong.  The view sees everything; automation.health() alone may read
-- it, as the superuser, and shows each caller his part.  No query of it takes
-- more than AccessShareLock.

CREATE FUNCTION automation.health_facts(OUT preloaded boolean, OUT coordinator text, OUT abi int) RETURNS record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_health_facts';
COMMENT ON FUNCTION automation.health_facts() IS 'Internal: what automation.problem has to know of the processes';

CREATE FUNCTION automation.suspects(OUT owner int, OUT kind text, OUT id bigint, OUT deaths int, OUT at timestamptz) RETURNS SETOF record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_health_suspects';
COMMENT ON FUNCTION automation.suspects() IS 'Internal: what ran in this database when an executor died';

CREATE VIEW automation.problem WITH (security_barrier) AS
WITH fact AS MATERIALIZED (
    SELECT f.preloaded, f.coordinator, f.abi AS library_abi, e.armed, e.abi, automation.now() AS now,
           NOT pg_catalog.pg_is_in_recovery() AS primary,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('automation.event_segment_size')) AS segment,
           pg_catalog.pg_relation_size('automation.event_0') + pg_catalog.pg_relation_size('automation.event_1')
               + pg_catalog.pg_relation_size('automation.event_2') + pg_catalog.pg_relation_size('automation.event_3') AS log_bytes
    FROM automation.health_facts() f, automation.engine e
), process AS MATERIALIZED (
    SELECT * FROM pg_catalog.pg_stat_activity
), slot AS MATERIALIZED (
    SELECT pg_catalog.count(*) AS taken, pg_catalog.current_setting('max_worker_processes')::int AS most
    FROM process
    WHERE backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer',
                               'walwriter', 'walsender', 'walreceiver', 'walsummarizer', 'startup', 'archiver', 'logger',
                               'slotsync worker', 'io worker', 'standalone backend')
), executor AS MATERIALIZED (
    SELECT usesysid AS role FROM process
    WHERE backend_type LIKE 'automation executor of %' AND datname = pg_catalog.current_database()
), event AS MATERIALIZED (
    -- a log that large is a problem of its own, and not read for this one
    SELECT owner, at FROM automation.event_0 WHERE (SELECT log_bytes FROM fact) < 1073741824 UNION ALL
    SELECT owner, at FROM automation.event_1 WHERE (SELECT log_bytes FROM fact) < 1073741824 UNION ALL
    SELECT owner, at FROM automation.event_2 WHERE (SELECT log_bytes FROM fact) < 1073741824 UNION ALL
    SELECT owner, at FROM automation.event_3 WHERE (SELECT log_bytes FROM fact) < 1073741824
), owner AS MATERIALIZED (
    SELECT o.id, o.role, coalesce(r.rolname::text, o.role::text) AS name,
           CASE WHEN NOT EXISTS (SELECT FROM automation.workflow w WHERE w.owner = o.id) THEN NULL
                WHEN r.oid IS NULL THEN 'owner_missing'
                WHEN r.rolsuper THEN 'owner_is_superuser'
                WHEN NOT r.rolcanlogin AND pg_catalog.current_setting('server_version_num')::int < 170000
                     OR NOT pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT') THEN 'owner_cannot_connect'
                WHEN NOT pg_catalog.has_language_privilege(r.oid, 'workflow', 'USAGE') THEN 'not_permitted'
           END AS obstacle, r.rolcanlogin,
           EXISTS (SELECT FROM executor x WHERE x.role = o.role) AS served,
           v.events, v.oldest AS oldest_event, t.oldest AS oldest_timer, k.oldest AS oldest_parked,
           j.oldest AS oldest_job
    FROM automation.owner o
         LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.role
         LEFT JOIN (SELECT owner, pg_catalog.count(*) AS events, pg_catalog.min(at) AS oldest FROM event GROUP BY owner) v ON v.owner = o.id
         LEFT JOIN LATERAL (SELECT pg_catalog.min(t.at) AS oldest FROM automation.timer t
                            WHERE t.owner = o.id AND t.at <= (SELECT now FROM fact)) t ON true
         LEFT JOIN LATERAL (SELECT pg_catalog.min(p.retry_at) AS oldest FROM automation.parked p
                            WHERE p.owner = o.id AND p.retry_at <= (SELECT now FROM fact)) k ON true
         LEFT JOIN LATERAL (SELECT pg_catalog.min(j.next_at) AS oldest FROM automation.job j
                            WHERE j.owner = o.id AND j.next_at <= (SELECT now FROM fact)) j ON true
), outbox AS MATERIALIZED (
    SELECT pg_catalog.count(*) AS messages, pg_catalog.min(d.due) FILTER (WHERE d.due <= automation.now()) AS oldest,
           CASE WHEN pg_catalog.current_setting('automation.egress') = 'off' THEN 'egress_off'
                WHEN pg_catalog.current_setting('automation.egress') = 'guarded'
                     AND NOT EXISTS (SELECT FROM automation.egress_node n WHERE n.fingerprint = automation.egress_fingerprint()) THEN 'egress_unarmed' END AS obstacle
    FROM automation.outgoing_due d
    WHERE d.due < 'infinity' AND NOT EXISTS (SELECT FROM automation.endpoint e WHERE e.server = d.server AND (e.disabled_at IS NOT NULL OR e.open_until > automation.now()))
), engine_table AS MATERIALIZED (
    SELECT c.oid, c.relname, c.reloptions, c.relrowsecurity FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'automation'::pg_catalog.regnamespace AND c.relkind = 'r'
), setting AS MATERIALIZED (
    SELECT name, setting, source FROM pg_catalog.pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'autovacuum', 'track_counts', 'automation.synchronous_commit', 'automation.capture')
), holder AS MATERIALIZED (
    SELECT pg_catalog.format('process %s', pid) AS subject,
           pg_catalog.format('a transaction of %s (%s), %s old,', coalesce(usename, 'a standby'), coalesce(nullif(application_name, ''), backend_type),
                             pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - coalesce(xact_start, backend_start))) AS who,
           CASE WHEN backend_type = 'walsender' THEN 'end the old query on the standby, or turn its hot_standby_feedback off'
                ELSE pg_catalog.format('end that transaction: SELECT pg_terminate_backend(%s)', pid) END AS remedy,
           greatest(pg_catalog.age(backend_xmin), pg_catalog.age(backend_xid)) AS age
    FROM process
    WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
          AND (backend_type = 'walsender' OR xact_start < pg_catalog.clock_timestamp() - '1 second'::pg_catalog.interval)
    UNION ALL
    SELECT pg_catalog.format('prepared transaction %L', gid),
           pg_catalog.format('prepared by %s in database %s, %s old,', owner, database,
                             pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - prepared)),
           pg_catalog.format('COMMIT PREPARED %L or ROLLBACK PREPARED %1$L, in its database', gid), pg_catalog.age(transaction)
    FROM pg_catalog.pg_prepared_xacts
    UNION ALL
    SELECT pg_catalog.format('replication slot %s', slot_name), 'its standby''s oldest query, or a standby that is gone,',
           pg_catalog.format('end the old query on the standby; if it will not come back: SELECT pg_drop_replication_slot(%L)', slot_name),
           pg_catalog.age(xmin)
    FROM pg_catalog.pg_replication_slots WHERE xmin IS NOT NULL
), capture_trigger AS MATERIALIZED (
    SELECT r.owner, s.relation, n.name, t.tgenabled
    FROM automation.source s
         JOIN pg_catalog.pg_class c ON c.oid = s.relation
         JOIN (SELECT source, owner, pg_catalog.bool_or(operations & 1 <> 0) AS insert,
                      pg_catalog.bool_or(kind = 'W' OR operations & 2 <> 0) AS moves,
                      pg_catalog.bool_or(kind = 'T' AND operations & 4 <> 0) AS truncate
               FROM automation.rule WHERE armed GROUP BY source, owner) r ON r.source = s.id
         JOIN (VALUES ('automation_insert'), ('automation_update'), ('automation_delete'), ('automation_truncate')) n (name)
              ON CASE n.name WHEN 'automation_insert' THEN r.insert OR (c.relkind = 'p' AND r.moves)
                             WHEN 'automation_truncate' THEN r.truncate
                             ELSE true END
         LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = s.relation AND t.tgname = n.name
                                              AND t.tgfoid = 'automation.capture'::pg_catalog.regproc
    WHERE t.oid IS NULL OR t.tgenabled IN ('D', 'R')
)

-- the engine as a whole
SELECT true AS for_all, NULL::regrole AS owner, 'error' AS severity, 'disarmed' AS code,
       pg_catalog.format('database %s', pg_catalog.current_database()) AS subject,
       'the engine is disarmed, as after a restore: changes are recorded, nothing runs' AS problem, NULL AS detail,
       'when all data is there, as superuser: CALL automation.arm()' AS remedy
FROM fact WHERE NOT armed
UNION ALL
SELECT true, NULL, 'error', 'library_mismatch', pg_catalog.format('database %s', pg_catalog.current_database()),
       'the library does not fit the extension''s tables', NULL,
       'restart the server after installing a new version, and run ALTER EXTENSION automation UPDATE'
FROM fact WHERE abi <> library_abi
UNION ALL
SELECT true, NULL, 'error', 'no_coordinator', pg_catalog.format('database %s', pg_catalog.current_database()),
       CASE coordinator
           WHEN 'refused' THEN 'there is no coordinator, since something is wrong with the engine''s tables'
           WHEN 'stopped' THEN 'the coordinator was stopped'
           ELSE 'there is no coordinator' END || ': no executor is started',
       NULL,
       CASE WHEN coordinator = 'refused' THEN 'mend what the server log and the other rows name; then SELECT pg_reload_conf()'
            WHEN slot.taken >= slot.most THEN pg_catalog.format('all background worker slots are taken: raise max_worker_processes (now %s) and restart', slot.most)
            ELSE 'the launcher starts one within a minute; if it does not, the server log says why' END
FROM fact, slot WHERE preloaded AND "primary" AND coordinator <> 'lives'
UNION ALL
SELECT false, NULL, 'warning', 'event_trigger_off', pg_catalog.format('event trigger %s', t.evtname),
       'it does not see all DDL: workflows and watched tables change unnoticed', NULL,
       pg_catalog.format('ALTER EVENT TRIGGER %I ENABLE ALWAYS; then CALL automation.reconcile()', t.evtname)
FROM pg_catalog.pg_event_trigger t WHERE t.evtname IN ('automation_ddl', 'automation_drop') AND t.evtenabled <> 'A'
UNION ALL
SELECT true, NULL, 'notice', 'virtual_clock', 'engine time',
       pg_catalog.format('it is %s ahead of the server''s clock', pg_catalog.make_interval(secs => c.shift / 1e6)), NULL,
       'automation.advance() is for tests; a dump, restored, begins with the server''s clock'
FROM automation.clock c WHERE c.shift <> 0

-- work that is not done
UNION ALL
SELECT false, o.role, 'error', 'no_executor', pg_catalog.format('owner %s', o.name),
       pg_catalog.format('there is work since %s, and no executor: ', pg_catalog.date_trunc('second', least(o.oldest_event, o.oldest_timer, o.oldest_parked, o.oldest_job)))
           || CASE WHEN NOT f.preloaded THEN 'the library is not preloaded, nothing runs by itself'
                   WHEN f.coordinator <> 'lives' THEN 'there is no coordinator'
                   WHEN slot.taken >= slot.most THEN 'all background worker slots of the server are taken'
                   WHEN x.n >= pg_catalog.current_setting('automation.max_executors')::int THEN 'all seats are taken by other owners'
                   ELSE 'it did not start, or ended' END,
       NULL,
       CASE WHEN NOT f.preloaded THEN pg_catalog.format('shared_preload_libraries = ''automation'' and a restart; or CALL automation.run() as %I, now and then', o.name)
            WHEN f.coordinator <> 'lives' THEN 'see no_coordinator'
            WHEN slot.taken >= slot.most THEN pg_catalog.format('raise max_worker_processes (now %s) and restart', slot.most)
            WHEN x.n >= pg_catalog.current_setting('automation.max_executors')::int
            THEN pg_catalog.format('raise automation.max_executors (now %s) and restart', pg_catalog.current_setting('automation.max_executors'))
            ELSE 'the server log says why' END
FROM owner o, fact f, slot, (SELECT pg_catalog.count(*) AS n FROM executor) x
WHERE f.armed AND f."primary" AND NOT o.served AND o.obstacle IS NULL
      AND least(o.oldest_event, o.oldest_timer, o.oldest_parked, o.oldest_job) < f.now - '10 seconds'::pg_catalog.interval
UNION ALL
SELECT false, o.role, 'warning', 'backlog', pg_catalog.format('owner %s', o.name),
       pg_catalog.format('events that wait: %s, the first one since %s', o.events, pg_catalog.date_trunc('second', o.oldest_event)), NULL,
       'automation.stat and pg_stat_activity show whether his executor gets on; if it does, it will catch up'
FROM owner o, fact f WHERE f.armed AND o.served AND o.oldest_event < f.now - '1 minute'::pg_catalog.interval
UNION ALL
SELECT false, o.role, 'warning', 'timers_late', pg_catalog.format('owner %s', o.name),
       pg_catalog.format('timers are overdue, the first one since %s', pg_catalog.date_trunc('second', o.oldest_timer)), NULL,
       'automation.stat and pg_stat_activity show whether his executor gets on; if it does, it will catch up'
FROM owner o, fact f WHERE f.armed AND o.served AND o.oldest_timer < f.now - '1 minute'::pg_catalog.interval

-- messages
UNION ALL
SELECT false, NULL, CASE o.obstacle WHEN 'egress_off' THEN 'warning' ELSE 'error' END, o.obstacle,
       pg_catalog.format('database %s', pg_catalog.current_database()),
       CASE o.obstacle WHEN 'egress_off' THEN 'no message leaves: the setting automation.egress is off'
                       ELSE 'no message leaves: nobody has said that this node may send, it may be a copy' END
           || pg_catalog.format('; messages that wait: %s', o.messages), NULL,
       CASE o.obstacle WHEN 'egress_off' THEN 'automation.egress = guarded in postgresql.conf, and a reload'
                       ELSE 'if the original is gone, as superuser: SELECT automation.arm_egress()' END
FROM outbox o WHERE o.obstacle IS NOT NULL AND o.messages > 0
UNION ALL
SELECT false, NULL, 'error', 'no_delivery', pg_catalog.format('database %s', pg_catalog.current_database()),
       pg_catalog.format('messages are due since %s, and no process sends them', pg_catalog.date_trunc('second', o.oldest)), NULL,
       CASE WHEN NOT f.preloaded THEN 'shared_preload_libraries = ''automation'' and a restart; or CALL automation.deliver() as superuser, now and then'
            WHEN slot.taken >= slot.most THEN pg_catalog.format('raise max_worker_processes (now %s) and restart', slot.most)
            ELSE 'the server log says why' END
FROM outbox o, fact f, slot
WHERE f.armed AND f."primary" AND o.obstacle IS NULL AND o.oldest < f.now - '10 seconds'::pg_catalog.interval
      AND NOT EXISTS (SELECT FROM process WHERE backend_type = 'automation delivery' AND datname = pg_catalog.current_database())
UNION ALL
SELECT false, NULL, 'warning', 'delivery_late', pg_catalog.format('server %s', d.server),
       pg_catalog.format('messages that wait: %s, the first one is due since %s', pg_catalog.count(*), pg_catalog.date_trunc('second', pg_catalog.min(d.due))),
       NULL, 'its rate or concurrency is less than what is to be sent, or it is slow: see automation.deliveries and \des+'
FROM automation.outgoing_due d, fact f, outbox o
WHERE f.armed AND o.obstacle IS NULL AND d.due < f.now - '1 minute'::pg_catalog.interval
      AND NOT EXISTS (SELECT FROM automation.endpoint e WHERE e.server = d.server AND (e.disabled_at IS NOT NULL OR e.open_until > f.now))
      AND EXISTS (SELECT FROM process WHERE backend_type = 'automation delivery' AND datname = pg_catalog.current_database())
GROUP BY d.server
UNION ALL
SELECT false, coalesce((SELECT s.srvowner FROM pg_catalog.pg_foreign_server s WHERE s.srvname = e.server), 10)::regrole,
       CASE WHEN e.disabled_at IS NULL THEN 'warning' ELSE 'error' END,
       CASE WHEN e.disabled_at IS NULL THEN 'server_failing' ELSE 'server_disabled' END, pg_catalog.format('server %s', e.server),
       CASE WHEN e.disabled_at IS NULL THEN pg_catalog.format('it fails since %s; attempts in a row: %s', pg_catalog.date_trunc('second', e.failing_since), e.failures)
            WHEN e.reason = 'gone' THEN 'it has answered that it is gone (410): its messages wait'
            WHEN e.reason = 'by_hand' THEN 'it was disabled: its messages wait'
            ELSE pg_catalog.format('it has failed since %s: its messages wait', pg_catalog.date_trunc('second', e.failing_since)) END,
       NULL,
       CASE WHEN e.disabled_at IS NULL THEN 'the receiver, or the way to it, has to be mended; automation.deliveries shows the errors'
            ELSE pg_catalog.format('when it works again: SELECT automation.enable_server(%L)', e.server) END
FROM automation.endpoint e WHERE e.disabled_at IS NOT NULL OR e.open_until IS NOT NULL
UNION ALL
SELECT false, o.role, 'warning', 'messages_held', pg_catalog.format('owner %s', o.name),
       pg_catalog.format('messages that came with a restore and do not leave: %s', pg_catalog.count(*)), NULL,
       'if the original does not send them: SELECT automation.release_deliveries(); else automation.discard()'
FROM owner o JOIN automation.outgoing_due d ON d.owner = o.id AND d.due = 'infinity'
GROUP BY o.role, o.name
UNION ALL
SELECT false, o.role, 'warning', 'dead_letters', pg_catalog.format('owner %s', o.name),
       pg_catalog.format('messages that did not arrive, or nobody knows: %s, the last one %s', pg_catalog.count(*), pg_catalog.date_trunc('second', pg_catalog.max(m.finished_at))),
       NULL, 'automation.deliveries says why; then automation.replay(), automation.settle() or automation.discard()'
FROM owner o JOIN automation.outgoing m ON m.owner = o.id AND m.state IN ('dead', 'unknown')
WHERE m.id IN (SELECT d.message FROM automation.dead_letter d)
GROUP BY o.role, o.name

-- owners, workflows, enrollments
UNION ALL
SELECT false, o.role, 'error', o.obstacle, pg_catalog.format('owner %s', o.name),
       CASE o.obstacle WHEN 'owner_missing' THEN 'the role was dropped: its workflows do not run'
                       WHEN 'owner_is_superuser' THEN 'workflows do not run as superuser'
                       WHEN 'owner_cannot_connect' THEN 'the role may not connect to the database: its workflows do not run'
                       ELSE 'the role may not use the language: its workflows do not run' END,
       NULL,
       CASE WHEN o.obstacle = 'owner_missing' THEN 'ALTER FUNCTION ... OWNER TO another role'
            WHEN o.obstacle = 'owner_is_superuser' THEN pg_catalog.format('ALTER ROLE %I NOSUPERUSER; or ALTER FUNCTION ... OWNER TO another role', o.name)
            WHEN o.obstacle = 'not_permitted' THEN pg_catalog.format('GRANT USAGE ON LANGUAGE workflow TO %I', o.name)
            WHEN NOT o.rolcanlogin THEN pg_catalog.format('ALTER ROLE %I LOGIN', o.name)
            ELSE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I', pg_catalog.current_database(), o.name) END
FROM owner o WHERE o.obstacle IS NOT NULL
UNION ALL
SELECT false, o.role, CASE w.hold WHEN 'paused' THEN 'notice' ELSE 'error' END, w.hold, pg_catalog.format('workflow %s', w.signature),
       CASE w.hold WHEN 'paused' THEN 'it is paused, those inside stand still'
                   WHEN 'definition_invalid' THEN 'something it uses has changed: nothing of it runs'
                   WHEN 'owner_changed' THEN 'it has versions by another author: nothing of it runs'
                   WHEN 'function_missing' THEN 'its function is not there'
                   ELSE 'nothing of it runs' END
           || coalesce((SELECT pg_catalog.format('; events that wait for it: %s', pg_catalog.count(*)) FROM automation.parked p
                        WHERE p.workflow = w.id HAVING pg_catalog.count(*) > 0), ''),
       CASE w.hold WHEN 'definition_invalid' THEN w.hold_detail END,
       CASE w.hold WHEN 'paused' THEN pg_catalog.format('SELECT automation.resume(%L)', w.signature)
                   WHEN 'definition_invalid' THEN 'mend what it uses, or CREATE OR REPLACE FUNCTION'
                   WHEN 'owner_changed' THEN pg_catalog.format('as %I: SELECT automation.accept_versions(%L)', o.name, w.signature)
                   WHEN 'function_missing' THEN 'CREATE FUNCTION brings it back, CALL automation.reconcile() looks again; if it is not wanted any more, drop it then'
                   ELSE 'its reason has passed: the coordinator lets it go on within ten seconds' END
FROM automation.workflow w JOIN owner o ON o.id = w.owner
WHERE w.hold IS NOT NULL AND w.hold IS DISTINCT FROM o.obstacle
UNION ALL
SELECT false, o.role, 'notice', 'entry_paused', pg_catalog.format('workflow %s', w.signature),
       'it is paused: nobody enters', NULL, pg_catalog.format('SELECT automation.resume(%L)', w.signature)
FROM automation.workflow w JOIN owner o ON o.id = w.owner WHERE w.entry <> 'open' AND w.hold IS NULL
UNION ALL
SELECT false, o.role, CASE e.code WHEN 'by_hand' THEN 'notice' ELSE 'error' END, e.code, pg_catalog.format('workflow %s', w.signature),
       pg_catalog.format(CASE e.state WHEN 'failed' THEN 'enrollments that have failed: %s' ELSE 'enrollments that are held: %s' END, e.n),
       CASE WHEN e.state = 'failed' THEN 'last error: ' || e.message END,
       CASE e.code WHEN 'failed' THEN 'mend what automation.enrollments.error says'
                   WHEN 'goto_limit' THEN 'look whether they turn in circles'
                   WHEN 'runaway' THEN 'mend the loop without a wait'
                   WHEN 'suspected_crash' THEN 'look into the server log for what ended the executor'
                   WHEN 'orphan' THEN 'say where they go by the map of automation.migrate()'
                   WHEN 'variable' THEN 'make a version that can read their variables and bring them there by automation.migrate()'
                   WHEN 'definition_invalid' THEN 'mend what their version uses, or bring them to the current one by automation.migrate()'
                   WHEN 'by_hand' THEN 'SELECT automation.release() for each'
                   ELSE 'look at them in automation.enrollments' END
           || CASE WHEN e.code NOT IN ('orphan', 'variable', 'definition_invalid', 'by_hand')
                   THEN pg_catalog.format('; then SELECT automation.retry(%L)', w.signature) ELSE '' END
FROM (SELECT workflow, owner, state, CASE state WHEN 'failed' THEN 'failed' ELSE reason END AS code, pg_catalog.count(*) AS n,
             pg_catalog.max(error ->> 'message') AS message
      FROM automation.enrollment WHERE state IN ('failed', 'held') GROUP BY 1, 2, 3, 4) e
     JOIN automation.workflow w ON w.id = e.workflow JOIN owner o ON o.id = e.owner
WHERE w.hold IS NULL
UNION ALL
SELECT false, o.role, 'warning', 'set_aside', pg_catalog.format('owner %s', o.name),
       pg_catalog.format(CASE p.reason WHEN 'locked' THEN 'events that wait because somebody holds a lock: %s' ELSE 'events that met an error and wait for another attempt: %s' END, p.n),
       p.message,
       CASE p.reason WHEN 'locked' THEN 'pg_locks shows who holds the lock; they are tried again by themselves'
                     ELSE 'mend what the error says, before the last attempt; they are tried again by themselves' END
FROM (SELECT owner, CASE reason WHEN 'locked' THEN 'locked' ELSE 'error' END AS reason, pg_catalog.count(*) AS n,
             pg_catalog.min(at) AS oldest, pg_catalog.max(error ->> 'message') AS message
      -- what is kept for an enrollment goes on with it
      FROM automation.parked WHERE workflow IS NULL AND reason <> 'kept' GROUP BY 1, 2) p
     JOIN owner o ON o.id = p.owner, fact f
WHERE p.reason = 'error' OR p.oldest < f.now - '1 minute'::pg_catalog.interval
UNION ALL
SELECT false, o.role, 'warning', 'suspect', CASE s.kind WHEN 'timer' THEN 'enrollment ' WHEN 'sweep' THEN 'enrollment ' ELSE s.kind || ' ' END || s.id,
       pg_catalog.format('the executor died while it ran, at %s%s', s.at, CASE WHEN s.deaths > 0 THEN pg_catalog.format('; %s times alone', s.deaths) ELSE '' END), NULL,
       'the server log says how; it runs alone from now on, and is held after its third death alone'
FROM automation.suspects() s JOIN owner o ON o.id = s.owner
WHERE s.at > pg_catalog.clock_timestamp() - '1 hour'::pg_catalog.interval
      -- what was done after all is never asked about again
      AND CASE s.kind WHEN 'event' THEN EXISTS (SELECT FROM automation.event_0 v WHERE v.seq = s.id UNION ALL SELECT FROM automation.event_1 v WHERE v.seq = s.id
                                                UNION ALL SELECT FROM automation.event_2 v WHERE v.seq = s.id UNION ALL SELECT FROM automation.event_3 v WHERE v.seq = s.id)
                      WHEN 'parked event' THEN EXISTS (SELECT FROM automation.parked p WHERE p.id = s.id)
                      WHEN 'job' THEN EXISTS (SELECT FROM automation.job j WHERE j.id = s.id AND j.finished_at IS NULL)
                      ELSE EXISTS (SELECT FROM automation.enrollment e WHERE e.id = s.id)
                           OR EXISTS (SELECT FROM automation.due d WHERE d.id = -s.id) END
UNION ALL
SELECT false, o.role, 'warning', 'no_cron_job', pg_catalog.format('workflow %s', w.signature),
       CASE f.obstacle WHEN 'not_loaded' THEN 'pg_cron is not loaded'
                       WHEN 'elsewhere' THEN 'pg_cron works in another database'
                       WHEN 'not_created' THEN 'the extension pg_cron is not there'
                       ELSE 'its job in pg_cron is not there, or was changed' END
           || pg_catalog.format(': EVERY %L comes minutes late, or not at all', s.schedule), NULL,
       CASE f.obstacle WHEN 'not_loaded' THEN 'add pg_cron to shared_preload_libraries, and restart'
                       WHEN 'elsewhere' THEN pg_catalog.format('cron.database_name = %L, and a restart; then, as superuser: CREATE EXTENSION pg_cron', pg_catalog.current_database())
                       WHEN 'not_created' THEN 'as superuser: CREATE EXTENSION pg_cron'
                       ELSE 'as superuser: CALL automation.reconcile()' END
FROM automation.schedule_facts() f JOIN automation.schedule s ON s.id = f.id
     JOIN automation.workflow w ON w.id = s.workflow JOIN owner o ON o.id = s.owner
WHERE f.obstacle IS NOT NULL
UNION ALL
SELECT false, o.role, 'warning', 'no_tick', pg_catalog.format('workflow %s', w.signature),
       pg_catalog.format('pg_cron did not tick for EVERY %L: the coordinator did, some minutes late', s.schedule), NULL,
       pg_catalog.format('SELECT * FROM cron.job_run_details WHERE jobid = %s ORDER BY start_time DESC says why; if it could not connect: '
                         'cron.use_background_workers = on, and a restart', s.cron_job)
FROM automation.schedule s JOIN automation.workflow w ON w.id = s.workflow JOIN owner o ON o.id = s.owner
WHERE s.driver = 'coordinator' AND s.cron_job IS NOT NULL
UNION ALL
SELECT false, o.role, 'error', 'schedule_late', pg_catalog.format('workflow %s', w.signature),
       pg_catalog.format('EVERY %L has not been run since %s', s.schedule, f.late_since), NULL,
       'see the other rows: who should tell that it is due, and who should run it; CALL automation.run() as its owner does both'
FROM automation.schedule_facts() f JOIN automation.schedule s ON s.id = f.id
     JOIN automation.workflow w ON w.id = s.workflow JOIN owner o ON o.id = s.owner, fact
WHERE f.late_since IS NOT NULL AND w.hold IS NULL AND w.entry = 'open' AND fact.armed
UNION ALL
SELECT false, o.role, 'error', 'run_failed', pg_catalog.format('workflow %s', w.signature),
       pg_catalog.format('the run of EVERY for %s has failed, or meets errors', j.at), j.error ->> 'message',
       'mend what the error says; the next run goes on'
FROM (SELECT DISTINCT ON (workflow, clause) * FROM automation.job WHERE kind = 'E' ORDER BY workflow, clause, id DESC) j
     JOIN automation.workflow w ON w.id = j.workflow JOIN owner o ON o.id = j.owner
WHERE j.error IS NOT NULL AND w.hold IS NULL AND j.state <> 'done'

-- what is watched, and by what
UNION ALL
SELECT false, o.role, 'error', 'capture_trigger', pg_catalog.format('table %s', t.relation),
       pg_catalog.format(CASE WHEN t.tgenabled IS NULL THEN 'trigger %s is missing' ELSE 'trigger %s is disabled' END || ': changes start nothing', t.name), NULL,
       CASE WHEN t.tgenabled IS NULL THEN 'as superuser: CALL automation.reconcile()'
            ELSE pg_catalog.format('ALTER TABLE %s ENABLE TRIGGER %I', t.relation, t.name) END
FROM capture_trigger t JOIN owner o ON o.id = t.owner
UNION ALL
SELECT false, CASE WHEN r.rolsuper THEN NULL ELSE s.setrole::regrole END, 'warning', 'capture_off', pg_catalog.format('role %s', r.rolname),
       'automation.capture is off for it: what it changes in its own tables starts nothing', NULL,
       pg_catalog.format('ALTER ROLE %I%s RESET automation.capture', r.rolname,
                         CASE WHEN s.setdatabase <> 0 THEN pg_catalog.format(' IN DATABASE %I', pg_catalog.current_database()) ELSE '' END)
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
     CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (item)
WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
      AND pg_catalog.lower(c.item) ~ '^automation\.capture=(off?|f|fa|fal|fals|false|n|no|0)$'
UNION ALL
SELECT false, NULL, 'error', 'foreign_object', pg_catalog.format('table %s', f.relation),
       pg_catalog.format('%s is not the extension''s: the engine does not start with it', f.kind), NULL, f.remedy
FROM (SELECT t.tgrelid::regclass AS relation,
             CASE WHEN k.oid IS NULL THEN pg_catalog.format('trigger %I', t.tgname)
                  ELSE pg_catalog.format('foreign key %I of table %s', k.conname, k.conrelid::regclass) END AS kind,
             CASE WHEN k.oid IS NULL THEN pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
                  ELSE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname) END AS remedy
      FROM engine_table e JOIN pg_catalog.pg_trigger t ON t.tgrelid = e.oid LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid AND x.extname = 'automation'
                        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = t.tgfoid
                              AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e')
      UNION
      SELECT r.ev_class::regclass, pg_catalog.format('rule %I', r.rulename), pg_catalog.format('DROP RULE %I ON %s', r.rulename, r.ev_class::regclass)
      FROM pg_catalog.pg_rewrite r JOIN engine_table e ON e.oid = r.ev_class
      UNION ALL
      SELECT p.polrelid::regclass, pg_catalog.format('policy %I', p.polname), pg_catalog.format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass)
      FROM pg_catalog.pg_policy p JOIN engine_table e ON e.oid = p.polrelid
      WHERE (e.relname, p.polname) NOT IN (('goal_reached', 'goal_reached_members'), ('dead_letter', 'dead_letter_members'), ('inbound', 'inbound_members'),
                                             ('template', 'template_members'), ('template', 'template_users'))
      UNION ALL
      SELECT e.oid::regclass, 'row security', pg_catalog.format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', e.oid::regclass)
      FROM engine_table e WHERE e.relrowsecurity AND e.relname NOT IN ('goal_reached', 'dead_letter', 'inbound', 'template')
      UNION ALL
      SELECT i.indrelid::regclass, pg_catalog.format('index %s', i.indexrelid::regclass), pg_catalog.format('DROP INDEX %s', i.indexrelid::regclass)
      FROM pg_catalog.pg_index i JOIN engine_table e ON e.oid = i.indrelid
      -- a bare column as predicate, or whether it is null, runs no code
      WHERE i.indexprs IS NOT NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid) !~ '^([a-z_]+|\([a-z_]+ IS (NOT )?NULL\))$'
      UNION ALL
      SELECT h.inhparent::regclass, pg_catalog.format('child table %s', h.inhrelid::regclass),
             pg_catalog.format('ALTER TABLE %s NO INHERIT %s', h.inhrelid::regclass, h.inhparent::regclass)
      FROM pg_catalog.pg_inherits h JOIN engine_table e ON e.oid = h.inhparent
      UNION ALL
      SELECT p.prrelid::regclass, pg_catalog.format('publication %I', b.pubname), pg_catalog.format('ALTER PUBLICATION %I DROP TABLE %s', b.pubname, p.prrelid::regclass)
      FROM pg_catalog.pg_publication_rel p JOIN engine_table e ON e.oid = p.prrelid JOIN pg_catalog.pg_publication b ON b.oid = p.prpubid) f

-- space
UNION ALL
SELECT false, NULL, 'warning', 'log_held', h.subject,
       pg_catalog.format('%s keeps the event log, now %s, from being emptied', h.who, pg_catalog.pg_size_pretty(f.log_bytes)), NULL, h.remedy
FROM fact f, (SELECT * FROM holder ORDER BY age DESC LIMIT 3) h
WHERE f.log_bytes > 2 * f.segment AND h.age > 0
UNION ALL
SELECT false, NULL, 'warning', 'log_large', 'event log',
       pg_catalog.format('it has grown to %s', pg_catalog.pg_size_pretty(f.log_bytes)), NULL,
       'it is emptied when its events are done and no old snapshot sees them: see the other rows and automation.stat'
FROM fact f WHERE f.log_bytes > 4 * f.segment AND NOT EXISTS (SELECT FROM holder h WHERE h.age > 0)
UNION ALL
SELECT false, NULL, 'warning', 'journal_not_emptied', pg_catalog.format('table automation.%s', j.name),
       'it holds a month older than thirteen months', NULL,
       pg_catalog.format('as superuser: DELETE FROM automation.%I WHERE at < %L', j.name, pg_catalog.date_trunc('month', f.now) - '13 months'::pg_catalog.interval)
FROM fact f, (SELECT 'history_00' AS name, (SELECT at FROM automation.history_00 LIMIT 1) AS at UNION ALL
              SELECT 'history_01', (SELECT at FROM automation.history_01 LIMIT 1) UNION ALL
              SELECT 'history_02', (SELECT at FROM automation.history_02 LIMIT 1) UNION ALL
              SELECT 'history_03', (SELECT at FROM automation.history_03 LIMIT 1) UNION ALL
              SELECT 'history_04', (SELECT at FROM automation.history_04 LIMIT 1) UNION ALL
              SELECT 'history_05', (SELECT at FROM automation.history_05 LIMIT 1) UNION ALL
              SELECT 'history_06', (SELECT at FROM automation.history_06 LIMIT 1) UNION ALL
              SELECT 'history_07', (SELECT at FROM automation.history_07 LIMIT 1) UNION ALL
              SELECT 'history_08', (SELECT at FROM automation.history_08 LIMIT 1) UNION ALL
              SELECT 'history_09', (SELECT at FROM automation.history_09 LIMIT 1) UNION ALL
              SELECT 'history_10', (SELECT at FROM automation.history_10 LIMIT 1) UNION ALL
              SELECT 'history_11', (SELECT at FROM automation.history_11 LIMIT 1) UNION ALL
              SELECT 'history_12', (SELECT at FROM automation.history_12 LIMIT 1) UNION ALL
              SELECT 'history_13', (SELECT at FROM automation.history_13 LIMIT 1)) j
WHERE j.at < pg_catalog.date_trunc('month', f.now) - '13 months'::pg_catalog.interval
UNION ALL
SELECT false, NULL, 'warning', 'autovacuum_off', pg_catalog.format('table automation.%s', e.relname),
       'autovacuum is switched off for it', NULL, pg_catalog.format('ALTER TABLE automation.%I RESET (autovacuum_enabled)', e.relname)
FROM engine_table e
WHERE e.relname !~ '^event_\d$' AND EXISTS (SELECT FROM pg_catalog.unnest(e.reloptions) o (item)
                                             WHERE pg_catalog.lower(o.item) ~ '^autovacuum_enabled=(off?|f|fa|fal|fals|false|n|no|0)$')

-- settings
UNION ALL
SELECT false, NULL, v.severity, 'setting', pg_catalog.format('setting %s', v.name), v.problem, NULL,
       pg_catalog.format('%s = on in postgresql.conf, and a reload', v.name)
FROM setting s
     JOIN (VALUES ('fsync', 'error', 'it is off: a crash of the machine can destroy the database'),
                  ('full_page_writes', 'error', 'it is off: a crash of the machine can destroy the database'),
                  ('autovacuum', 'warning', 'it is off: the engine''s tables grow and become slow'),
                  ('track_counts', 'warning', 'it is off: autovacuum does not know what to do, and the engine''s tables grow'),
                  ('automation.synchronous_commit', 'notice', 'it is off: after a crash what was committed last is done again, NOTIFY and other databases told twice'),
                  ('automation.capture', 'error', 'it is off for everybody: what owners change in their own tables starts nothing')) v (name, severity, problem)
          ON v.name = s.name
WHERE s.setting = 'off' AND (s.name <> 'automation.capture' OR s.source = 'configuration file');
COMMENT ON VIEW automation.problem IS 'For automation.health()';

CREATE FUNCTION automation.health(OUT severity text, OUT code text, OUT owner regrole, OUT subject text, OUT problem text, OUT remedy text)
    RETURNS SETOF record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_health';
COMMENT ON FUNCTION automation.health() IS
    'What is wrong and what to do about it, worst first; no rows: all is well. severity: error (something does not run), warning, notice; '
    'owner: whose problem it is, NULL: the server''s. An owner sees his own, pg_monitor and superusers everything';

