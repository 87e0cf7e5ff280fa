-- What the workflows left behind.

\echo
\echo 'Activities the workflows made'
SELECT d.id AS deal, c.name AS contact, a.type, a.subject, u.name AS assignee
FROM activity a JOIN contact c ON c.id = a.contact_id LEFT JOIN deal d ON d.id = a.deal_id JOIN colleague u ON u.id = a.assignee_id
WHERE a.id > 3000 ORDER BY d.id NULLS LAST, a.id;

\echo 'The leads'
SELECT id, name, lifecycle, score FROM contact WHERE id IN (3, 4) ORDER BY id;

\echo 'The goal of the newsletters'
SELECT workflow, goal, outcome, subject_table, subject FROM automation.goal_reached;

\echo 'The open deals of the contact with a new owner'
SELECT d.id, d.title, u.name AS owner FROM deal d JOIN colleague u ON u.id = d.owner_id
WHERE d.contact_id = 860 AND d.status = 'open' ORDER BY d.id;

\echo 'The workflows'
SELECT name, active, entered, waiting, failed FROM automation.workflows ORDER BY name;

\echo 'What left'
SELECT workflow, kind, server, target, state, status, attempts FROM automation.deliveries ORDER BY id;
