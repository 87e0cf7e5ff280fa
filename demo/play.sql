-- What an application does: ordinary writes, nothing else.

\echo '  > three contacts join the list "News"'
INSERT INTO list_subscription (contact_id, list_id, status) SELECT id, list('News'), 'active' FROM contact WHERE id IN (4, 5, 7);

\echo '  > two deals move to the stage "Proposal"'
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id IN (1, 15);

\echo '  > two contacts fill a cart'
INSERT INTO cart (id, contact_id, total) VALUES (1, 20, 298), (2, 31, 88);
INSERT INTO cart_line VALUES (1, 1, 1), (1, 5, 1), (2, 3, 1);
UPDATE cart SET total = 129 WHERE id = 2;

\echo '  > a third deal moves, but the transaction is rolled back: nothing happens'
BEGIN;
UPDATE deal SET stage_id = stage('Sales', 'Proposal') WHERE id = 17;
ROLLBACK;

SELECT pg_sleep(1.2) \g /dev/null
\echo '  > one of the new readers looks at the prices, another leaves the list'
INSERT INTO page_view (contact_id, url) VALUES (4, 'https://example.test/pricing');
SELECT unsubscribe(c, 'News', 'contact') FROM contact c WHERE id = 5 \g /dev/null
\echo '  > the first deal moves on to "Contract"'
UPDATE deal SET stage_id = stage('Sales', 'Contract') WHERE id = 1;

SELECT pg_sleep(1.6) \g /dev/null
\echo '  > one of the carts is ordered, after its first reminder'
INSERT INTO sales_order (contact_id, cart_id, status, total) VALUES (31, 2, 'completed', 129);
\echo '  > the first deal is won'
UPDATE deal SET status = 'won' WHERE id = 1;
