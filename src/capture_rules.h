/*
 * capture_rules.h -- a table's armed rules in the form capture decides by.
 * Between capture.c, capture_match.c, capture_cache.c and capture_index.c only.
 */
#ifndef WF_CAPTURE_RULES_H
#define WF_CAPTURE_RULES_H

#include "executor/tuptable.h"
#include "fmgr.h"
#include "key.h"
#include "rule.h"

/* Sets of columns: bit attnum - 1 of an array of nwords words. */
typedef uint64 ColumnSet;
#define COLUMN_WORDS(natts) (((natts) + 63) / 64)
#define COLUMN_ADD(set, attnum) ((set)[((attnum) - 1) / 64] |= UINT64CONST(1) << (((attnum) - 1) % 64))
#define COLUMN_IN(set, attnum) (((set)[((attnum) - 1) / 64] >> (((attnum) - 1) % 64)) & 1)

typedef struct CaptureCondition
{
	AttrNumber	attnum;
	RuleOp		op;
	bool		on_old;
	bool		endpoint;				/* reads an UPDATE OF column */
	int			nvalues;
	Datum	   *values;
	bool	   *nulls;
} CaptureCondition;

typedef struct CaptureRule
{
	int			id;
	int			owner;					/* index into CaptureTable.owners */
	int			operations;
	bool		wake;
	bool		table;					/* kind T: a row counts if it meets all conditions, before or after the change */
	bool		undecided;				/* a column or constant that no longer fits: always appended, with whole rows unless "table" */
	bool		any;					/* rule columns: all */
	bool		any_of;					/* UPDATE without OF */
	ColumnSet  *columns;				/* rule columns: UPDATE OF, and those WHEN and FOR read */
	ColumnSet  *of;						/* UPDATE OF columns */
	ColumnSet  *reads;					/* columns of new that decide about an insert */
	bool		reads_all;
	int			nconditions;
	CaptureCondition *conditions;
	bool		old_ends;				/* has endpoints over old */
	bool		new_ends;
	bool		loose;					/* endpoints don't decide about an update */
	bool		never_inserts;			/* a condition over old that a missing row doesn't meet */
	bool		never_deletes;			/* the same over new */
	bool		all_old;				/* image of the whole old row */
	bool		all_new;
	ColumnSet  *image_old;
	ColumnSet  *image_new;
	int			nties;
	AttrNumber *ties;					/* columns whose values lead to those who wait */
	bool		path;					/* the executor finds them: a row without ties matters, too */
	uint64		seen;					/* number of the last change it was considered for */
} CaptureRule;

/* Functions of a column's type; only core ones. */
typedef struct CaptureColumn
{
	bool		live;					/* exists and is stored */
	bool		watched;
	bool		looked_up;				/* the next fields are filled */
	bool		equal_ok;
	bool		compare_ok;
	bool		hash_ok;
	bool		plain;					/* equal values have equal bytes */
	bool		byval;
	int16		len;
	Oid			type;
	Oid			collation;
	FmgrInfo	equal;
	FmgrInfo	compare;
	FmgrInfo	hash;
	const char *name;					/* NULL unless a rule has ties of it */
	FmgrInfo	tie_hash;
	uint64		tie_number[2];			/* the last change whose old, or new, value's tie is kept */
	int64		tie[2];
} CaptureColumn;

/* Rules by the value one of their conditions asks for. */
typedef struct LookupEntry
{
	uint32		hash;
	AttrNumber	attnum;
	bool		isnull;
	Datum		value;
	List	   *rules;					/* of CaptureRule */
	struct LookupEntry *next;
} LookupEntry;

typedef struct Lookup
{
	List	   *others;					/* rules that ask for no single value */
	ColumnSet  *columns;				/* columns to look up */
	uint32		mask;
	LookupEntry **buckets;
} Lookup;

/* What a changed column leads to. */
typedef struct ColumnRules
{
	List	   *rules;					/* to test one by one */
	ColumnSet  *probes;					/* columns whose values lead to the others */
} ColumnRules;

