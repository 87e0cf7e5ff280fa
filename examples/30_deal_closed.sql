-- 30  A deal is won or lost
--
-- Won: everybody it is about gets the tag customer, its owner a task to set things up, the managers a word, and the help desk opens an
-- account. Lost: a note, and a tag. Reopened and won again, nothing is done twice.
--
-- Needs: a server whose url covers https://hooks.example.com; a team Managers.

INSERT INTO team (name) VALUES ('Managers') ON CONFLICT (name) DO NOTHING;

CREATE FUNCTION deal_won(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'won';
BEGIN
  SELECT add_tag(contacts_of(d), 'customer');
  SELECT add_task(d, 'Set up ' || d.title, now() + interval '1 day');
  SELECT notify_team('Managers', 'won: ' || d.title);
  SEND webhook('https://hooks.example.com/accounts',
               jsonb_build_object('deal', to_jsonb(d), 'contacts', (SELECT jsonb_agg(to_jsonb(p)) FROM people_of(d) p)), type => 'deal.won');
END $$;

CREATE FUNCTION deal_lost(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE OF status TO 'lost';
BEGIN
  SELECT add_note(d, 'lost on ' || to_char(now(), 'YYYY-MM-DD'));
  SELECT add_tag(contacts_of(d), 'lost deal');
END $$;
