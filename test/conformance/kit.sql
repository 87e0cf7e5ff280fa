-- The kit, as its user installs it.
CREATE SCHEMA crm;
SET search_path = crm;
\i kit/people.sql
\i kit/work.sql
\i kit/messages.sql
\i kit/behaviour.sql
\i kit/commerce.sql
\i kit/names.sql
\i kit/tags.sql
\i kit/lists.sql
\i kit/score.sql
\i kit/notes.sql
