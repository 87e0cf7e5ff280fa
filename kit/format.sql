-- What is made of values before they are written: set_property(c, 'phone', extract_phone(c.custom ->> 'remarks')).
-- Dates need nothing of the kind: c.renewal_date + 30, c.demo_at - interval '2 hours'; nor do capitals: upper(c.city).

CREATE FUNCTION capitalise(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT string_agg(upper(left(w.word[1], 1)) || substr(w.word[1], 2), '' ORDER BY w.n)
        FROM regexp_matches(value, '[[:alnum:]]+|[^[:alnum:]]+', 'g') WITH ORDINALITY w (word, n));
COMMENT ON FUNCTION capitalise(text) IS
    'The text with the first letter of each word in capitals; the other letters stay as they are, so that McAdam does. '
    'For capitals throughout there is upper() (A62)';

CREATE FUNCTION extract_phone(value text, country text DEFAULT NULL) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN n.digits LIKE '+%' THEN n.digits
                WHEN n.digits LIKE '00%' THEN '+' || substr(n.digits, 3)
                WHEN n.digits LIKE '0%' AND country <> '' THEN '+' || country || substr(n.digits, 2)
                ELSE n.digits END
    FROM regexp_matches(
             -- no address and no date is a number
             regexp_replace(value, '\m(?:https?://|www\.)\S+|\S+@\S+|(?<![\d./-])(?:\d{4}-\d\d?-\d\d?|\d\d?[./]\d\d?[./]\d{2,4})(?![./-]?\d)', ' ', 'gi'),
             '(?<![[:alnum:]])(?:\+|00)?[ (]*\d(?:[ ()./-]{0,3}\d){5,}(?![[:alnum:]])', 'g') WITH ORDINALITY m (match, place),
         LATERAL (SELECT regexp_replace(regexp_replace(m.match[1], '^(\+.*)\(0\)', '\1'), '[^0-9+]', '', 'g') AS digits) n
    WHERE length(translate(n.digits, '+', '')) BETWEEN 7 AND 15
    ORDER BY m.place LIMIT 1;
END;
COMMENT ON FUNCTION extract_phone(text, text) IS
    'The first phone number in the text, as digits with a + before the country code: +33123456789. country: the code, without +, that a number '
    'beginning with a single 0 is of. A number has 7 to 15 digits; without one it is NULL (A59 A60)';

CREATE FUNCTION extract_url(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN u.url ~* '^https?:' THEN lower(u.host) ELSE 'https://' || lower(u.host) END || substr(u.url, length(u.host) + 1)
    FROM (SELECT (regexp_match(value, '(?<![[:alnum:]@._-])(?:https?://|www\.)[^\s<>"'']*[^\s<>"''.,;:!?)\]}]', 'i'))[1] AS url) m,
         LATERAL (SELECT m.url, substring(m.url FROM '^(?:[A-Za-z]+://)?[^/?#]*') AS host) u;
END;
COMMENT ON FUNCTION extract_url(text) IS
    'The first web address in the text, one that begins with http://, https:// or www.: its host in lower case, without what punctuation follows it; '
    'https:// is put before one that begins with www. Without one it is NULL (A59 A61)';

CREATE FUNCTION calculate(a numeric, operator text, b numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $$
BEGIN
    CASE operator
        WHEN '+' THEN RETURN a + b;
        WHEN '-' THEN RETURN a - b;
        WHEN '*' THEN RETURN a * b;
        WHEN '/' THEN RETURN a / nullif(b, 0);
        ELSE RAISE EXCEPTION 'there is no operator %', coalesce('"' || operator || '"', 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Operators are + - * and /.';
    END CASE;
END $$;
COMMENT ON FUNCTION calculate(numeric, text, numeric) IS 'a + b, a - b, a * b or a / b; NULL if one of them is, and for a division by 0. Error: another operator (A64 A65)';
