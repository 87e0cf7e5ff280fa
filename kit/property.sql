-- Properties by name: written, copied, cleared, counted, on a record or on all records associated with it.
--
-- A property is a column of the record's table, or a key of its jsonb column custom, spelled custom.key. The functions
-- take a row of any table that has a primary key id; the records associated with it are those of the view association.
-- All records are written by one statement, those only whose value changes, in the order of their ids.

-- Internal: the table a row is of.
CREATE FUNCTION record_table(type regtype) RETURNS regclass LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := (SELECT a.attrelid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
                          WHERE t.oid = type AND t.typrelid <> 0 AND a.attname = 'id');
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION 'a value of type % is not a row of a table', type
            USING ERRCODE = 'wrong_object_type', HINT = 'The first argument is a row of a table with a column id, such as contact.';
    END IF;
    RETURN relation;
END $$;
COMMENT ON FUNCTION record_table(regtype) IS 'Internal: the table that a row of this type is of; an error if it is none, or has no id';

-- Internal: the type of a property as SQL writes it; any for a key of custom.
CREATE FUNCTION property_type(relation regclass, name text) RETURNS text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    col text := CASE WHEN name LIKE 'custom._%' THEN 'custom' ELSE name END;
    word text := replace(lower(col), ' ', '_');
    type text := (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                  WHERE a.attrelid = relation AND a.attname = col AND a.attnum > 0 AND NOT a.attisdropped);
BEGIN
    IF col = 'id' THEN
        RAISE EXCEPTION 'the id of a record cannot be changed' USING ERRCODE = 'invalid_column_reference';
    ELSIF type IS NULL THEN
        RAISE EXCEPTION '% has no property %', relation, coalesce('"' || name || '"', 'without a name')
            USING ERRCODE = 'undefined_column',
                  HINT = coalesce((SELECT format('Perhaps you meant "%s". ', a.attname) FROM pg_attribute a
                                   WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                                     AND length(word) > 2 AND length(a.attname) > 2
                                     AND (strpos(a.attname, word) > 0 OR strpos(word, a.attname) > 0)
                                   ORDER BY abs(length(a.attname) - length(word)), a.attnum LIMIT 1), '')
                         || format('A new one is made with ALTER TABLE %s ADD COLUMN, or is a key of custom: ''custom.%s''.', relation, name);
    END IF;
    RETURN CASE col WHEN name THEN type ELSE 'any' END;
END $$;
COMMENT ON FUNCTION property_type(regclass, text) IS
    'Internal: the type of a property, any for a key of custom; an error, with the name that comes nearest, if there is none';

-- Internal: a value as JSON, brought into the property's type first.
CREATE FUNCTION property_value(value anyelement, type text) RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    result jsonb;
BEGIN
    IF type = 'any' OR pg_typeof(value) IN ('jsonb'::regtype, 'json'::regtype) THEN
        RETURN nullif(to_jsonb(value), 'null');
    ELSIF type LIKE '%[]' AND pg_typeof(value) = 'text'::regtype AND value::text NOT LIKE '{%' THEN
        RETURN jsonb_build_array(value);         -- one of several values
    END IF;
    EXECUTE format('SELECT to_jsonb($1::%s)', type) INTO result USING value;
    RETURN result;
END $$;
COMMENT ON FUNCTION property_value(anyelement, text) IS 'Internal: a value in the type of a property, as JSON; an error if it is none of that type';

-- Internal: the table of a type of records; that of all custom objects has no other name for each of their types.
CREATE FUNCTION type_table(type text) RETURNS regclass LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := (SELECT a.attrelid FROM pg_attribute a WHERE a.attrelid = to_regclass(quote_ident(type)) AND a.attname = 'id');
BEGIN
    IF relation IS NULL AND EXISTS (SELECT FROM custom_object_type o WHERE o.name = type_table.type) THEN
        RETURN 'custom_object_record'::regclass;
    ELSIF relation IS NULL THEN
        RAISE EXCEPTION 'there is no type of records %', coalesce('"' || type || '"', 'without a name')
            USING ERRCODE = 'undefined_table',
                  HINT = 'It is the name of a table (contact, account, deal, ticket, project, quote) or of a custom object.';
    END IF;
    RETURN relation;
END $$;
COMMENT ON FUNCTION type_table(text) IS 'Internal: the table of a type of records, by its name or that of a custom object; an error if there is none';

-- Internal: the ids of the records of a type that are associated with a record; not of those in the bin.
CREATE FUNCTION associated_ids(r anyelement, type text) RETURNS bigint[] LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    from_type name := (SELECT c.relname FROM pg_class c WHERE c.oid = record_table(pg_typeof(r)));
    relation regclass := type_table(type);
    to_type name := (SELECT c.relname FROM pg_class c WHERE c.oid = relation);
    ids bigint[];
