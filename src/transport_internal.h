/*
 * transport_internal.h -- the inner door of the transport: what a transfer is, and
 * what a kind of message (transport_http.c, transport_mail.c) has to do for it.
 *
 * transport.c owns pools, descriptor and timers; transfer.c owns the easy handles
 * and sets on each what every transfer has to have: timeouts, TLS, addresses, no
 * proxy, no redirects.  A kind adds its own: URL, headers, body, and judges the end.
 *
 * Callbacks of curl run within curl's frames: they never raise an error, so they
 * call nothing of PostgreSQL that might (no palloc, no ereport), and leave flags.
 * prepare, judge and release run outside of curl and may palloc.
 */
#ifndef WF_TRANSPORT_INTERNAL_H
#define WF_TRANSPORT_INTERNAL_H

#include <curl/curl.h>

#include "lib/ilist.h"

#include "transport.h"

/* Bytes of the other side, by malloc; what is beyond the limit is not kept. */
typedef struct Bytes
{
	char	   *data;					/* not terminated; NULL = none */
	size_t		length;
	size_t		allocated;
	size_t		limit;
	bool		full;					/* there was more, or no memory */
} Bytes;

typedef struct Pool Pool;
typedef struct Transfer Transfer;

typedef struct TransferKind
{
	/*
	 * Sets on t->easy what the kind needs; everything common is set already and may be
	 * overridden.  Memory that curl is to find until the end: in t->context, which is the
	 * current one.  False: *result says why (wf_transfer_refuse()), release is called.
	 */
	bool		(*prepare) (Transfer *t, const Outgoing *o, const Server *server,
							const Credentials *credentials, TransferResult *result);
	/*
	 * For a kind that has curl connect only (CURLOPT_CONNECT_ONLY) and speaks itself, else
	 * NULL: says and hears what it can without waiting, and sets talk_writes and talk_until.
	 * Called when curl has connected, when the socket is ready, and when the time is over;
	 * outside of curl.  True: it is over, judge is called with CURLE_OK.
	 */
	bool		(*talk) (Transfer *t, int64 now);
	/* curl has ended: fills end, status, code ... of *result; in the context of the caller
	 * of wf_transport_work(). */
	void		(*judge) (Transfer *t, CURLcode ended, TransferResult *result);
	/* Frees what prepare made of curl (mime, lists, t->state); secrets are overwritten. */
	void		(*release) (Transfer *t);
} TransferKind;

struct Transfer
{
	dlist_node	node;					/* in the pool's list of active, or idle ones */
	Pool	   *pool;
	CURL	   *easy;
	const TransferKind *kind;
	MemoryContext context;				/* until it ends, of this transfer alone */
	int64		id;						/* automation.outgoing */
	int			attempt;

	/* what callbacks leave */
	int			opened;					/* sockets made */
	int			refused;				/* addresses that were refused */
	bool		connected;				/* connection is ready, TLS and login too, and its address allowed: the request
										 * may leave from here on */
	bool		allow_private;
	bool		similar;				/* kinds: nothing was set that clean does not undo */

	/* what the handle still has of the transfer before: all that every one has, with these; 0 = nothing */
	int			kept_timeout;
	int			kept_connect_timeout;

	/* while the kind speaks itself */
	int			talk_socket;			/* -1 = it does not */
	bool		talk_ready;				/* something came, or can be sent */
	bool		talk_writes;			/* it has something to say */
	int64		talk_until;				/* milliseconds of the clock that talk is told */

	/* of the other side */
	Bytes		head;					/* HTTP: lines of the header; SMTP: reply lines (from curl's header callback) */
	int			head_lines;
	bool		head_full;				/* too many, or too long: aborted */
	Bytes		answer;					/* body */
	bool		answer_full;			/* longer than the server's limit: aborted */

	struct curl_slist *headers;			/* freed, and overwritten, at the end */
	void	   *state;					/* the kind's own, in context */
	char		error[CURL_ERROR_SIZE];
};

#define TRANSFER_HEAD_BYTES (64 * 1024)
#define TRANSFER_HEAD_LINES 100

extern const TransferKind wf_transfer_http;		/* transport_http.c */
extern const TransferKind wf_transfer_mail;		/* transport_mail.c */

/* --- transport.c, for callbacks --- */

/* A socket was made for a connection, or is about to be closed. */
extern void wf_transport_opened(int fd);
extern void wf_transport_closed(int fd);

/* --- transfer.c --- */

/* An easy handle, and what it keeps over its lives; NULL: no memory. */
extern Transfer *wf_transfer_new(void);
extern void wf_transfer_free(Transfer *t);
/* Sets what every transfer has to have; then the kind's. */
extern bool wf_transfer_prepare(Transfer *t, const Outgoing *o, const Server *server,
								const Credentials *credentials, TransferResult *result);
/* Its result, in the current context. */
extern TransferResult *wf_transfer_judge(Transfer *t, CURLcode ended);
/* Ready for another message. */
extern void wf_transfer_clean(Transfer *t);

/* Fills *result: TRANSFER_REFUSED by us for good, with a code and words (constants).  Returns false. */
extern bool wf_transfer_refuse(TransferResult *result, const char *code, const char *words);

/*
 * What a failure of curl means for every kind, by ended and the flags of t: end, code and
 * error of *result.  "received": part of the message may have been, so that the end
 * is TRANSFER_BROKEN, else TRANSFER_NOT_SENT.
 */
extern void wf_transfer_failed(Transfer *t, CURLcode ended, bool received, TransferResult *result);

/* Adds "Name: value"; false: no memory, or a byte that is not allowed in a line. */
extern bool wf_transfer_add_header(Transfer *t, const char *name, const char *value);

/* Appends as far as the limit allows; false: there was more.  For callbacks. */
extern bool wf_bytes_append(Bytes *bytes, const char *data, size_t length);

/*
 * Bytes of the other side as text of the database, palloc'd: without NUL; where they are
 * not valid in its encoding, bytes above 127 are written \xNN.  At most max bytes of them
 * (0 = no limit), and then no half character at the end.
 */
extern char *wf_remote_text(const char *data, size_t length, size_t max);

#endif
