-- How it goes: numbers for a person with psql and for a monitoring system, and
-- what is wrong.  The rule of the views holds: a row is for the members of the
-- role it belongs to, for pg_read_all_data and, as it has no key and no value,
-- for pg_monitor.  The functions look at their caller themselves.

CREATE FUNCTION automation.stat_counters(
    OUT owner regrole, OUT since timestamptz,
    OUT events bigint, OUT items bigint, OUT entered bigint, OUT not_entered bigint, OUT ended bigint,
    OUT statements bigint, OUT statements_direct bigint, OUT waits_begun bigint, OUT waits_over bigint,
    OUT woken bigint, OUT rechecked bigint,
    OUT retries bigint, OUT failures bigint, OUT holds bigint, OUT set_aside bigint,
    OUT batches bigint, OUT rollbacks bigint, OUT conflicts bigint, OUT bisections bigint, OUT alone bigint,
    OUT cancels bigint, OUT deaths bigint,
    OUT rotations bigint, OUT segments_emptied bigint, OUT executors_started bigint,
    OUT delivery_attempts bigint, OUT messages_sent bigint, OUT messages_repeated bigint, OUT messages_dead bigint,
    OUT messages_unknown bigint) RETURNS SETOF record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_stat_counters';
COMMENT ON FUNCTION automation.stat_counters() IS
    'What automation.stat and stat_engine count; owner NULL: the last eight, of the database. '
    'In shared memory: kept when an executor ends, lost when the server does. Without preload: what this session did';

CREATE FUNCTION automation.stat_buckets(
    OUT owner regrole, OUT kind text, OUT bucket int, OUT upto double precision, OUT count bigint,
    OUT total double precision) RETURNS SETOF record
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_stat_buckets';
COMMENT ON FUNCTION automation.stat_buckets() IS 'What automation.stat_latency and stat_histogram are made of';

