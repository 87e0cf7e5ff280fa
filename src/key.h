/*
 * key.h -- keys as text: a JSON array of the primary key columns' output
 * texts, in key order, under standard settings.
 */
#ifndef WF_KEY_H
#define WF_KEY_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/relcache.h"

#define KEY_LOOKUP_MAX 200				/* bytes; longer ones are looked up by hash */

/* Primary key of a table; natts = 0 if it has none. */
typedef struct KeyColumns
{
	int			natts;
	AttrNumber	attnum[INDEX_MAX_KEYS];	/* in the given relation */
	Oid			type[INDEX_MAX_KEYS];
	char	   *name[INDEX_MAX_KEYS];
} KeyColumns;

/* Columns of rel's primary key (of a partition: the root's key by name). */
extern void wf_key_columns(Relation rel, KeyColumns *columns);

/* Are the key's columns still there and of the same types? */
extern bool wf_key_fits(const KeyColumns *columns, TupleDesc desc);

/* Key of a row, palloc'd.  No user code runs for core types.  NULL if a key
 * column is null, or not of the type it had when the columns were looked up. */
extern char *wf_key_of_tuple(const KeyColumns *columns, HeapTuple tuple, TupleDesc desc);

/* Key from n texts (NULL entries become JSON null). */
extern char *wf_key_make(int n, const char *const *texts);
/* The n texts of a key, palloc'd array; entries NULL for JSON null. */
extern char **wf_key_split(const char *key, int *n);

/* Form kept in look-up columns: the key itself, or "#" + SHA-256 in hex. */
extern char *wf_key_lookup(const char *key);

/* 64-bit hash of a key, for causes and groups. */
extern int64 wf_key_hash(const char *key);

/* Output text of a value by its type's output function under standard
 * settings (DateStyle ISO, UTC ... : see wf_text_enter), palloc'd. */
extern char *wf_value_out(Datum value, Oid type);
/* Value of a text by the type's input function, as the current user. */
extern Datum wf_value_in(const char *text, Oid type, int32 typmod);

/* Standard text settings around several conversions; returns a GUC nest
 * level.  Cheap when the session's settings are standard already (returns -1). */
extern int	wf_text_enter(void);
extern void wf_text_leave(int level);

#endif
