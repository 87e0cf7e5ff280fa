-- The first table of the report; psql reads it last.
SELECT what AS "figure", found, bar, CASE WHEN met THEN 'met' ELSE '**missed**' END AS " " FROM verdict ORDER BY position;
