/*
 * mail.h -- a mail: what it must be like, what is settled when it is entered, and
 * the bytes it leaves as.
 *
 * mail.c settles and checks, mail_header.c and mail_body.c write, transport_mail.c
 * hands over.
 */
#ifndef WF_MAIL_H
#define WF_MAIL_H

#include "lib/stringinfo.h"

#include "outbox.h"
#include "server.h"

#define MAIL_LINE 76					/* bytes of a line, without its end */

/*
 * Settles, before the message is entered, what must not change later or needs the tables:
 * what a template left open, the sender (option from), the text part of a mail that has HTML
 * alone, and from option thread the options in_reply_to and references and the "Re:" of the
 * subject.  Of o id, uid, owner, enrollment, target, server and the contents are there; subject,
 * body and options are replaced.  Does nothing to messages that are no mail.
 * ERROR (22023) if option thread names a message of another owner or to another recipient, if the
 * template asks for what the server lacks, or if something keeps the mail from leaving by the server.
 * In a transaction with an active snapshot.
 */
/* Copies (cc, bcc) to whom no message of that class may be sent now are left out; in a transaction. */
extern void wf_mail_drop_copies(Outgoing *o, Oid owner);
extern void wf_mail_complete(Outgoing *o, const Server *server);

/* As it is handed over.  Every line ends in CR LF, has at most 998 bytes, all of them
 * ASCII, and does not begin with a dot. */
typedef struct Mail
{
	char	   *return_path;			/* mailbox */
	List	   *recipients;				/* of char *: mailboxes; the first is the message's, then cc and bcc */
	char	   *data;
	size_t		length;
} Mail;

/*
 * In the current context; NULL: *problem says why it must not leave.  The same message
 * gives the same bytes on every attempt (but for the tokens' key).  Outside transactions, too,
 * after wf_token_prepare().  Raises nothing but out of memory.
 */
extern Mail *wf_mail_build(const Outgoing *o, const Server *server, const char **problem);
/* The one problem that is not the message's and may pass. */
extern const char *const wf_mail_no_key;

/* --- between mail*.c --- */

typedef struct MailLinks
{
	char	   *url;					/* https://...; NULL = none */
	char	   *mailto;					/* mailto:...; NULL = none */
} MailLinks;

/* Mailbox in From; NULL = none. */
extern char *wf_mail_sender(const Outgoing *o, const Server *server);
/* "<uid@domain of the sender>" */
extern char *wf_mail_message_id(const char *uid, const char *sender);
/* Mailboxes of option cc or bcc, of char *. */
extern List *wf_mail_copies(const Outgoing *o, const char *option);

/* All headers but those of the body; false: *problem says why not. */
extern bool wf_mail_write_headers(StringInfo to, const Outgoing *o, const Server *server, const MailLinks *links,
								  const char **problem);

/* Headers of the body, empty line, body.  Boundaries are made of the uid. */
extern bool wf_mail_write_body(StringInfo to, const Outgoing *o, const char **problem);

#endif
