/*
 * outbox.h -- automation.outgoing and outgoing_due: enqueue, load, cancel, finish.
 *
 * Written by executors and sessions in the owner's transaction (enqueue, cancel),
 * and by the delivery worker (finish).  The row in outgoing_due is the only
 * licence to send: whoever deletes it decides.
 */
#ifndef WF_OUTBOX_H
#define WF_OUTBOX_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"

typedef struct Outgoing
{
	int64		id;
	char	   *uid;
	int			owner;
	int			workflow;
	int			version;
	int64		enrollment;
	int			epoch;
	int			statement;
	int			source;
	char	   *key;
	TimestampTz created_at;
	char	   *kind;
	char	   *server;
	char	   *target;
	char	   *channel;
	char	   *address;
	char	   *class;
	char	   *list;
	char	   *family;
	char	   *variant;
	char	   *ordering_key;
	char	   *subject;
	char	   *body;
	Jsonb	   *headers;
	Jsonb	   *options;
	bool		awaited;
	char	   *send_window;
	char	   *zone;
	TimestampTz expires_at;				/* 0 = never */
	char	   *state;
	char	   *reason;
	int			attempts;
	TimestampTz finished_at;			/* 0 = not */
	int			status;					/* 0 = none */
	Jsonb	   *answer_headers;
	char	   *answer;
	char	   *error;
	char	   *provider_id;
	ItemPointerData tid;
} Outgoing;

#define OUTGOING_QUEUED "queued"
#define OUTGOING_HELD "held"
#define OUTGOING_SENT "sent"
#define OUTGOING_DEAD "dead"
#define OUTGOING_CANCELLED "cancelled"
#define OUTGOING_SKIPPED "skipped"
#define OUTGOING_UNKNOWN "unknown"

extern int64 wf_outgoing_new_id(void);
/* "msg_" and 32 hexadecimal digits nobody can guess. */
extern char *wf_outgoing_new_uid(void);

/* Enters the message; state queued: and that it may leave from due on, and at commit
 * wakes the delivery worker.  Of o everything is read. */
extern void wf_outgoing_insert(const Outgoing *o, TimestampTz due);

/* NULL if there is none; in the current context, under the latest snapshot. */
extern Outgoing *wf_outgoing_load(int64 id);
extern bool wf_outgoing_is_over(const Outgoing *o);

/* The answer to the newest GET that this server answered 2xx at the address (canonical), among
 * the messages of owners that are mine and that no recipient was named for; NULL: there is none.
 * In the current context, under the active snapshot; is_mine is called in memory that is reset. */
extern char *wf_outgoing_last_answer(const char *server, const char *target, bool (*is_mine) (int owner));

/* That it may leave from due on, after so many attempts; the worker is woken at commit.  The
 * caller has seen to it that there is no other licence and that nobody sends it. */
extern void wf_outgoing_license(const Outgoing *o, TimestampTz due, int attempt);

/* Takes the licence away; *attempts: how many there were.  False: it has left already, or
 * is over.  Waits for a worker's short transaction at most. */
extern bool wf_outgoing_take(int64 id, int *attempts);

/* Takes the licence away and ends the message as cancelled; who waits for it is woken, or not
 * (quietly).  False: as above.  A line of the history tells. */
extern bool wf_outgoing_cancel(int64 id, const char *reason, TimestampTz now);
extern bool wf_outgoing_cancel_quietly(int64 id, const char *reason, TimestampTz now);
/* The same for all of an enrollment, quietly; those on their way are not sent again.  Returns
 * how many were cancelled. */
extern int	wf_outgoing_cancel_enrollment(int64 enrollment, const char *reason, TimestampTz now);

/* It is not sent again, for that reason, once it comes back from its way; for messages that
 * cannot be cancelled any more. */
extern void wf_outgoing_stop(int64 message, const char *reason, TimestampTz now);
/* The reason; NULL: it may be sent again. */
extern char *wf_outgoing_stopped(int64 message);

/*
 * The message is over: o->state, reason, attempts, status, answer ..., error and
 * provider_id are written, and if somebody waits for it his enrollment gets a W
 * event.  The caller has taken the licence (outgoing_due or inflight) away.
 */
extern void wf_outgoing_finish(Outgoing *o, TimestampTz now);

/* A line of the history, event "delivery": reason, and as detail message, state, attempt
 * and status of o. */
extern void wf_outgoing_journal(const Outgoing *o, TimestampTz at, const char *reason);

#endif
