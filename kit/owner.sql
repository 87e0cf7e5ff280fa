-- Owners: set, and given by rotation.
--
-- A rotation is named by its pool: all calls with the same pool deal from the same counts. Each turn goes to the
-- member who was given least, in proportion to his weight; among equals to him whose last turn is longest ago.
-- Who joins, or comes back, begins where the others are. Callers at the same time take turns one after the other:
-- the pool's row stays locked to the end of the transaction.

CREATE FUNCTION set_owner(c contact, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE contact SET owner_id = owner WHERE id = (c).id AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_owner(contact, bigint) IS 'Makes a user the owner of the contact, NULL: nobody. If he is: nothing happens. No user of that id: an error';

CREATE FUNCTION set_owner(d deal, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE deal SET owner_id = owner WHERE id = (d).id AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_owner(deal, bigint) IS 'Makes a user the owner of the deal; as set_owner(contact, bigint) (A70)';

CREATE FUNCTION set_owner(a account, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE account SET owner_id = owner WHERE id = (a).id AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_owner(account, bigint) IS 'Makes a user the owner of the account; as set_owner(contact, bigint) (A84)';

CREATE FUNCTION set_owner(t ticket, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE ticket SET owner_id = owner WHERE id = (t).id AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_owner(ticket, bigint) IS 'Makes a user the owner of the ticket; as set_owner(contact, bigint)';

CREATE FUNCTION set_owner(p project, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE project SET owner_id = owner WHERE id = (p).id AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_owner(project, bigint) IS 'Makes a user the owner of the project; as set_owner(contact, bigint) (A122)';

CREATE FUNCTION set_owner(r custom_object_record, owner bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE custom_object_record SET owner_id = owner WHERE id = (r).id AND owner_id IS DISTINCT FROM owner;
END;
COMMENT ON FUNCTION set_owner(custom_object_record, bigint) IS 'Makes a user the owner of the custom object record; as set_owner(contact, bigint)';

CREATE FUNCTION me() RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT u.id FROM app_user u WHERE u.db_role = current_user ORDER BY u.id LIMIT 1);
COMMENT ON FUNCTION me() IS
    'The user who works as the current role (app_user.db_role); in a workflow that is its owner. NULL if there is none (S79)';

-- Who takes part

CREATE FUNCTION may_have_turn(u app_user, paid_only boolean DEFAULT true) RETURNS boolean LANGUAGE sql STABLE
RETURN (u).is_active AND ((u).is_paid OR NOT paid_only) AND coalesce((u).away_until <= automation.now(), true);
COMMENT ON FUNCTION may_have_turn(app_user, boolean) IS
    'Whether a rotation gives the user anything now: he is active, not away (away_until), and has a paid seat, if that is asked for (S74)';

CREATE FUNCTION team_users(team text, main_only boolean DEFAULT true) RETURNS bigint[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT m.user_id FROM team_member m
             WHERE m.team_id = coalesce(team(team_users.team), no_such('team', team_users.team)) AND (m.is_main OR NOT main_only)
             ORDER BY m.user_id);
COMMENT ON FUNCTION team_users(text, boolean) IS
    'Ids of the users of a team: those whose main team it is, or all of its members. No team of that name: an error (S71)';

CREATE FUNCTION team_weights(team text, main_only boolean DEFAULT true) RETURNS numeric[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT m.weight FROM team_member m WHERE m.team_id = team(team_weights.team) AND (m.is_main OR NOT main_only) ORDER BY m.user_id);
COMMENT ON FUNCTION team_weights(text, boolean) IS 'Weights of the members of a team, in the order of team_users()';

CREATE FUNCTION anyone_available(users bigint[], paid_only boolean DEFAULT true) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM app_user u WHERE u.id = ANY (users) AND may_have_turn(u, paid_only));
COMMENT ON FUNCTION anyone_available(bigint[], boolean) IS
    'Whether a rotation among these users finds anybody now';

CREATE FUNCTION anyone_available(team text, main_only boolean DEFAULT true, paid_only boolean DEFAULT true) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM team t JOIN team_member m ON m.team_id = t.id JOIN app_user u ON u.id = m.user_id
               WHERE t.name = anyone_available.team AND (m.is_main OR NOT main_only) AND may_have_turn(u, paid_only));
COMMENT ON FUNCTION anyone_available(text, boolean, boolean) IS
    'Whether a rotation of the team finds anybody now: WAIT UNTIL anyone_available(''Sales''); false for a team that is not there';

CREATE FUNCTION no_workload(what text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = pg_catalog.format('no workload is known of %L', what),
        HINT = 'Say deal, ticket, project, task, contact, account or custom_object_record.';
END $$;
COMMENT ON FUNCTION no_workload(text) IS 'Raises the error that workload() does not know the word';

CREATE FUNCTION workload(user_id bigint, what text) RETURNS bigint LANGUAGE sql STABLE
RETURN CASE what
    WHEN 'deal' THEN (SELECT count(*) FROM deal r WHERE r.owner_id = workload.user_id AND r.status = 'open' AND r.deleted_at IS NULL)
    WHEN 'ticket' THEN (SELECT count(*) FROM ticket r LEFT JOIN pipeline_stage s ON s.id = r.status_id
                        WHERE r.owner_id = workload.user_id AND coalesce(s.is_open, true) AND r.closed_at IS NULL AND r.deleted_at IS NULL)
    WHEN 'project' THEN (SELECT count(*) FROM project r WHERE r.owner_id = workload.user_id AND r.status = 'open' AND r.deleted_at IS NULL)
    WHEN 'task' THEN (SELECT count(*) FROM activity r WHERE r.assignee_id = workload.user_id AND r.status = 'open' AND r.deleted_at IS NULL)
    WHEN 'contact' THEN (SELECT count(*) FROM contact r WHERE r.owner_id = workload.user_id AND r.deleted_at IS NULL)
    WHEN 'account' THEN (SELECT count(*) FROM account r WHERE r.owner_id = workload.user_id AND r.deleted_at IS NULL)
    WHEN 'custom_object_record' THEN (SELECT count(*) FROM custom_object_record r WHERE r.owner_id = workload.user_id AND r.deleted_at IS NULL)
    ELSE no_workload(what) END;
COMMENT ON FUNCTION workload(bigint, text) IS
    'How much a user has to do: his open deals, tickets, projects or tasks, or his contacts, accounts or records of custom objects; what is one of deal, ticket, '
    'project, task, contact, account, custom_object_record';

-- Turns

-- In plpgsql its long statement is planned once a session, not for each call.
CREATE FUNCTION rotate_turns(pool text, users bigint[], weights numeric[] DEFAULT NULL, turns int DEFAULT 1, paid_only boolean DEFAULT true,
                             reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS TABLE (turn bigint, user_id bigint) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    IF rotate_turns.turns > 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = 'a rotation gives at most 1000000 turns at once',
            HINT = 'Give them in several calls.';
    ELSIF 'infinity' <= ANY (weights) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a weight must be a finite number';
    END IF;
    IF rotate_turns.turns > 0 AND users IS NOT NULL THEN
        INSERT INTO rotation_pool AS p (name, turns) VALUES (rotate_turns.pool, rotate_turns.turns)
        ON CONFLICT (name) DO UPDATE SET turns = p.turns + excluded.turns;
        RETURN QUERY
        WITH l AS (
            SELECT p.turns - rotate_turns.turns AS given, p.members, p.present,
                   rotate_turns.reset_on_edit AND p.members <> '{}' AND NOT (p.members @> rotate_turns.users AND p.members <@ rotate_turns.users) AS reset
            FROM rotation_pool p WHERE p.name = rotate_turns.pool
        ), here AS (
            SELECT u.id, w.weight, t.assigned, t.last_turn, u.id = ANY (l.present) AS was_here
            FROM l, (SELECT x.id, max(coalesce(x.weight, 1)) FROM unnest(rotate_turns.users, rotate_turns.weights) x (id, weight) GROUP BY x.id
                     HAVING max(coalesce(x.weight, 1)) > 0) w (id, weight)
                 JOIN app_user u ON u.id = w.id AND may_have_turn(u, rotate_turns.paid_only)
                 LEFT JOIN rotation_turn t ON t.pool = rotate_turns.pool AND t.user_id = u.id
        ), level AS (
            SELECT min(assigned / weight) AS level FROM here WHERE was_here
        ), member AS (
            SELECT here.id, here.weight, here.last_turn,
                   CASE WHEN l.reset THEN 0
                        WHEN here.was_here THEN here.assigned
                        ELSE greatest(here.assigned, ceil(level.level * here.weight), 0) END AS assigned,
                   CASE WHEN rotate_turns.least_busy IS NOT NULL THEN workload(here.id, rotate_turns.least_busy) END AS busy
            FROM l, level, here
        ), dealt AS (
            SELECT member.id, row_number() OVER w AS turn
            FROM member, generate_series(0, rotate_turns.turns - 1) n
            WINDOW w AS (ORDER BY (coalesce(busy, assigned) + n) / weight, n > 0, last_turn NULLS FIRST, member.id)
            ORDER BY 2 LIMIT rotate_turns.turns
        ), counted AS (
            INSERT INTO rotation_turn AS t (pool, user_id, assigned, last_turn, assigned_at)
            SELECT rotate_turns.pool, member.id, member.assigned + d.turns, l.given + d.last, CASE WHEN d.turns > 0 THEN automation.now() END
            FROM l, member, LATERAL (SELECT count(*), max(dealt.turn) FROM dealt WHERE dealt.id = member.id) d (turns, last)
            ORDER BY member.id
            ON CONFLICT (pool, user_id) DO UPDATE
            SET assigned = excluded.assigned, last_turn = coalesce(excluded.last_turn, t.last_turn), assigned_at = coalesce(excluded.assigned_at, t.assigned_at)
            WHERE t.assigned <> excluded.assigned OR excluded.last_turn IS NOT NULL
        ), kept AS (
            UPDATE rotation_pool p
            SET members = rotate_turns.users, present = h.present, reset_at = CASE WHEN l.reset THEN automation.now() ELSE p.reset_at END
            FROM l, (SELECT coalesce(array_agg(here.id ORDER BY here.id), '{}') FROM here) h (present)
            WHERE p.name = rotate_turns.pool AND (p.members IS DISTINCT FROM rotate_turns.users OR p.present IS DISTINCT FROM h.present))
        SELECT dealt.turn, dealt.id FROM dealt ORDER BY dealt.turn;
    END IF;
END $$;
COMMENT ON FUNCTION rotate_turns(text, bigint[], numeric[], int, boolean, boolean, text) IS
    'Gives so many turns of a pool among users at once: (number of the turn, user). Nobody who may have one (may_have_turn()): no rows. '
    'weights belong to users by their position, 1 where none is given; 0 gets nothing. reset_on_edit: other users than at the last turn, and all begin at 0; '
    'else who is new begins where the others are. least_busy: not the turns count but what each has to do, one of the words of workload(). '
    'Locks the pool''s row to the end of the transaction. Errors: more than 1000000 turns, a weight that is no finite number (A88 A90 S72 S74)';

CREATE FUNCTION rotate(team text, fallback bigint DEFAULT NULL, main_only boolean DEFAULT true, paid_only boolean DEFAULT true,
                       pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT coalesce((SELECT t.user_id
                     FROM rotate_turns(coalesce(pool, 'team:' || rotate.team), team_users(rotate.team, main_only), team_weights(rotate.team, main_only),
                                       1, paid_only, reset_on_edit, least_busy) t), fallback);
END;
COMMENT ON FUNCTION rotate(text, bigint, boolean, boolean, text, boolean, text) IS
    'The user of a team whose turn it is; fallback, which may be nobody, if there is none. Of the team those count whose main team it is, unless main_only is false, '
    'who are active, not away, and have a paid seat, unless paid_only is false. pool: counts of their own, else they are the team''s. '
    'reset_on_edit, least_busy: as rotate_turns(). No team of that name: an error (A88 A89 S71 S72 S74)';

CREATE FUNCTION rotate(users bigint[], fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL, paid_only boolean DEFAULT true,
                       pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT coalesce((SELECT t.user_id
                     FROM rotate_turns(coalesce(pool, 'users:' || array_to_string(users, ',')), users, weights, 1, paid_only, reset_on_edit, least_busy) t), fallback);
END;
COMMENT ON FUNCTION rotate(bigint[], bigint, numeric[], boolean, text, boolean, text) IS
    'The one of these users whose turn it is; any query can say who they are: rotate(ARRAY(SELECT id FROM app_user WHERE ...), pool => ''night''). '
    'Without a pool the users themselves name it, so that other users are another pool. As rotate(text, ...) (A88 A90 S72 S74)';

-- Owners by rotation

CREATE FUNCTION rotate_owners(kind text, ids bigint[], team text DEFAULT NULL, users bigint[] DEFAULT NULL, weights numeric[] DEFAULT NULL,
                              if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true, paid_only boolean DEFAULT true,
                              pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    todo bigint[];
    written bigint;
BEGIN
    IF kind IS NULL OR kind NOT IN ('contact', 'deal', 'account', 'ticket', 'project', 'custom_object_record') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('records of %L have no owner', kind),
            HINT = 'Say contact, deal, account, ticket, project or custom_object_record.';
    ELSIF if_owned IS NULL OR if_owned NOT IN ('keep', 'reassign') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('if_owned cannot be %L', if_owned),
            HINT = 'Say keep, for records that have an owner to keep him, or reassign.';
    ELSIF (rotate_owners.team IS NULL) = (rotate_owners.users IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a rotation is among a team or among users',
            HINT = 'Give one of team and users.';
    END IF;

    -- the pool before the records, as UPDATE ... SET owner_id = rotate(...) does; who need not wait for it does not
    EXECUTE format('SELECT array_agg(id) FROM %I WHERE id = ANY ($1) AND (owner_id IS NULL OR $2)', kind) INTO todo USING ids, if_owned = 'reassign';
    IF todo IS NULL THEN
        RETURN 0;
    END IF;
    IF rotate_owners.team IS NOT NULL THEN
        pool := coalesce(pool, 'team:' || rotate_owners.team);
        users := team_users(rotate_owners.team, main_only);
        weights := team_weights(rotate_owners.team, main_only);
    ELSE
        pool := coalesce(pool, 'users:' || array_to_string(rotate_owners.users, ','));
    END IF;
    INSERT INTO rotation_pool (name) VALUES (pool) ON CONFLICT DO NOTHING;
    PERFORM FROM rotation_pool p WHERE p.name = rotate_owners.pool FOR NO KEY UPDATE;
    EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM %I WHERE id = ANY ($1) AND (owner_id IS NULL OR $2) ORDER BY id FOR NO KEY UPDATE) r', kind)
    INTO todo USING todo, if_owned = 'reassign';
    EXECUTE format('UPDATE %I r SET owner_id = coalesce(t.user_id, $8)
                    FROM unnest($1) WITH ORDINALITY o (id, n) LEFT JOIN rotate_turns($2, $3, $4, cardinality($1), $5, $6, $7) t ON t.turn = o.n
                    WHERE r.id = o.id AND coalesce(t.user_id, $8) IS NOT NULL AND r.owner_id IS DISTINCT FROM coalesce(t.user_id, $8)', kind)
    USING todo, pool, users, weights, paid_only, reset_on_edit, least_busy, fallback;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;
COMMENT ON FUNCTION rotate_owners(text, bigint[], text, bigint[], numeric[], text, bigint, boolean, boolean, text, boolean, text) IS
    'Deals records out among the users of a team, or among users, in one statement and in the order of their ids; kind is contact, deal, account, ticket, '
    'project or custom_object_record. Returns how many got another owner. if_owned: keep (who has an owner keeps him, and takes no turn) or reassign. '
    'Nobody whose turn it could be: the fallback, or else they stay as they are. The others as rotate(text, ...) and rotate(bigint[], ...) (A88 A91 S75)';

CREATE FUNCTION rotate_owner(c contact, team text, if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('contact', ARRAY[(c).id], team => rotate_owner.team, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         main_only => rotate_owner.main_only, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
CREATE FUNCTION rotate_owner(c contact, users bigint[], if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('contact', ARRAY[(c).id], users => rotate_owner.users, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         weights => rotate_owner.weights, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
COMMENT ON FUNCTION rotate_owner(contact, text, text, bigint, boolean, boolean, text, boolean, text) IS
    'Gives the contact an owner of this team, in turn; returns 1 if he got another one, else 0. if_owned: keep, which is the default (who has an owner keeps him, and nobody''s turn is used), '
    'or reassign. Nobody whose turn it could be: fallback, or he stays as he is. The others as rotate(text, ...) (A88 A89 A91 S71 S72 S74 S75)';
COMMENT ON FUNCTION rotate_owner(contact, bigint[], text, bigint, numeric[], boolean, text, boolean, text) IS
    'Gives the contact one of these users as his owner, in turn; as rotate_owner(contact, text, ...) and rotate(bigint[], ...) (A88 A90 A91)';

CREATE FUNCTION rotate_owner(d deal, team text, if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('deal', ARRAY[(d).id], team => rotate_owner.team, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         main_only => rotate_owner.main_only, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
CREATE FUNCTION rotate_owner(d deal, users bigint[], if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('deal', ARRAY[(d).id], users => rotate_owner.users, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         weights => rotate_owner.weights, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
COMMENT ON FUNCTION rotate_owner(deal, text, text, bigint, boolean, boolean, text, boolean, text) IS
    'Gives the deal an owner of this team, in turn; as rotate_owner(contact, text, ...) (A88)';
COMMENT ON FUNCTION rotate_owner(deal, bigint[], text, bigint, numeric[], boolean, text, boolean, text) IS
    'Gives the deal one of these users as its owner, in turn; as rotate_owner(contact, bigint[], ...) (A88)';

CREATE FUNCTION rotate_owner(a account, team text, if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('account', ARRAY[(a).id], team => rotate_owner.team, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         main_only => rotate_owner.main_only, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
CREATE FUNCTION rotate_owner(a account, users bigint[], if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('account', ARRAY[(a).id], users => rotate_owner.users, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         weights => rotate_owner.weights, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
COMMENT ON FUNCTION rotate_owner(account, text, text, bigint, boolean, boolean, text, boolean, text) IS
    'Gives the account an owner of this team, in turn; as rotate_owner(contact, text, ...) (A88)';
COMMENT ON FUNCTION rotate_owner(account, bigint[], text, bigint, numeric[], boolean, text, boolean, text) IS
    'Gives the account one of these users as its owner, in turn; as rotate_owner(contact, bigint[], ...) (A88)';

CREATE FUNCTION rotate_owner(t ticket, team text, if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('ticket', ARRAY[(t).id], team => rotate_owner.team, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         main_only => rotate_owner.main_only, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
CREATE FUNCTION rotate_owner(t ticket, users bigint[], if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('ticket', ARRAY[(t).id], users => rotate_owner.users, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         weights => rotate_owner.weights, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
COMMENT ON FUNCTION rotate_owner(ticket, text, text, bigint, boolean, boolean, text, boolean, text) IS
    'Gives the ticket an owner of this team, in turn; as rotate_owner(contact, text, ...) (A88)';
COMMENT ON FUNCTION rotate_owner(ticket, bigint[], text, bigint, numeric[], boolean, text, boolean, text) IS
    'Gives the ticket one of these users as its owner, in turn; as rotate_owner(contact, bigint[], ...) (A88)';

CREATE FUNCTION rotate_owner(p project, team text, if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('project', ARRAY[(p).id], team => rotate_owner.team, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         main_only => rotate_owner.main_only, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
CREATE FUNCTION rotate_owner(p project, users bigint[], if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('project', ARRAY[(p).id], users => rotate_owner.users, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         weights => rotate_owner.weights, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
COMMENT ON FUNCTION rotate_owner(project, text, text, bigint, boolean, boolean, text, boolean, text) IS
    'Gives the project an owner of this team, in turn; as rotate_owner(contact, text, ...) (A88)';
COMMENT ON FUNCTION rotate_owner(project, bigint[], text, bigint, numeric[], boolean, text, boolean, text) IS
    'Gives the project one of these users as its owner, in turn; as rotate_owner(contact, bigint[], ...) (A88)';

CREATE FUNCTION rotate_owner(r custom_object_record, team text, if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, main_only boolean DEFAULT true,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('custom_object_record', ARRAY[(r).id], team => rotate_owner.team, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         main_only => rotate_owner.main_only, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
CREATE FUNCTION rotate_owner(r custom_object_record, users bigint[], if_owned text DEFAULT 'keep', fallback bigint DEFAULT NULL, weights numeric[] DEFAULT NULL,
                             paid_only boolean DEFAULT true, pool text DEFAULT NULL, reset_on_edit boolean DEFAULT false, least_busy text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT rotate_owners('custom_object_record', ARRAY[(r).id], users => rotate_owner.users, if_owned => rotate_owner.if_owned, fallback => rotate_owner.fallback,
                         weights => rotate_owner.weights, paid_only => rotate_owner.paid_only, pool => rotate_owner.pool,
                         reset_on_edit => rotate_owner.reset_on_edit, least_busy => rotate_owner.least_busy);
END;
COMMENT ON FUNCTION rotate_owner(custom_object_record, text, text, bigint, boolean, boolean, text, boolean, text) IS
    'Gives the custom object record an owner of this team, in turn; as rotate_owner(contact, text, ...) (A88)';
COMMENT ON FUNCTION rotate_owner(custom_object_record, bigint[], text, bigint, numeric[], boolean, text, boolean, text) IS
    'Gives the custom object record one of these users as its owner, in turn; as rotate_owner(contact, bigint[], ...) (A88)';
