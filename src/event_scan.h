/*
 * event_scan.h -- what became visible between two snapshots, and the rows of
 * the event log that did.  Between event_read.c and event_scan.c only.
 */
#ifndef WF_EVENT_SCAN_H
#define WF_EVENT_SCAN_H

#include "access/htup.h"
#include "access/transam.h"
#include "storage/block.h"
#include "utils/snapshot.h"

/* Which transactions a snapshot sees, in 64 bits. */
typedef struct Horizon
{
	bool		valid;					/* false: sees nothing */
	FullTransactionId xmax;
	int			nrunning;
	FullTransactionId *running;			/* top-level, sorted */
} Horizon;

/* The horizon of a snapshot, in the current context.  The snapshot never lists
 * the own xid as running: the transaction must have none yet. */
extern void wf_horizon_take(Horizon *horizon, Snapshot snapshot);
/* Copies a horizon into a context and frees what was in its place. */
extern void wf_horizon_keep(MemoryContext context, Horizon *place, const Horizon *horizon);
/* Was a transaction that committed visible? */
extern bool wf_horizon_sees(const Horizon *horizon, FullTransactionId xact);

/* A block to read. */
typedef struct Place
{
	uint32		segment;
	BlockNumber block;
} Place;

/* Blocks to read, each once, in order. */
typedef struct PlaceList
{
	Place	   *items;
	int			n;
	int			size;
} PlaceList;

/* The blocks where transactions have rows that "to" sees and "from", which is
 * valid, does not.  In the current context. */
extern void wf_places_find(PlaceList *list, Snapshot snapshot, const Horizon *from, const Horizon *to);
/* Copies a list into a context and frees what was in its place. */
extern void wf_places_keep(MemoryContext context, PlaceList *place, const PlaceList *list);

/* Receives a row that the snapshot sees; the tuple is there for the time of the call. */
typedef void (*EventRowReader) (void *arg, HeapTuple tuple, TupleDesc desc, int segment);
/* Reads these places, or everything if places is NULL. */
extern void wf_event_scan(const PlaceList *places, Snapshot snapshot, EventRowReader reader, void *arg);

#endif