BEGIN
    EXECUTE format('SELECT array_agg(t.id) FROM %s t WHERE t.id IN (SELECT a.to_id FROM association a '
                   'WHERE a.from_type = %L AND a.from_id = $1 AND a.to_type = %L)%s%s', relation, from_type, to_type,
                   (SELECT ' AND t.deleted_at IS NULL' FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = 'deleted_at'),
                   CASE WHEN to_type <> type THEN format(' AND t.type = %L', type) END)
        INTO ids USING r.id::bigint;
    RETURN coalesce(ids, '{}');
END $$;
COMMENT ON FUNCTION associated_ids(anyelement, text) IS
    'Internal: the ids of the records of a type that are associated with a record, without those that have deleted_at';

-- Internal: one UPDATE of those of these records where the condition holds; $2 in both stands for the value.
CREATE FUNCTION write_records(relation regclass, ids bigint[], assignment text, condition text, value jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format(CASE WHEN cardinality(ids) > 1
                        THEN 'UPDATE %1$s t SET %2$s FROM (SELECT t.id FROM %1$s t WHERE t.id = ANY ($1) AND %3$s '
                             'ORDER BY t.id FOR NO KEY UPDATE) o WHERE t.id = o.id'
                        ELSE 'UPDATE %1$s t SET %2$s WHERE t.id = $1[1] AND %3$s' END,
                   relation, assignment, condition) USING ids, value;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION write_records(regclass, bigint[], text, text, jsonb) IS
    'Internal: one UPDATE of those of these records where the condition holds, locked in the order of their ids; returns how many';

-- Internal: writes a value; NULL clears.
CREATE FUNCTION write_property(relation regclass, ids bigint[], name text, value jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    key text := substr(name, length('custom.') + 1);
    new text;
BEGIN
    IF name LIKE 'custom._%' AND value IS NULL THEN
        RETURN write_records(relation, ids, format('custom = t.custom - %L', key), format('t.custom ? %L', key), value);
    ELSIF name LIKE 'custom._%' THEN
        RETURN write_records(relation, ids, format('custom = t.custom || jsonb_build_object(%L, $2)', key),
                             format('t.custom -> %L IS DISTINCT FROM $2', key), value);
    ELSIF value IS NULL THEN
        -- where NULL must not be, the default
        SELECT pg_get_expr(d.adbin, d.adrelid) INTO new
        FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = relation AND a.attname = name AND a.attnotnull;
        new := coalesce(new, 'NULL::' || property_type(relation, name));
    ELSE
        new := format('(jsonb_populate_record(NULL::%s, jsonb_build_object(%L, $2))).%I', relation, name, name);
    END IF;
    RETURN write_records(relation, ids, format('%I = %s', name, new), format('to_jsonb(t.%I) IS DISTINCT FROM to_jsonb(%s)', name, new), value);
END $$;
COMMENT ON FUNCTION write_property(regclass, bigint[], text, jsonb) IS
    'Internal: writes a property, or clears it with NULL, where it has another value; returns in how many records';

-- Set, clear

CREATE FUNCTION set_property(r anyelement, name text, value text) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := record_table(pg_typeof(r));
BEGIN
    RETURN write_property(relation, ARRAY[r.id::bigint], name, property_value(value, property_type(relation, name)));
END $$;
COMMENT ON FUNCTION set_property(anyelement, text, text) IS
    'Writes a property of the record: a column of its table, or custom.key. Text is read as a value of the property''s type; NULL clears it. '
    'The value it has: nothing happens. Returns 1 if it was written. Errors: no such property, no value of its type; whoever may not write the table may not write this (A44 A73 A74 A95 A97 A103)';

CREATE FUNCTION set_property(r anyelement, name text, value anycompatible) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := record_table(pg_typeof(r));
BEGIN
    RETURN write_property(relation, ARRAY[r.id::bigint], name, property_value(value, property_type(relation, name)));
END $$;
COMMENT ON FUNCTION set_property(anyelement, text, anycompatible) IS 'As set_property(record, name, text), for values that are not text (A44 A74 A95 A97)';

CREATE FUNCTION set_property(r anyelement, type text, name text, value text) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := type_table(type);
BEGIN
    RETURN write_property(relation, associated_ids(r, type), name,
                          property_value(value, property_type(relation, name)));
END $$;
COMMENT ON FUNCTION set_property(anyelement, text, text, text) IS
    'Writes a property of all records of a type (contact, account, deal, ticket ...) that are associated with the record, in one statement: '
    'set_property(c, ''deal'', ''status'', ''won''). Returns how many were written; none is associated: 0. As set_property(record, name, value) (A82 A95 S39)';

CREATE FUNCTION set_property(r anyelement, type text, name text, value anycompatible) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := type_table(type);
BEGIN
    RETURN write_property(relation, associated_ids(r, type), name,
                          property_value(value, property_type(relation, name)));
END $$;
COMMENT ON FUNCTION set_property(anyelement, text, text, anycompatible) IS
    'As set_property(record, type, name, text), for values that are not text (A82 A95 S39)';

CREATE FUNCTION clear_property(r anyelement, name text) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN set_property(r, name, NULL::text);
END $$;
COMMENT ON FUNCTION clear_property(anyelement, text) IS
    'Empties a property of the record: NULL, or its default if NULL must not be there; a key of custom is taken away. '
    'It is empty: nothing happens. Returns 1 if it was written. Error: no such property (A76 A101)';

CREATE FUNCTION clear_property(r anyelement, type text, name text) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN set_property(r, type, name, NULL::text);
END $$;
COMMENT ON FUNCTION clear_property(anyelement, text, text) IS
    'Empties a property of all records of a type that are associated with the record, in one statement; returns how many were written (A101 S39)';

-- Several values

-- Internal: adds values to those that are there.
CREATE FUNCTION append_values(relation regclass, ids bigint[], name text, "values" jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    type text := property_type(relation, name);
    added jsonb := (SELECT jsonb_agg(d.v ORDER BY d.n)
                    FROM (SELECT e.v, min(e.n) AS n
                          FROM jsonb_array_elements(CASE jsonb_typeof("values") WHEN 'array' THEN "values" ELSE jsonb_build_array("values") END)
                               WITH ORDINALITY e (v, n)
                          WHERE e.v <> 'null' GROUP BY e.v) d);
    now text;
    new text;
BEGIN
    IF name LIKE 'custom._%' THEN
        now := format('coalesce(nullif(t.custom -> %L, ''null''), ''[]'')', substr(name, length('custom.') + 1));
    ELSIF type LIKE '%[]' THEN
        now := format('coalesce(to_jsonb(t.%I), ''[]'')', name);
    ELSE
        RAISE EXCEPTION 'property "%" of % does not hold several values', name, relation
            USING ERRCODE = 'datatype_mismatch', HINT = 'set_property() writes the one it holds.';
    END IF;
    IF added IS NULL THEN
        RETURN 0;
    END IF;
    new := format('(%1$s || (SELECT coalesce(jsonb_agg(v), ''[]'') FROM jsonb_array_elements($2) v WHERE NOT %1$s @> v))', now);
    IF name LIKE 'custom._%' THEN
        new := format('t.custom || jsonb_build_object(%L, %s)', substr(name, length('custom.') + 1), new);
        name := 'custom';
    ELSE
        new := format('(jsonb_populate_record(NULL::%s, jsonb_build_object(%L, %s))).%I', relation, name, new, name);
    END IF;
    RETURN write_records(relation, ids, format('%I = %s', name, new), format('NOT %s @> $2', now), added);
END $$;
COMMENT ON FUNCTION append_values(regclass, bigint[], text, jsonb) IS
    'Internal: adds to a property of several values those that it does not have; returns in how many records';

CREATE FUNCTION append_property(r anyelement, name text, added text[]) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := record_table(pg_typeof(r));
BEGIN
    RETURN append_values(relation, ARRAY[r.id::bigint], name, property_value(added, property_type(relation, name)));
END $$;
COMMENT ON FUNCTION append_property(anyelement, text, text[]) IS
    'Adds values to a property that holds several (an array, or a key of custom with one); those that it has stay, and are not written twice: '
    'append_property(c, ''interests'', ''{golf}''). set_property() replaces them. Returns 1 if it was written. Errors: no such property, it holds one value (A96 A99)';

CREATE FUNCTION append_property(r anyelement, type text, name text, added text[]) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := type_table(type);
BEGIN
    RETURN append_values(relation, associated_ids(r, type), name,
                         property_value(added, property_type(relation, name)));
END $$;
COMMENT ON FUNCTION append_property(anyelement, text, text, text[]) IS
    'Adds values to a property that holds several, of all records of a type that are associated with the record; returns how many were written (A96 A99 S39)';

-- Copy

-- Internal: what a record has in a property, in the type of another; an error if the types are not compatible.
CREATE FUNCTION copied_value(r anyelement, from_name text, relation regclass, to_name text) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    source regclass := record_table(pg_typeof(r));
    from_type text := property_type(source, from_name);
    to_type text := property_type(relation, to_name);
    result jsonb;
BEGIN
    IF from_name LIKE 'custom._%' THEN
        RETURN nullif(to_jsonb(r) -> 'custom' -> substr(from_name, length('custom.') + 1), 'null');
    ELSIF to_type = 'any' THEN
        RETURN nullif(to_jsonb(r) -> from_name, 'null');
    ELSIF to_type NOT IN (from_type, 'text') AND NOT EXISTS (
        SELECT FROM pg_cast c WHERE c.castsource = to_regtype(from_type) AND c.casttarget = to_regtype(to_type) AND c.castcontext IN ('i', 'a'))
    THEN
        RAISE EXCEPTION 'property "%" of %, which is %, cannot be copied to property "%" of %, which is %',
                        from_name, source, from_type, to_name, relation, to_type
            USING ERRCODE = 'datatype_mismatch', HINT = 'set_property() writes what an expression makes of it.';
    END IF;
    EXECUTE format('SELECT to_jsonb(($1).%I::%s)', from_name, to_type) INTO result USING r;
    RETURN result;
END $$;
COMMENT ON FUNCTION copied_value(anyelement, text, regclass, text) IS
    'Internal: what a record has in a property, as a value of another property; an error if the types are not compatible';

CREATE FUNCTION copy_property(r anyelement, from_name text, to_name text, add boolean DEFAULT false) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := record_table(pg_typeof(r));
    value jsonb := copied_value(r, from_name, relation, to_name);
BEGIN
    RETURN CASE WHEN add THEN append_values(relation, ARRAY[r.id::bigint], to_name, value)
                ELSE write_property(relation, ARRAY[r.id::bigint], to_name, value) END;
END $$;
COMMENT ON FUNCTION copy_property(anyelement, text, text, boolean) IS
    'Copies a property of the record to another of the same record; an empty one empties the other. add: both hold several values, and those that '
    'are there stay. Returns 1 if it was written. Errors: no such property, types that are not compatible (A58 A98 A99 A100)';

CREATE FUNCTION copy_property(r anyelement, from_name text, type text, to_name text, add boolean DEFAULT false) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := type_table(type);
    ids bigint[] := associated_ids(r, type);
    value jsonb := copied_value(r, from_name, relation, to_name);
BEGIN
    RETURN CASE WHEN add THEN append_values(relation, ids, to_name, value)
                ELSE write_property(relation, ids, to_name, value) END;
END $$;
COMMENT ON FUNCTION copy_property(anyelement, text, text, text, boolean) IS
    'Copies a property of the record to a property of all records of a type that are associated with it, in one statement: '
    'copy_property(a, ''phone'', ''deal'', ''company_phone''). Returns how many were written. As copy_property(record, ...) (A75 A98 A99 A100 S39)';

-- Numbers

CREATE FUNCTION calculate_property(r anyelement, name text, operator text, by numeric) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    relation regclass := record_table(pg_typeof(r));
    type text := property_type(relation, name);
    key text := substr(name, length('custom.') + 1);
    now text;
    new text;
BEGIN
    IF name LIKE 'custom._%' THEN
        now := format('(t.custom ->> %L)::numeric', key);
    ELSIF (SELECT t.typcategory FROM pg_type t WHERE t.oid = to_regtype(type)) = 'N' THEN
        now := format('t.%I::numeric', name);
    ELSE
        RAISE EXCEPTION 'property "%" of % is not a number', name, relation USING ERRCODE = 'datatype_mismatch';
    END IF;
    IF operator IN ('+', '-') THEN
        now := format('coalesce(%s, 0)', now);           -- a counter begins at nothing
    END IF;
    new := format('calculate(%s, %L, ($2 #>> ''{}'')::numeric)', now, operator);
    RETURN write_records(relation, ARRAY[r.id::bigint],
        CASE WHEN name LIKE 'custom._%' THEN format('custom = t.custom || jsonb_build_object(%L, %s)', key, new)
             ELSE format('%I = %s', name, new) END,
        format('%1$s IS NOT NULL AND %1$s IS DISTINCT FROM %2$s', new, now), to_jsonb(by));
END $$;
COMMENT ON FUNCTION calculate_property(anyelement, text, text, numeric) IS
    'Adds, subtracts, multiplies or divides (operator + - * /) a number property of the record. An empty one counts as 0 for + and -, and stays '
    'empty for * and /. Division by 0 leaves it as it is. Returns 1 if it was written. Errors: no such property, it is not a number (A64 A65 A66)';

CREATE FUNCTION increase_property(r anyelement, name text, by numeric DEFAULT 1) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN calculate_property(r, name, '+', by);
END $$;
COMMENT ON FUNCTION increase_property(anyelement, text, numeric) IS
    'Adds so much to a number property of the record; negative takes away. Empty counts as 0. Returns 1 if it was written. '
    'Errors: no such property, it is not a number (A102)';
