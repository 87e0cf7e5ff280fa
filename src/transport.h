/*
 * transport.h -- libcurl behind a small door: transfers that begin, a descriptor to
 * wait on, transfers that have ended.
 *
 * Called by the delivery worker only, outside any transaction.  Nothing here raises
 * an error from within curl's callbacks; what went wrong is in the result.  One pool of
 * connections per server; no user code, no table.
 */
#ifndef WF_TRANSPORT_H
#define WF_TRANSPORT_H

#include "outbox.h"
#include "server.h"

typedef enum
{
	TRANSFER_ANSWERED,					/* status is that of HTTP, or of the last SMTP reply */
	TRANSFER_NOT_SENT,					/* certainly: no connection, refused address, TLS ... */
	TRANSFER_BROKEN,					/* part of the request may have been received: it may have been acted upon */
	TRANSFER_REFUSED					/* by us: a message or server that must not leave so; never again */
} TransferEnd;

typedef struct TransferResult
{
	int64		id;						/* automation.outgoing */
	int			attempt;
	TransferEnd end;
	int			status;					/* 0 = none */
	const char *code;					/* stable code: timeout, refused, tls, dns, address_refused, too_large, reset, at_rcpt ... */
	char	   *error;					/* in words of ours, no data of the message */
	Jsonb	   *headers;				/* of the answer, names in lower case; NULL = none */
	char	   *answer;					/* valid in the server's encoding, no NUL; NULL = none */
	char	   *provider_id;			/* what the receiver calls it, if it said so */
	int64		retry_after;			/* microseconds; -1 = not said */
	bool		bad_recipient;			/* SMTP: 5xx to RCPT */
	int			milliseconds;
} TransferResult;

/* Once per process, before any thread: environment, curl_global_init. */
extern void wf_transport_init(void);

/* Descriptor that becomes readable when something is to do; milliseconds until it is to be
 * done anyway, -1 = none. */
extern int	wf_transport_descriptor(void);
extern long wf_transport_timeout(void);

/* Begins.  Copies what it needs; credentials may be forgotten afterwards.  False: *result says why. */
extern bool wf_transport_begin(const Outgoing *o, int attempt, const Server *server,
							   const Credentials *credentials, TimestampTz now, TransferResult *result);

/* Does what is to do; List of TransferResult * that have ended, in the current context. */
extern List *wf_transport_work(void);

/* Ends everything; what was on its way is nobody's. */
extern void wf_transport_shutdown(void);

/* For transport_mail.c: the mail as a curl MIME structure and its headers. */
#endif