CREATE FUNCTION automation.stat_reset(owner regrole DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'wf_stat_reset';
COMMENT ON FUNCTION automation.stat_reset(regrole) IS
    'Counts from zero for a role of one''s own; NULL: for all of them, and a superuser''s call for the database as well. '
    'Error 42501: the role is not the caller''s';

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
       k.next_parked,
       c.since AS counted_since,
       c.events AS events_done, c.items, c.entered, c.not_entered, c.ended, c.statements, c.statements_direct, c.waits_begun, c.waits_over,
       c.woken, c.rechecked,
       c.retries, c.failures, c.holds, c.set_aside,
       c.batches, c.rollbacks, c.conflicts, c.bisections, c.alone, c.cancels, c.deaths
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
     LEFT JOIN automation.stat_counters() c ON c.owner = o.role
WHERE pg_catalog.pg_has_role(o.role, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE')
      OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');

COMMENT ON VIEW automation.stat IS 'The engine in numbers, per owner: how things are, and what was done since counted_since';
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
COMMENT ON COLUMN automation.stat.counted_since IS
    'begin of the counts that follow: server start, first work or automation.stat_reset(); '
    'NULL: nothing was done since, or, without preload, not by this session';
COMMENT ON COLUMN automation.stat.events_done IS 'events taken from the log';
COMMENT ON COLUMN automation.stat.items IS 'changes, timers and commands carried out';
COMMENT ON COLUMN automation.stat.entered IS 'enrollments begun';
COMMENT ON COLUMN automation.stat.not_entered IS 'entries refused, each time';
COMMENT ON COLUMN automation.stat.ended IS 'enrollments ended, for whatever reason';
COMMENT ON COLUMN automation.stat.statements IS 'statements of workflows run';
COMMENT ON COLUMN automation.stat.statements_direct IS 'of them, those that were run again and again in a batch and did without a plan''s set-up';
COMMENT ON COLUMN automation.stat.waits_begun IS 'times an enrollment began to wait';
COMMENT ON COLUMN automation.stat.waits_over IS 'times one went on because its wait was over';
COMMENT ON COLUMN automation.stat.woken IS 'times one was looked at because of a row that its condition reads or its WAIT FOR asks for';
COMMENT ON COLUMN automation.stat.rechecked IS 'times one was looked at because automation.recheck_interval was over: its condition can''t be tied to rows';
COMMENT ON COLUMN automation.stat.retries IS 'times an attempt met an error or a lock and another one was put down for later';
COMMENT ON COLUMN automation.stat.failures IS 'times an enrollment used up its attempts';
COMMENT ON COLUMN automation.stat.holds IS 'times an enrollment was held';
COMMENT ON COLUMN automation.stat.set_aside IS 'times an event was put aside';
COMMENT ON COLUMN automation.stat.batches IS 'transactions committed';
COMMENT ON COLUMN automation.stat.rollbacks IS 'transactions rolled back; what was done in them is not counted elsewhere';
COMMENT ON COLUMN automation.stat.conflicts IS 'rollbacks because of a lock, a deadlock or a serialization failure';
COMMENT ON COLUMN automation.stat.bisections IS 'batches done in halves because their end failed, as a deferred constraint can';
COMMENT ON COLUMN automation.stat.alone IS 'items that ran in a transaction of their own, after an error, a crash or as slow ones';
COMMENT ON COLUMN automation.stat.cancels IS 'rollbacks because a statement took too long';
COMMENT ON COLUMN automation.stat.deaths IS 'executors that died in the middle of an item';

CREATE VIEW automation.stat_engine WITH (security_barrier) AS
SELECT c.since AS counted_since,
       coalesce(c.rotations, 0) AS rotations,
       coalesce(c.segments_emptied, 0) AS segments_emptied,
       coalesce(c.executors_started, 0) AS executors_started,
       coalesce(c.delivery_attempts, 0) AS delivery_attempts,
       coalesce(c.messages_sent, 0) AS messages_sent,
       coalesce(c.messages_repeated, 0) AS messages_repeated,
       coalesce(c.messages_dead, 0) AS messages_dead,
       coalesce(c.messages_unknown, 0) AS messages_unknown,
       pg_catalog.pg_total_relation_size('automation.event_0') + pg_catalog.pg_total_relation_size('automation.event_1')
           + pg_catalog.pg_total_relation_size('automation.event_2') + pg_catalog.pg_total_relation_size('automation.event_3') AS log_bytes,
       pg_catalog.pg_total_relation_size('automation.enrollment') AS enrollment_bytes,
       pg_catalog.pg_total_relation_size('automation.ledger') AS ledger_bytes,
       (SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(h.oid))::bigint FROM pg_catalog.pg_class h
        WHERE h.relnamespace = 'automation'::regnamespace AND h.relname ~ '^history_\d\d$') AS journal_bytes
FROM (VALUES (1)) one LEFT JOIN automation.stat_counters() c ON c.owner IS NULL;
COMMENT ON VIEW automation.stat_engine IS 'What belongs to the database and no owner, in one row';
COMMENT ON COLUMN automation.stat_engine.counted_since IS 'begin of the counts that follow; NULL: nothing was done';
COMMENT ON COLUMN automation.stat_engine.rotations IS 'times the event log went to its next segment';
COMMENT ON COLUMN automation.stat_engine.segments_emptied IS 'times a segment of it was emptied';
COMMENT ON COLUMN automation.stat_engine.executors_started IS 'executors started by the coordinator';
COMMENT ON COLUMN automation.stat_engine.delivery_attempts IS 'attempts to deliver a message that have ended';
COMMENT ON COLUMN automation.stat_engine.messages_sent IS 'messages that were accepted';
COMMENT ON COLUMN automation.stat_engine.messages_repeated IS 'times a message was put down for another attempt';
COMMENT ON COLUMN automation.stat_engine.messages_dead IS 'messages that ended as dead by an attempt or its absence';
COMMENT ON COLUMN automation.stat_engine.messages_unknown IS 'messages of which nobody can tell whether they arrived';
COMMENT ON COLUMN automation.stat_engine.log_bytes IS 'size of the event log with its indexes; it shrinks when no old snapshot needs it';
COMMENT ON COLUMN automation.stat_engine.enrollment_bytes IS 'size of the enrollments with their indexes';
COMMENT ON COLUMN automation.stat_engine.ledger_bytes IS 'size of the ledger (who entered what, how often) with its index';
COMMENT ON COLUMN automation.stat_engine.journal_bytes IS 'size of the journal''s months with their indexes';

CREATE VIEW automation.stat_histogram WITH (security_barrier) AS
SELECT b.owner, b.kind, b.upto, b.count,
       pg_catalog.sum(b.count) OVER (PARTITION BY b.owner, b.kind ORDER BY b.bucket)::bigint AS cumulative,
       b.total
FROM automation.stat_buckets() b;
COMMENT ON VIEW automation.stat_histogram IS 'How long things took, for a monitoring system: buckets twice as wide each';
COMMENT ON COLUMN automation.stat_histogram.owner IS 'role whose workflows are counted';
COMMENT ON COLUMN automation.stat_histogram.kind IS
    'event: from a change to the commit of what it caused; timer: from the time it was due to the commit; '
    'item: one change, timer or command; batch: one transaction';
COMMENT ON COLUMN automation.stat_histogram.upto IS 'upper bound of the bucket, in seconds; Infinity in the last one';
COMMENT ON COLUMN automation.stat_histogram.count IS 'how many took less than this, and not less than the bound before';
COMMENT ON COLUMN automation.stat_histogram.cumulative IS 'how many took less than this';
COMMENT ON COLUMN automation.stat_histogram.total IS 'sum of all of this kind, in seconds';

CREATE VIEW automation.stat_latency WITH (security_barrier) AS
SELECT h.owner, h.kind,
       pg_catalog.sum(h.count)::bigint AS count,
       pg_catalog.max(h.total) * 1000 / nullif(pg_catalog.sum(h.count), 0)::double precision AS mean,
       pg_catalog.min(h.upto) FILTER (WHERE h.cumulative >= 0.5 * h.n) * 1000 AS p50,
       pg_catalog.min(h.upto) FILTER (WHERE h.cumulative >= 0.9 * h.n) * 1000 AS p90,
       pg_catalog.min(h.upto) FILTER (WHERE h.cumulative >= 0.99 * h.n) * 1000 AS p99,
       pg_catalog.max(h.upto) FILTER (WHERE h.count > 0) * 1000 AS longest
FROM (SELECT s.*, nullif(pg_catalog.sum(s.count) OVER (PARTITION BY s.owner, s.kind), 0) AS n FROM automation.stat_histogram s) h
GROUP BY h.owner, h.kind;
COMMENT ON VIEW automation.stat_latency IS 'How long things took, to read: milliseconds';
COMMENT ON COLUMN automation.stat_latency.owner IS 'role whose workflows are counted';
COMMENT ON COLUMN automation.stat_latency.kind IS 'event, timer, item, batch: see automation.stat_histogram';
COMMENT ON COLUMN automation.stat_latency.count IS 'how many';
COMMENT ON COLUMN automation.stat_latency.mean IS 'milliseconds on average';
COMMENT ON COLUMN automation.stat_latency.p50 IS 'half of them took less than this, in milliseconds; like the next three an upper bound, at most twice the truth';
COMMENT ON COLUMN automation.stat_latency.p90 IS 'nine of ten took less, in milliseconds';
COMMENT ON COLUMN automation.stat_latency.p99 IS '99 of 100 took less, in milliseconds';
COMMENT ON COLUMN automation.stat_latency.longest IS 'all took less, in milliseconds';

GRANT SELECT ON automation.stat, automation.stat_engine, automation.stat_histogram, automation.stat_latency TO PUBLIC;

