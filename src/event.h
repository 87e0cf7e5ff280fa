/*
 * event.h -- the event log: append, read, consume, rotate.
 */
#ifndef WF_EVENT_H
#define WF_EVENT_H

#include "access/transam.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"

#define EVENT_SEGMENTS 4

/* kinds */
#define EVENT_INSERT	'I'
#define EVENT_UPDATE	'U'
#define EVENT_DELETE	'D'
#define EVENT_ENTRY		'E'				/* derived: one rule (images), or one rule with its arguments (args) */
#define EVENT_HAND		'H'				/* args; target = reserved enrollment id */
#define EVENT_WAKE		'W'				/* target = enrollment; with hits: a part of a change, see tied.c */
#define EVENT_COMMAND	'C'				/* args = the command; target = enrollment or 0 */

#define HIT_RULE(h) ((h) >> 2)
#define HIT_OLD(h) (((h) & 2) != 0)
#define HIT_NEW(h) (((h) & 1) != 0)

typedef struct Event
{
	int64		seq;
	FullTransactionId xact;
	TimestampTz at;
	char		kind;
	int			owner;
	int			source;					/* 0 = none */
	char	   *key;					/* whole, NULL = none */
	char	   *old_key;
	int64		target;					/* 0 = none */
	int			nhits;
	int		   *hits;
	int64	   *prints;					/* 2 * nhits, or NULL */
	int			nties;
	int64	   *ties;					/* see tie.h */
	Jsonb	   *old;
	Jsonb	   *new;
	Jsonb	   *args;
	int			ncause;
	int64	   *cause;					/* NULL for user changes */
} Event;

extern void wf_event_init(void);

/* Appends in the current transaction; fills seq, xact, at (if 0).  Wakes the
 * owner's executor at commit.  Waits for nothing but DDL on the extension. */
extern void wf_event_append(Event *event);

/* Wakes the owner's executor at commit, for work that is not in the log. */
extern void wf_event_wake_at_commit(int owner);

/*
 * The reader of one owner (owner 0: every owner's, for the coordinator, which
 * uses wf_event_owners only).
 */
typedef struct EventReader EventReader;
extern EventReader *wf_event_reader_create(MemoryContext parent, int owner);
/* P := none, Q := empty: start, seat regained, clock or doubt. */
extern void wf_event_reader_forget(EventReader *reader);
/* Reads what became visible since the last read.  Call at the start of a
 * transaction, before it has an xid.  Returns the number of groups queued. */
extern int	wf_event_read(EventReader *reader);
/* Groups waiting in Q. */
extern int	wf_event_queued(EventReader *reader);

/* One item: the events of one (xact, source, key), or a single E, H, W, C. */
typedef struct EventGroup
{
	int			nevents;
	Event	   *events;					/* in seq order */
	int			index;					/* position in the queue: for consume */
} EventGroup;

/* Loads the i-th queued group (0 = oldest) into the current context.  NULL if a
 * row is not what was read (someone else's doing): the reader has forgotten
 * everything, end the batch. */
extern EventGroup *wf_event_load(EventReader *reader, int i);
/* Deletes the group's rows; ERROR if one was consumed by somebody else. */
extern void wf_event_consume(EventReader *reader, EventGroup *group);
/* After commit: the consumed ones leave the queue. / After rollback: they stay. */
extern void wf_event_committed(EventReader *reader);
extern void wf_event_rolled_back(EventReader *reader);

/* Owners that have events newer than the last call (or any, after forget). */
extern List *wf_event_owners(EventReader *reader);	/* of int */

/* ERROR of a lock, after which the item waits for a moment, if a row that is not
 * under its key has got another one by a change that the owner has yet to read. */
extern void wf_event_await_key(int owner, int source, const char *key);

/* Rotation, each call one small step in the caller's transaction: never waits.
 * Returns true if something was done. */
extern bool wf_event_rotate(void);

#endif
