-- What an application does: ordinary writes, nothing else.

\echo '  > two deals move to the stage "proposal"'
UPDATE deal SET stage = 'proposal' WHERE id IN (1, 15);

\echo '  > a lead reads three pages and answers the newsletter, another reads one page'
INSERT INTO activity (contact_id, type, subject)
VALUES (3, 'visit', 'Read the price page'), (3, 'visit', 'Read a case study'), (4, 'visit', 'Read the documentation');
INSERT INTO activity (contact_id, type, subject) VALUES (3, 'reply', 'Asked for a call');

\echo '  > a contact gets another owner'
UPDATE contact SET owner_id = 3 WHERE id = 860;

SELECT pg_sleep(1) \g /dev/null
\echo '  > the reader of one page answers the newsletter'
INSERT INTO activity (contact_id, type, subject) VALUES (4, 'reply', 'Asked for an offer');

\echo '  > a third deal moves, but the transaction is rolled back: nothing happens'
BEGIN;
UPDATE deal SET stage = 'proposal' WHERE id = 17;
ROLLBACK;
\echo '  > a deal is taken in by hand'
SELECT follow_up(d) AS enrollment FROM deal d WHERE id = 13 \g /dev/null

SELECT pg_sleep(2.5) \g /dev/null
\echo '  > and orders'
INSERT INTO deal (contact_id, title, value) VALUES (4, 'First order', 500);

\echo '  > the first deal moves on to "contract", the one taken in by hand is lost'
UPDATE deal SET stage = 'contract' WHERE id = 1;
UPDATE deal SET status = 'lost' WHERE id = 13;
