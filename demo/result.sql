-- What the workflows left behind.

\echo
\echo 'Tasks, notes and notifications they made'
SELECT * FROM (
    SELECT 'task' AS what, coalesce(d.title, c.name) AS about, a.title AS text, u.name AS "for"
    FROM activity a LEFT JOIN deal d ON d.id = a.deal_id LEFT JOIN contact c ON c.id = a.contact_id LEFT JOIN app_user u ON u.id = a.assignee_id
    WHERE a.source = 'automation'
    UNION ALL
    SELECT 'note', d.title, n.body, NULL FROM note n JOIN deal d ON d.id = n.deal_id
    UNION ALL
    SELECT 'notification', NULL, n.body, t.name FROM notification n LEFT JOIN team t ON t.id = n.team_id) x
ORDER BY what DESC, about;

\echo 'The new readers, and who left a cart'
SELECT c.id, c.name, c.score, string_agg(t.name, ', ' ORDER BY t.name) AS tags, is_subscribed(c, 'News') AS reads
FROM contact c LEFT JOIN contact_tag ct ON ct.contact_id = c.id AND ct.removed_at IS NULL LEFT JOIN tag t ON t.id = ct.tag_id
WHERE c.id IN (4, 5, 7, 20, 31) GROUP BY c.id ORDER BY c.id;

\echo 'The workflows'
SELECT name, active, entered, waiting, failed FROM automation.workflows ORDER BY name;

\echo 'What left'
SELECT workflow, kind, server, target, state, status, attempts FROM automation.deliveries ORDER BY id;
