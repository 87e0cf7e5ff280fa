-- Mails: opened, clicked, shared, forwarded, answered, their files downloaded.

-- A mail to somebody new of this name, and what became of it; those who entered, by name.
CREATE FUNCTION mail(who text, class text, sent_from text DEFAULT NULL, campaign text DEFAULT NULL, mailbox text DEFAULT NULL, name text DEFAULT NULL,
                     server text DEFAULT NULL, stream text DEFAULT NULL, tag text DEFAULT NULL, subject text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO email_message (contact_id, class, direction, sent_from, campaign_id, mailbox_id, name, provider_server, provider_stream, provider_tag, subject)
    SELECT new_contact(who), class, 'out', sent_from, campaign(campaign), (SELECT b.id FROM connected_mailbox b WHERE b.address = mailbox),
           name, server, stream, tag, subject
    RETURNING id;
$$;
CREATE FUNCTION event(kind text, mail bigint, url text DEFAULT NULL, network text DEFAULT NULL, machine boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
    WITH l AS (INSERT INTO email_link (message_id, url) SELECT mail, url WHERE url IS NOT NULL RETURNING id)
    INSERT INTO email_event (message_id, contact_id, kind, link_id, network, is_machine_open)
    SELECT m.id, m.contact_id, kind, (SELECT id FROM l), network, machine FROM email_message m WHERE m.id = mail;
$$;
CREATE FUNCTION reply(mail bigint) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO email_message (contact_id, class, direction, deal_id, in_reply_to, subject)
    SELECT m.contact_id, 'personal', 'in', m.deal_id, m.id, 'Re: ' || m.subject FROM email_message m WHERE m.id = mail RETURNING id;
$$;
CREATE FUNCTION who(case_id text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(c.first_name ORDER BY c.first_name), '{}') FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint WHERE h.id = case_id;
$$;
INSERT INTO email_campaign (name, kind, link_tracking) VALUES ('Flash', 'one_off', true), ('Untracked', 'one_off', false);

-- T17, a mail is opened: a campaign's, a transactional or a personal one; no mailbox has to be connected; what a mail program opens by itself does not count
CREATE FUNCTION t17(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new) FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T17', c.id);
END $$;
-- T18, T19, of any campaign
CREATE FUNCTION t18(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'campaign') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T18', c.id);
  SELECT conformance.hit('T19', c.id);
END $$;
-- T20, of one campaign
CREATE FUNCTION t20(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new) AND (mail_of(new)).campaign_id = campaign('Spring sale') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T20', c.id);
END $$;
-- T21, of a campaign that went to any list
CREATE FUNCTION t21(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new) AND sent_to_list(mail_of(new)) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T21', c.id);
END $$;
-- T22, of a campaign that went to one list
CREATE FUNCTION t22(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new) AND sent_to_list(mail_of(new), list('News')) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T22', c.id);
END $$;
-- T23, a transactional one
CREATE FUNCTION t23(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'transactional') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T23', c.id);
END $$;
-- T24, sent through one server of the provider
CREATE FUNCTION t24(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'transactional') AND (mail_of(new)).provider_server = 'shop' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T24', c.id);
END $$;
-- T25, in one of its streams
CREATE FUNCTION t25(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'transactional') AND (mail_of(new)).provider_stream = 'outbound' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T25', c.id);
END $$;
-- T26, all of a server and stream
CREATE FUNCTION t26(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN counts_as_open(new, 'transactional') AND (mail_of(new)).provider_server = 'shop' AND (mail_of(new)).provider_stream = 'outbound'
    FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T26', c.id);
END $$;
-- T27, with a tag of the provider
CREATE FUNCTION t27(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'transactional') AND (mail_of(new)).provider_tag = 'receipt' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T27', c.id);
END $$;
-- T28, with a subject
CREATE FUNCTION t28(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'transactional') AND (mail_of(new)).subject LIKE 'Your receipt%' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T28', c.id);
END $$;
-- T29, T30, a personal one, whether a workflow sent it or somebody from a deal, a contact or the overview
CREATE FUNCTION t29(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'personal') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T29', c.id, (SELECT max(m.sent_from) FROM email_message m WHERE m.contact_id = c.id));
  SELECT conformance.hit('T30', c.id);
END $$;
-- T31, one personal mail of a workflow, by its name
CREATE FUNCTION t31(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_open(new, 'personal') AND (mail_of(new)).name = 'Follow-up' AND (mail_of(new)).sent_from = 'automation' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T31', c.id);
END $$;

SELECT event('open', mail('spring', 'campaign', 'campaign', 'Spring sale'));
SELECT event('open', mail('welcome', 'campaign', 'automation', 'Welcome series'));
SELECT event('open', mail('flash', 'campaign', 'campaign', 'Flash'));
SELECT event('open', mail('receipt', 'transactional', server => 'shop', stream => 'outbound', tag => 'receipt', subject => 'Your receipt 17'));
SELECT event('open', mail('greeting', 'transactional', server => 'shop', stream => 'outbound', subject => 'Hello'));
SELECT event('open', mail('alert', 'transactional', server => 'shop', stream => 'broadcast', tag => 'alert', subject => 'Down'));
SELECT event('open', mail('other shop', 'transactional', server => 'other', stream => 'outbound', tag => 'receipt', subject => 'Your receipt 18'));
SELECT event('open', mail('follow-up', 'personal', 'automation', name => 'Follow-up'));
SELECT event('open', mail('second', 'personal', 'automation', name => 'Second try'));
SELECT event('open', mail('of a deal', 'personal', 'deal', name => 'Follow-up', subject => 'Follow-up'));
SELECT event('open', mail('of a contact', 'personal', 'contact'));
SELECT event('open', mail('of the overview', 'personal', 'overview'));
-- none of these is opened by somebody
SELECT event('open', mail('machine', 'campaign', 'campaign', 'Spring sale'), machine => true);
SELECT event('open', mail('machine, list', 'campaign', 'automation', 'Welcome series'), machine => true);
SELECT event('delivered', mail('unread', 'campaign', 'campaign', 'Spring sale'));
SELECT event('delivered', mail('unread receipt', 'transactional', server => 'shop', stream => 'outbound', tag => 'receipt', subject => 'Your receipt 19'));
SELECT event('delivered', mail('unread follow-up', 'personal', 'automation', name => 'Follow-up'));
SELECT event('open', mail('colleague', 'internal', 'automation'));
-- a click shows that it was opened, once; after an open that was seen it says nothing new
SELECT mail('hidden', 'campaign', 'campaign', 'Spring sale') AS hidden, mail('plain', 'campaign', 'campaign', 'Spring sale') AS plain \gset
SELECT event('open', :hidden, machine => true);
SELECT event('click', :hidden, 'https://example.com/sale');
SELECT event('click', :hidden, 'https://example.com/more');
SELECT event('open', :plain);
SELECT event('click', :plain, 'https://example.com/sale');
CALL automation.run();
SELECT conformance.yes('T17', 'all three families', who('T17') =
    '{alert,flash,follow-up,greeting,hidden,"of a contact","of a deal","of the overview","other shop",plain,receipt,second,spring,welcome}');
SELECT conformance.yes('T17', 'the click in a mail whose opening was hidden', who('T17') @> '{hidden}');
SELECT conformance.no('T17', 'a mail program, a mail that is delivered only, a colleague', who('T17') && '{machine,unread,colleague}');
SELECT conformance.yes('T18', 'one-off and automated campaigns', who('T18') @> '{spring,welcome}');
SELECT conformance.no('T18', 'transactional and personal mails', who('T18') && '{receipt,alert,follow-up,"of a deal"}');
SELECT conformance.yes('T19', 'any campaign', who('T19') = '{flash,hidden,plain,spring,welcome}');
SELECT conformance.no('T19', 'a mail program', who('T19') && '{machine}');
SELECT conformance.yes('T20', 'the campaign', who('T20') = '{hidden,plain,spring}');
SELECT conformance.no('T20', 'another campaign', who('T20') && '{welcome,flash}');
SELECT conformance.yes('T21', 'whichever list', who('T21') = '{hidden,plain,spring,welcome}');
SELECT conformance.no('T21', 'a campaign to no list', who('T21') && '{flash}');
SELECT conformance.yes('T22', 'the list', who('T22') = '{welcome}');
SELECT conformance.no('T22', 'another list, or opened by a mail program', who('T22') && '{spring,"machine, list"}');
SELECT conformance.yes('T23', 'transactional', who('T23') = '{alert,greeting,"other shop",receipt}');
SELECT conformance.no('T23', 'campaigns and personal mails', who('T23') && '{spring,follow-up}');
SELECT conformance.yes('T24', 'the server', who('T24') = '{alert,greeting,receipt}');
SELECT conformance.no('T24', 'another server', who('T24') && '{"other shop"}');
SELECT conformance.yes('T25', 'the stream', who('T25') = '{greeting,"other shop",receipt}');
SELECT conformance.no('T25', 'another stream', who('T25') && '{alert}');
SELECT conformance.yes('T26', 'both', who('T26') = '{greeting,receipt}');
SELECT conformance.no('T26', 'one of them only', who('T26') && '{alert,"other shop"}');
SELECT conformance.yes('T27', 'the tag', who('T27') = '{"other shop",receipt}');
SELECT conformance.no('T27', 'another tag, none, or not opened', who('T27') && '{alert,greeting,"unread receipt"}');
SELECT conformance.yes('T28', 'the subject', who('T28') = '{"other shop",receipt}');
SELECT conformance.no('T28', 'another subject, or not opened', who('T28') && '{alert,greeting,"unread receipt"}');
SELECT conformance.yes('T29', 'from everywhere', (SELECT array_agg(DISTINCT what) FROM conformance.hit WHERE id = 'T29') = '{automation,contact,deal,overview}');
SELECT conformance.no('T29', 'campaigns, transactional mails', who('T29') && '{spring,receipt}');
SELECT conformance.yes('T30', 'any personal mail', who('T30') = '{follow-up,"of a contact","of a deal","of the overview",second}');
SELECT conformance.no('T30', 'what is not personal', who('T30') && '{welcome,alert}');
SELECT conformance.yes('T31', 'by its name', who('T31') = '{follow-up}');
SELECT conformance.no('T31', 'another name, or a mail that somebody wrote himself', who('T31') && '{second,"of a deal"}');
DROP FUNCTION t17, t18, t20, t21, t22, t23, t24, t25, t26, t27, t28, t29, t31;

-- T32, a link in a mail is clicked
CREATE FUNCTION t32(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new) FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T32', c.id);
END $$;
-- T33, T34, in any campaign; T39, whichever link
CREATE FUNCTION t33(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new, 'campaign') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T33', c.id);
  SELECT conformance.hit('T34', c.id);
  SELECT conformance.hit('T39', c.id);
END $$;
-- T35, in one campaign
CREATE FUNCTION t35(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new) AND (mail_of(new)).campaign_id = campaign('Welcome series') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T35', c.id);
END $$;
-- T36, in a campaign that went to any list
CREATE FUNCTION t36(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new) AND sent_to_list(mail_of(new)) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T36', c.id);
END $$;
-- T37, in a campaign that went to one list
CREATE FUNCTION t37(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new) AND sent_to_list(mail_of(new), list('Offers')) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T37', c.id);
END $$;
-- T38, one exact link
CREATE FUNCTION t38(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new) AND link_url(new) = 'https://example.com/sale' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T38', c.id);
END $$;
-- T40, T42, in a personal mail of a workflow or a deal, from a connected mailbox; T44, whichever link
CREATE FUNCTION t40(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new, 'personal') FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T40', c.id);
  SELECT conformance.hit('T41', c.id);
  SELECT conformance.hit('T42', c.id);
  SELECT conformance.hit('T44', c.id);
END $$;
-- T43, in one personal mail of a workflow, by its name
CREATE FUNCTION t43(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_click(new, 'personal') AND (mail_of(new)).name = 'Offer' AND (mail_of(new)).sent_from = 'automation' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T43', c.id);
END $$;
-- T45, one link of it
CREATE FUNCTION t45(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event
    WHEN counts_as_click(new, 'personal') AND (mail_of(new)).name = 'Offer' AND link_url(new) = 'https://example.com/book'
         AND (mail_of(new)).sent_from = 'automation'
    FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T45', c.id);
END $$;

SELECT event('click', mail('buyer', 'campaign', 'campaign', 'Spring sale'), 'https://example.com/sale');
SELECT event('click', mail('reader', 'campaign', 'campaign', 'Spring sale'), 'https://example.com/sale?more');
SELECT event('click', mail('newcomer', 'campaign', 'automation', 'Welcome series'), 'https://example.com/start');
SELECT event('click', mail('visitor', 'campaign', 'campaign', 'Flash'), 'https://example.com/flash');
SELECT event('click', mail('of a workflow', 'personal', 'automation', mailbox => 'ada@example.com', name => 'Offer'), 'https://example.com/book');
SELECT event('click', mail('of a workflow, terms', 'personal', 'automation', mailbox => 'ada@example.com', name => 'Offer'), 'https://example.com/terms');
SELECT event('click', mail('of another mail', 'personal', 'automation', mailbox => 'ada@example.com', name => 'Second try'), 'https://example.com/book');
SELECT event('click', mail('from a deal', 'personal', 'deal', mailbox => 'ada@example.com', name => 'Offer'), 'https://example.com/book');
-- none of these counts
SELECT event('click', mail('untracked', 'campaign', 'campaign', 'Untracked'), 'https://example.com/sale');
SELECT event('unsubscribe_click', mail('leaving', 'campaign', 'campaign', 'Spring sale'), 'https://example.com/u/');
SELECT event('open', mail('only read', 'campaign', 'campaign', 'Spring sale'));
SELECT event('open', mail('only read, welcome', 'campaign', 'automation', 'Welcome series'));
SELECT event('open', mail('only read, offer', 'personal', 'automation', mailbox => 'ada@example.com', name => 'Offer'));
SELECT event('click', mail('receipt link', 'transactional'), 'https://example.com/sale');
SELECT event('click', mail('overview, mailbox', 'personal', 'overview', mailbox => 'ada@example.com'), 'https://example.com/book');
SELECT event('click', mail('overview, none', 'personal', 'overview'), 'https://example.com/book');
SELECT event('click', mail('contact, mailbox', 'personal', 'contact', mailbox => 'ada@example.com'), 'https://example.com/book');
SELECT event('click', mail('contact, none', 'personal', 'contact'), 'https://example.com/book');
SELECT event('click', mail('deal, none', 'personal', 'deal'), 'https://example.com/book');
SELECT event('click', mail('workflow, none', 'personal', 'automation', name => 'Offer'), 'https://example.com/book');
CALL automation.run();
SELECT conformance.yes('T32', 'campaigns and personal mails', who('T32') =
    '{buyer,"from a deal",newcomer,"of a workflow","of a workflow, terms","of another mail",reader,visitor}');
SELECT conformance.no('T32', 'links that are not tracked, a transactional mail, a mail that was only read', who('T32') && '{untracked,"receipt link","only read"}');
SELECT conformance.yes('T33', 'one-off and automated campaigns', who('T33') @> '{buyer,newcomer}');
SELECT conformance.no('T33', 'personal mails', who('T33') && '{"from a deal","of a workflow"}');
SELECT conformance.yes('T34', 'any campaign', who('T34') = '{buyer,newcomer,reader,visitor}');
SELECT conformance.no('T34', 'one without link tracking', who('T34') && '{untracked}');
SELECT conformance.yes('T35', 'the campaign', who('T35') = '{newcomer}');
SELECT conformance.no('T35', 'another campaign, or only read', who('T35') && '{buyer,reader,visitor,"only read, welcome"}');
SELECT conformance.yes('T36', 'whichever list', who('T36') = '{buyer,newcomer,reader}');
SELECT conformance.no('T36', 'a campaign to no list', who('T36') && '{visitor}');
SELECT conformance.yes('T37', 'the list', who('T37') = '{buyer,reader}');
SELECT conformance.no('T37', 'another list', who('T37') && '{newcomer}');
SELECT conformance.yes('T38', 'the link', who('T38') = '{buyer}');
SELECT conformance.no('T38', 'another one of the same mail, however like it', who('T38') && '{reader}');
SELECT conformance.yes('T39', 'any link', who('T39') @> '{buyer,reader}');
SELECT conformance.no('T39', 'the one to unsubscribe', who('T39') && '{leaving}');
SELECT conformance.yes('T40', 'of a workflow, of a deal', who('T40') @> '{"of a workflow","from a deal"}');
SELECT conformance.no('T40', 'without a mailbox', who('T40') && '{"deal, none","workflow, none"}');
SELECT conformance.yes('T41', 'from a deal, with a mailbox', who('T41') @> '{"from a deal"}');
SELECT conformance.no('T41', 'the overview, a contact, a deal without a mailbox',
    who('T41') && '{"overview, mailbox","overview, none","contact, mailbox","contact, none","deal, none"}');
SELECT conformance.yes('T42', 'any personal mail', who('T42') = '{"from a deal","of a workflow","of a workflow, terms","of another mail"}');
SELECT conformance.no('T42', 'campaigns', who('T42') && '{buyer,newcomer}');
SELECT conformance.yes('T43', 'by its name', who('T43') = '{"of a workflow","of a workflow, terms"}');
SELECT conformance.no('T43', 'another mail, or one that somebody wrote himself', who('T43') && '{"of another mail","from a deal"}');
SELECT conformance.yes('T44', 'any link', who('T44') @> '{"of a workflow","of a workflow, terms"}');
SELECT conformance.no('T44', 'any link of a campaign', who('T44') && '{buyer,reader}');
SELECT conformance.yes('T45', 'the link', who('T45') = '{"of a workflow"}');
SELECT conformance.no('T45', 'another link, the link in another mail', who('T45') && '{"of a workflow, terms","of another mail","from a deal"}');
DROP FUNCTION t32, t33, t35, t36, t37, t38, t40, t43, t45;

-- the same words in a condition that is waited for: woken by the click, not by the clock
CREATE FUNCTION t32_waits(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER UPDATE OF lifecycle TO 'lead';
BEGIN
  WAIT UNTIL EXISTS (SELECT FROM email_event e WHERE e.contact_id = c.id AND counts_as_click(e) AND sent_to_list(mail_of(e))) TIMEOUT '3 days';
  SELECT conformance.hit('T32', c.id, 'waited ' || found);
END $$;
SELECT conformance.no('T32', 'is looked at again and again', EXISTS (SELECT FROM automation.explain('t32_waits') WHERE rechecked IS NOT NULL));
SELECT mail('waits, clicks', 'campaign', 'campaign', 'Spring sale') AS clicks, mail('waits, opens', 'campaign', 'campaign', 'Spring sale') AS opens \gset
UPDATE contact SET lifecycle = 'lead' WHERE first_name LIKE 'waits, %';
CALL automation.run();
SELECT event('click', :clicks, 'https://example.com/sale');
SELECT event('open', :opens);
CALL automation.run();
SELECT conformance.yes('T32', 'who waits for a click', (SELECT array_agg(c.first_name || ': ' || h.what) FROM conformance.hit h JOIN contact c ON c.id = h.key::bigint
    WHERE h.id = 'T32' AND h.what LIKE 'waited %') = '{"waits, clicks: waited true"}');
DROP FUNCTION t32_waits;

-- T46, a mail is shared
CREATE FUNCTION t46(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_share(new) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T46', c.id);
END $$;
-- T47, one campaign
CREATE FUNCTION t47(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_share(new) AND (mail_of(new)).campaign_id = campaign('Spring sale') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T47', c.id);
END $$;
-- T48, a campaign that went to one list
CREATE FUNCTION t48(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_share(new) AND sent_to_list(mail_of(new), list('News')) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T48', c.id);
END $$;
-- T49, on one network
CREATE FUNCTION t49(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_share(new) AND new.network = 'linkedin' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T49', c.id);
END $$;
-- T50, the form to send it to a friend
CREATE FUNCTION t50(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN new.kind = 'forward_form' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T50', c.id);
END $$;
SELECT event('share', mail('sharer', 'campaign', 'campaign', 'Spring sale'), network => 'linkedin');
SELECT event('share', mail('fan', 'campaign', 'automation', 'Welcome series'), network => 'facebook');
SELECT event('share', mail('of an automation', 'campaign', 'automation'), network => 'linkedin');
SELECT event('share', mail('unseen', 'campaign', 'campaign', 'Untracked'), network => 'linkedin');
SELECT event('click', mail('clicker', 'campaign', 'campaign', 'Spring sale'), 'https://www.linkedin.com/');
SELECT event('forward_form', mail('friend', 'campaign', 'campaign', 'Spring sale'));
SELECT mail('forwarder', 'campaign', 'campaign', 'Spring sale') AS forwarded \gset
INSERT INTO email_message (contact_id, class, direction, is_forward, in_reply_to, subject)
SELECT contact_id, 'personal', 'in', true, id, 'Fwd: sale' FROM email_message WHERE id = :forwarded;
CALL automation.run();
SELECT conformance.yes('T46', 'a share', who('T46') = '{fan,"of an automation",sharer}');
SELECT conformance.no('T46', 'with link tracking off, or another link', who('T46') && '{unseen,clicker}');
SELECT conformance.yes('T47', 'the campaign', who('T47') = '{sharer}');
SELECT conformance.no('T47', 'another campaign', who('T47') && '{fan,"of an automation"}');
SELECT conformance.yes('T48', 'the list', who('T48') = '{fan}');
SELECT conformance.no('T48', 'another list, or none', who('T48') && '{sharer,"of an automation"}');
SELECT conformance.yes('T49', 'the network', who('T49') = '{"of an automation",sharer}');
SELECT conformance.no('T49', 'another network', who('T49') && '{fan}');
SELECT conformance.yes('T50', 'the form', who('T50') = '{friend}');
SELECT conformance.no('T50', 'forwarded by the mail program, shared', who('T50') && '{forwarder,sharer}');
DROP FUNCTION t46, t47, t48, t49, t50;

-- T51, a mail is answered: a campaign's, or a personal one
CREATE FUNCTION t51(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T51', c.id);
END $$;
-- T52, a campaign's, by the answer or by what the provider tells of it
CREATE FUNCTION t52(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new, 'campaign') FOR SELECT new.contact_id;
  AFTER INSERT ON email_event WHEN counts_as_reply(new, 'campaign') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T52', c.id);
END $$;
-- T53, any campaign's
CREATE FUNCTION t53(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new, 'campaign') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T53', c.id);
END $$;
-- T54, one campaign's
CREATE FUNCTION t54(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new) AND (mail_of(new)).campaign_id = campaign('Spring sale') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T54', c.id);
END $$;
-- T55, of a campaign that went to any list
CREATE FUNCTION t55(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new) AND sent_to_list(mail_of(new)) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T55', c.id);
END $$;
-- T56, of a campaign that went to one list
CREATE FUNCTION t56(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new) AND sent_to_list(mail_of(new), list('News')) FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T56', c.id);
END $$;
-- T57, T59, a personal one that a workflow or a deal sent from a connected mailbox
CREATE FUNCTION t57(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new, 'personal') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T57', c.id);
  SELECT conformance.hit('T58', c.id);
  SELECT conformance.hit('T59', c.id);
END $$;
-- the same where only word of the answer comes
CREATE FUNCTION t57_heard(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_event WHEN counts_as_reply(new, 'personal') FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T57', c.id);
  SELECT conformance.hit('T58', c.id);
END $$;
-- T60, one of a workflow, by its name
CREATE FUNCTION t60(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON email_message WHEN counts_as_reply(new, 'personal') AND (mail_of(new)).name = 'Offer' AND (mail_of(new)).sent_from = 'automation' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T60', c.id);
END $$;
SELECT reply(mail('to the sale', 'campaign', 'campaign', 'Spring sale'));
SELECT reply(mail('to the welcome', 'campaign', 'automation', 'Welcome series'));
SELECT reply(mail('to the flash', 'campaign', 'campaign', 'Flash'));
SELECT event('reply', mail('heard of', 'campaign', 'campaign', 'Spring sale'));
SELECT reply(mail('to the offer', 'personal', 'automation', mailbox => 'ada@example.com', name => 'Offer'));
SELECT reply(mail('to the reminder', 'personal', 'automation', mailbox => 'ada@example.com', name => 'Reminder'));
SELECT reply(mail('to a deal', 'personal', 'deal', mailbox => 'ada@example.com', name => 'Offer'));
-- none of these counts
SELECT reply(mail('to the overview', 'personal', 'overview', mailbox => 'ada@example.com'));
SELECT reply(mail('to the overview, none', 'personal', 'overview'));
SELECT reply(mail('to a contact', 'personal', 'contact', mailbox => 'ada@example.com'));
SELECT reply(mail('to a contact, none', 'personal', 'contact'));
SELECT reply(mail('to a deal, none', 'personal', 'deal'));
SELECT reply(mail('to a workflow, none', 'personal', 'automation', name => 'Offer'));
SELECT reply(mail('to a receipt', 'transactional'));
SELECT mail('silent', 'campaign', 'campaign', 'Spring sale');
SELECT event('reply', mail('heard of, personal', 'personal', 'deal', mailbox => 'ada@example.com'));
SELECT event('reply', mail('heard of, none', 'personal', 'deal'));
SELECT event('reply', mail('heard of, overview', 'personal', 'overview', mailbox => 'ada@example.com'));
SELECT event('open', mail('opened, personal', 'personal', 'deal', mailbox => 'ada@example.com'));
SELECT event('open', mail('opened', 'campaign', 'campaign', 'Flash'));
-- a mail out of the blue, answers of ours
INSERT INTO email_message (contact_id, class, direction, subject) VALUES (new_contact('out of the blue'), 'personal', 'in', 'Hello');
SELECT mail('answered back', 'personal', 'deal', mailbox => 'ada@example.com') AS first \gset
SELECT mail('written to again', 'campaign', 'campaign', 'Spring sale') AS second, mail('welcomed again', 'campaign', 'automation', 'Welcome series') AS third \gset
INSERT INTO email_message (contact_id, class, direction, in_reply_to) SELECT contact_id, 'personal', 'out', id FROM email_message WHERE id IN (:first, :second, :third);
CALL automation.run();
SELECT conformance.yes('T51', 'campaigns and personal mails', who('T51') =
    '{"to a deal","to the flash","to the offer","to the reminder","to the sale","to the welcome"}');
SELECT conformance.no('T51', 'a receipt, no answer, no question', who('T51') && '{"to a receipt",silent,"out of the blue","answered back"}');
SELECT conformance.yes('T52', 'the answer, or word of it', who('T52') = '{"heard of","to the flash","to the sale","to the welcome"}');
SELECT conformance.no('T52', 'personal mails, other events', who('T52') && '{"to a deal","to the offer","heard of, personal",opened}');
SELECT conformance.yes('T53', 'one-off and automated', who('T53') = '{"to the flash","to the sale","to the welcome"}');
SELECT conformance.no('T53', 'no answer', who('T53') && '{silent}');
SELECT conformance.yes('T54', 'the campaign', who('T54') = '{"to the sale"}');
SELECT conformance.no('T54', 'another campaign, or an answer of ours', who('T54') && '{"to the flash","to the welcome","written to again"}');
SELECT conformance.yes('T55', 'whichever list', who('T55') = '{"to the sale","to the welcome"}');
SELECT conformance.no('T55', 'a campaign to no list, or an answer of ours', who('T55') && '{"to the flash","written to again"}');
SELECT conformance.yes('T56', 'the list', who('T56') = '{"to the welcome"}');
SELECT conformance.no('T56', 'another list, or an answer of ours', who('T56') && '{"to the sale","welcomed again"}');
SELECT conformance.yes('T57', 'of a workflow, of a deal, by the answer or word of it', who('T57') = '{"heard of, personal","to a deal","to the offer","to the reminder"}');
SELECT conformance.no('T57', 'without a mailbox', who('T57') && '{"to a deal, none","to a workflow, none","heard of, none"}');
SELECT conformance.yes('T58', 'from a deal, with a mailbox', who('T58') @> '{"to a deal"}');
SELECT conformance.no('T58', 'the overview, a contact, a deal without a mailbox',
    who('T58') && '{"to the overview","to the overview, none","to a contact","to a contact, none","to a deal, none","heard of, overview","heard of, none"}');
SELECT conformance.yes('T59', 'any personal mail', who('T59') = '{"to a deal","to the offer","to the reminder"}');
SELECT conformance.no('T59', 'campaigns', who('T59') && '{"to the sale"}');
SELECT conformance.yes('T60', 'by its name', who('T60') = '{"to the offer"}');
SELECT conformance.no('T60', 'another mail, or one that somebody wrote himself', who('T60') && '{"to the reminder","to a deal"}');
DROP FUNCTION t51, t52, t53, t54, t55, t56, t57, t57_heard, t60;

-- T61, a mail that is sent, received or linked changes no deal, so it starts nothing there; how many there are can be asked when something else happens
CREATE FUNCTION t61(d deal) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT OR UPDATE ON deal WHEN email_count(new) >= 2;
BEGIN
  SELECT conformance.hit('T61', d.id);
END $$;
SELECT new_deal('Many mails') AS many, new_deal('One mail') AS one \gset
INSERT INTO email_message (class, direction, sent_from, deal_id) VALUES ('personal', 'out', 'deal', :many), ('personal', 'out', 'deal', :one);
CALL automation.run();
INSERT INTO email_message (class, direction, deal_id) VALUES ('personal', 'in', :many);
INSERT INTO email_message (class, direction) VALUES ('personal', 'in') RETURNING id AS loose \gset
UPDATE email_message SET deal_id = :many WHERE id = :loose;
CALL automation.run();
SELECT conformance.no('T61', 'a mail sent, received, linked', cardinality(conformance.hits('T61')) > 0);
UPDATE deal SET stage_id = stage('Sales', 'Qualified') WHERE id IN (:many, :one);
CALL automation.run();
SELECT conformance.yes('T61', 'another change, with the number of mails as a condition', conformance.hits('T61') = ARRAY[:'many']);
SELECT conformance.no('T61', 'too few mails', conformance.hits('T61', :one) > 0);
DROP FUNCTION t61;

-- T62, T63, a file is downloaded: any, of a personal mail that was sent from a contact, an account or a deal through a connected mailbox
CREATE FUNCTION t62(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download WHEN counts_as_download(new) FOR SELECT new.contact_id;
  ENROLL AGAIN;
BEGIN
  SELECT conformance.hit('T62', c.id);
  SELECT conformance.hit('T63', c.id);
END $$;
-- T64, of a name, which is the whole name
CREATE FUNCTION t64(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download WHEN counts_as_download(new) AND file_name(new) = 'Proposal.doc' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T64', c.id);
END $$;
CREATE FUNCTION t64_stem(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download WHEN counts_as_download(new) AND file_name(new) = 'Proposal' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T64', c.id || ' stem');
END $$;
-- T65, within some days
CREATE FUNCTION t65(c contact) RETURNS bigint LANGUAGE workflow AS $$
  AFTER INSERT ON file_download WHEN counts_as_download(new) AND new.downloaded_at >= now() - interval '7 days' FOR SELECT new.contact_id;
BEGIN
  SELECT conformance.hit('T65', c.id);
END $$;
CREATE FUNCTION download(mail bigint, file_name text, at timestamptz DEFAULT automation.now()) RETURNS void LANGUAGE sql AS $$
    WITH a AS (INSERT INTO email_attachment (message_id, file_name) VALUES (mail, file_name) RETURNING id)
    INSERT INTO file_download (attachment_id, contact_id, downloaded_at) SELECT a.id, m.contact_id, at FROM a, email_message m WHERE m.id = mail;
$$;
SELECT download(mail('sent from a deal', 'personal', 'deal', mailbox => 'ada@example.com'), 'Proposal.doc');
SELECT download(mail('sent from a contact', 'personal', 'contact', mailbox => 'ada@example.com'), 'Prices.pdf');
SELECT download(mail('sent from an account', 'personal', 'account', mailbox => 'ada@example.com'), 'Terms.pdf', automation.now() - interval '10 days');
SELECT download(mail('no mailbox', 'personal', 'deal'), 'Proposal.doc');
SELECT download(mail('of a campaign', 'campaign', 'campaign', 'Spring sale'), 'Proposal.doc');
SELECT download(mail('sent by a workflow', 'personal', 'automation', mailbox => 'ada@example.com'), 'Proposal.doc');
SELECT download(mail('of a receipt', 'transactional', 'contact', mailbox => 'ada@example.com'), 'Proposal.doc');
INSERT INTO email_attachment (message_id, file_name) VALUES (mail('not downloaded', 'personal', 'deal', mailbox => 'ada@example.com'), 'Proposal.doc');
CALL automation.run();
SELECT conformance.yes('T62', 'from a deal, a contact, an account', who('T62') = '{"sent from a contact","sent from a deal","sent from an account"}');
SELECT conformance.no('T62', 'sent another way', who('T62') && '{"no mailbox","of a campaign","of a receipt","sent by a workflow"}');
SELECT conformance.yes('T63', 'any file', cardinality(who('T63')) = 3);
SELECT conformance.no('T63', 'not downloaded', who('T63') && '{"not downloaded"}');
SELECT conformance.yes('T64', 'the whole name', (SELECT array_agg(key) FROM conformance.hit WHERE id = 'T64')
    = ARRAY[(SELECT id::text FROM contact WHERE first_name = 'sent from a deal')]);
SELECT conformance.no('T64', 'the name without its extension', EXISTS (SELECT FROM conformance.hit WHERE id = 'T64' AND key LIKE '% stem'));
SELECT conformance.yes('T65', 'these days', who('T65') = '{"sent from a contact","sent from a deal"}');
SELECT conformance.no('T65', 'long ago', who('T65') && '{"sent from an account"}');
DROP FUNCTION t62, t64, t64_stem, t65;
