/*
 * smtp.h -- the conversation in which a mail is handed over, on a connection that is
 * greeted, encrypted and logged in.
 */
#ifndef WF_SMTP_H
#define WF_SMTP_H

#include <curl/curl.h>

#include "mail.h"

/* Where it stands: what was said last. */
typedef enum
{
	TALK_MAIL,
	TALK_RCPT,
	TALK_DATA,
	TALK_MESSAGE,						/* all of it but its end */
	TALK_END							/* the dot: from here on the mail may have been taken */
} TalkState;

typedef enum
{
	TALK_GOES_ON,
	TALK_ANSWERED,						/* by a reply that ends it: status */
	TALK_LOST,							/* the connection has ended */
	TALK_TIMEOUT,
	TALK_NONSENSE						/* what came is no reply of SMTP */
} TalkEnd;

typedef struct SmtpTalk
{
	CURL	   *easy;
	const Mail *mail;
	int			timeout;				/* ms, for each reply but the last */
	TalkState	state;
	TalkEnd		end;
	int			recipient;				/* index of that asked for */
	int			refused;				/* of the copies, how many were refused */
	int			status;					/* of the reply that ended it */

	/* what is being said */
	const char *out;
	size_t		left;
	char		command[512];

	/* what is being heard: the lines of one reply */
	char		reply[8 * 1024];
	size_t		heard;
	size_t		line;					/* where the unfinished line begins */

	/* for who waits */
	bool		wants_to_write;
	int64		until;					/* milliseconds of the caller's clock */
} SmtpTalk;

/* size_announced: the server takes the size of a mail in advance. */
extern void wf_smtp_begin(SmtpTalk *talk, CURL *easy, const Mail *mail, int timeout, bool size_announced, int64 now);

/* Says and hears what it can without waiting; true: it is over, see end. */
extern bool wf_smtp_go_on(SmtpTalk *talk, int64 now);

/* What the server calls the mail, out of the reply that took it; NULL: it does not say. */
extern char *wf_smtp_provider_id(const char *reply);
/* Whether a refusal of a recipient is about that recipient, and not about us. */
extern bool wf_smtp_is_bad_recipient(int status, const char *reply);

#endif