typedef struct CaptureOwner
{
	int			id;
	int			operations;				/* of all its rules but wake rules and those of other tables' conditions */
	bool		wake;
	bool		keys;					/* has rules that follow rows by their keys */
} CaptureOwner;

typedef struct CaptureTable
{
	Oid			relid;					/* hash key: the table or partition that fires the trigger */
	MemoryContext context;				/* all below; NULL = never loaded */
	bool		loaded;					/* completely: no ERROR came in between */
	bool		stale;					/* set by the invalidation callback, at any time */
	uint64		epoch;					/* of the last full reset it knows of */
	Oid			root;
	int			source;
	KeyColumns	key;
	ColumnSet  *key_columns;
	int			natts;
	int			nwords;
	CaptureColumn *columns;				/* natts */
	int			nwatched;
	AttrNumber *watched;				/* in order */
	int			nrules;
	CaptureRule *rules;
	int			nowners;
	CaptureOwner *owners;
	int			operations;				/* of all rules but wake rules */
	bool		wakes;
	ColumnRules *by_column;				/* natts: updates */
	ColumnRules any;					/* updates of whatever column */
	Lookup		update;
	Lookup		insert;
	Lookup		delete;
} CaptureTable;

/* The rules of a table or partition, loaded if need be; valid until the next
 * call for the same table, or the end of the transaction.  nrules = 0: nothing to do. */
extern CaptureTable *wf_capture_table(Relation rel);
extern void wf_capture_cache_init(void);

/* Finds the functions of a column's type; in the table's context. */
extern void wf_capture_column(CaptureTable *table, AttrNumber attnum);
/* Fills the indexes over the rules and what is to be compared; likewise. */
extern void wf_capture_index(CaptureTable *table);

/* Hash of a value as Lookup knows it. */
extern uint32 wf_capture_hash(CaptureTable *table, AttrNumber attnum, Datum value, bool isnull);
extern bool wf_capture_equal(CaptureTable *table, AttrNumber attnum, Datum a, Datum b);
/* Does a condition hold for a row?  slot NULL: a missing row, all columns NULL. */
extern bool wf_capture_holds(CaptureTable *table, CaptureCondition *condition, TupleTableSlot *slot);

/* One row change being decided. */
typedef struct OwnerHits
{
	bool		concerned;				/* gets an event even without hits */
	int			nhits;
	int			room;
	int		   *hits;
	int64	   *prints;
	bool		all_old;
	bool		all_new;
	ColumnSet  *image_old;
	ColumnSet  *image_new;
	bool		printed;				/* a fingerprint is not 0 */
	int			nties;
	int			tie_room;
	int64	   *ties;					/* without duplicates */
} OwnerHits;

typedef struct RowChange
{
	CaptureTable *table;
	TupleDesc	desc;
	char		kind;
	HeapTuple	old;					/* NULL for I */
	HeapTuple	new;					/* NULL for D */
	TupleTableSlot *old_slot;
	TupleTableSlot *new_slot;
	bool		key_changed;
	bool		born;					/* this transaction inserted the row: there is no old one */
	uint64		number;					/* see CaptureRule.seen */
	ColumnSet	changed[COLUMN_WORDS(MaxHeapAttributeNumber)];
	OwnerHits  *hits;					/* per owner; NULL = nobody concerned */
} RowChange;

/* Fills "changed"; false if no watched column did. */
extern bool wf_match_same_bytes(const CaptureTable *table, TupleDesc desc, HeapTuple old, HeapTuple new);
extern bool wf_match_changed(RowChange *change);
extern void wf_match_update(RowChange *change);
extern void wf_match_insert(RowChange *change);
/* An update of a row that this transaction inserted. */
extern void wf_match_born(RowChange *change);
/* own: the deleted version is this transaction's; born: so is the row. */
extern void wf_match_delete(RowChange *change, bool own, bool born);
extern void wf_match_everybody(RowChange *change);
/* All rows of the table are gone. */
extern void wf_match_truncate(RowChange *change);

#endif
