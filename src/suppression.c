/*
 * suppression.c -- automation.suppression: whom not to write to.
 *
 * Called by SEND for each message, by the delivery worker once more when the message is
 * marked as on its way, by unsubscribe() and record_inbound(), and by the commands
 * suppress() and unsuppress().
 *
 * A suppression is a row of its own, and touches no message: it waits for no worker
 * and no executor, and no one waits for it.  What was committed before a message is marked
 * as started stops it, since the worker looks with a snapshot taken after that.  Rows
 * name a hash of the address, so they stay when the address is erased.
 *
 * Looks take AccessShareLock; results are palloc'd in the current context.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "enginesql.h"
#include "lookup.h"
#include "store.h"
#include "suppression.h"

PG_FUNCTION_INFO_V1(wf_suppress_address);
PG_FUNCTION_INFO_V1(wf_unsuppress_address);
PG_FUNCTION_INFO_V1(wf_suppressed_address);

enum
{
	COL_ID = 1, COL_OWNER, COL_CHANNEL, COL_HASH, COL_CLASS, COL_LIST, COL_REASON, COL_AT
};
#define SUPPRESSION_COLUMNS COL_AT

#define MAX_TEXT 200					/* bytes of a list, reason */
#define MAX_CHANNEL 30
#define MAX_ADDRESS 1000

/* --- looking --- */

/* Text of a column; NULL is NULL. */
static char *
text_of(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* Does the column say so, or nothing, which is everything? */
static bool
covers(TupleTableSlot *slot, int column, const char *text)
{
	const char *stored = text_of(slot, column);

	return stored == NULL || (text != NULL && strcmp(stored, text) == 0);
}

static bool
stands_against(TupleTableSlot *slot, Oid owner, const char *channel, const char *class, const char *list)
{
	bool		isnull;
	Oid			whose = DatumGetObjectId(slot_getattr(slot, COL_OWNER, &isnull));

	return (isnull || whose == owner) && covers(slot, COL_CHANNEL, channel) &&
		covers(slot, COL_CLASS, class) && covers(slot, COL_LIST, list);
}

/* Does a row say just that? */
static bool
is_same(TupleTableSlot *slot, int column, const char *text)
{
	const char *stored = text_of(slot, column);

	return stored == NULL || text == NULL ? stored == text : strcmp(stored, text) == 0;
}

static bool
is_noted(TupleTableSlot *slot, Oid owner, const char *channel, const char *class, const char *list)
{
	bool		isnull;
	Oid			whose = DatumGetObjectId(slot_getattr(slot, COL_OWNER, &isnull));

	return (isnull ? InvalidOid : whose) == owner && is_same(slot, COL_CHANNEL, channel) &&
		is_same(slot, COL_CLASS, class) && is_same(slot, COL_LIST, list);
}

/* Which rows are asked for: those that stand against a message, or the very same one. */
typedef bool (*Question) (TupleTableSlot *slot, Oid owner, const char *channel, const char *class, const char *list);

/* Reason of the first row of the address of which it is true; NULL: there is none. */
static const char *
find_reason(Question question, Oid owner, const char *channel, const char *hash, const char *class, const char *list)
{
	Lookup	   *lookup = wf_lookup_open(wf_store_relid("suppression"), wf_store_index("suppression_address"));
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	const char *reason = NULL;
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(hash));
	/* the index is ordered by the column's collation */
	key.sk_collation = wf_lookup_index(lookup)->rd_indcollation[0];
	for (TupleTableSlot *slot = wf_lookup_find(lookup, 1, &key, snapshot);
		 slot != NULL && reason == NULL;
		 slot = wf_lookup_next(lookup))
		if (question(slot, owner, channel, class, list))
			reason = text_of(slot, COL_REASON);
	UnregisterSnapshot(snapshot);
	wf_lookup_close(lookup);
	return reason;
}

const char *
wf_suppressed(Oid owner, const char *channel, const char *address, const char *class, const char *list)
{
	return find_reason(stands_against, owner, channel, wf_address_hash(wf_address_normalize(channel, address)), class, list);
}

/* --- noting --- */

static Datum
text_datum(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

bool
wf_suppress(Oid owner, const char *channel, const char *address, const char *class,
			const char *list, const char *reason)
{
	return wf_suppress_hash(owner, channel, wf_address_hash(wf_address_normalize(channel, address)), class, list, reason);
}

bool
wf_suppress_hash(Oid owner, const char *channel, const char *hash, const char *class,
				 const char *list, const char *reason)
{
	Datum		values[SUPPRESSION_COLUMNS];
	bool		nulls[SUPPRESSION_COLUMNS] = {0};
	Relation	rel;

	if (find_reason(is_noted, owner, channel, hash, class, list) != NULL)
		return false;
	rel = wf_store_open("suppression", RowExclusiveLock);
	values[COL_ID - 1] = Int64GetDatum(wf_store_nextval("suppression_id_seq"));
	values[COL_OWNER - 1] = ObjectIdGetDatum(owner);
	nulls[COL_OWNER - 1] = !OidIsValid(owner);
	values[COL_CHANNEL - 1] = CStringGetTextDatum(channel);
	values[COL_HASH - 1] = CStringGetTextDatum(hash);
	values[COL_CLASS - 1] = text_datum(class, &nulls[COL_CLASS - 1]);
	values[COL_LIST - 1] = text_datum(list, &nulls[COL_LIST - 1]);
	values[COL_REASON - 1] = CStringGetTextDatum(reason);
	values[COL_AT - 1] = TimestampTzGetDatum(wf_clock_now());
	wf_store_insert(rel, values, nulls, NULL);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	return true;
}

/* --- commands --- */

/* What suppress() and unsuppress() are told. */
typedef struct Wish
{
	char	   *address;
	char	   *channel;
	char	   *class;
	char	   *list;
	Oid			owner;
} Wish;

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static void
check_text(const char *what, const char *text, int max)
{
	if (text == NULL || text[0] == '\0' || strlen(text) > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have 1 to %d bytes", what, max)));
}

/* A word, as in a message: who confuses the arguments shall hear of it. */
static void
check_channel(const char *channel)
{
	check_text("a channel", channel, MAX_CHANNEL);
	if (strspn(channel, "abcdefghijklmnopqrstuvwxyz0123456789_-.") < strlen(channel))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a channel is a word in small letters such as mail or sms"),
				 errhint("The address comes first, then the channel.")));
}

static void
check_class(const char *class)
{
	if (class != NULL && strcmp(class, CLASS_MARKETING) != 0 && strcmp(class, "transactional") != 0 &&
		strcmp(class, "internal") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown class of messages \"%s\"", class),
				 errhint("Classes are marketing, transactional and internal; NULL means all of them.")));
}

/* The address is in no message of ours: it may be somebody's. */
static void
check_address(const Wish *wish)
{
	check_text("an address", wish->address, MAX_ADDRESS);
	if (wf_address_normalize(wish->channel, wish->address)[0] == '\0' ||
		(strcmp(wish->channel, CHANNEL_MAIL) == 0 &&
		 !wf_mailbox_valid(wf_address_normalize(wish->channel, wish->address))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is no address of channel \"%s\"", wish->channel),
				 errhint("Write a single mailbox, local@domain, without a name; a phone number has digits. A domain in other"
						 " letters may be written in its xn-- form.")));
}

static void
check_rights(Oid owner)
{
	if (!OidIsValid(owner) && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to decide about everybody's messages"),
				 errhint("Leave for_owner out to decide about your own.")));
	if (OidIsValid(owner) && !has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be member of role \"%s\" to decide about its messages", GetUserNameFromId(owner, true))));
}

/* (address, channel, class, list, ..., owner at place whose) */
static Wish
read_wish(FunctionCallInfo fcinfo, int whose)
{
	Wish		wish;

	wish.address = text_argument(fcinfo, 0);
	wish.channel = text_argument(fcinfo, 1);
	wish.class = text_argument(fcinfo, 2);
	wish.list = text_argument(fcinfo, 3);
	wish.owner = PG_ARGISNULL(whose) ? InvalidOid : PG_GETARG_OID(whose);
	check_channel(wish.channel);
	check_address(&wish);
	check_class(wish.class);
	if (wish.list != NULL)
		check_text("a list", wish.list, MAX_TEXT);
	return wish;
}

/* suppress(address, channel, class, list, reason, for_owner) */
Datum
wf_suppress_address(PG_FUNCTION_ARGS)
{
	Wish		wish = read_wish(fcinfo, 5);
	char	   *reason = text_argument(fcinfo, 4);

	check_text("a reason", reason, MAX_TEXT);
	check_rights(wish.owner);
	PG_RETURN_BOOL(wf_suppress(wish.owner, wish.channel, wish.address, wish.class, wish.list, reason));
}

/* unsuppress(address, channel, class, list, for_owner): just that one. */
Datum
wf_unsuppress_address(PG_FUNCTION_ARGS)
{
	Wish		wish = read_wish(fcinfo, 4);

	check_rights(wish.owner);
	PG_RETURN_BOOL(wf_engine_sql("DELETE FROM automation.suppression s WHERE s.address_hash = $3"
								 " AND s.owner IS NOT DISTINCT FROM nullif($1, 0)::regrole AND s.channel = $2"
								 " AND s.class IS NOT DISTINCT FROM $4 AND s.list IS NOT DISTINCT FROM $5", "otttt",
								 wish.owner, wish.channel, wf_address_hash(wf_address_normalize(wish.channel, wish.address)),
								 wish.class, wish.list) > 0);
}

/*
 * suppressed(address, channel, class, list, for_owner): the reason, to those whom it concerns;
 * the view of messages asks for rows that it does not show, too.
 */
Datum
wf_suppressed_address(PG_FUNCTION_ARGS)
{
	Oid			owner = PG_ARGISNULL(4) ? InvalidOid : PG_GETARG_OID(4);
	const char *reason;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || !OidIsValid(owner))
		PG_RETURN_NULL();
	if (!has_privs_of_role(GetUserId(), owner) && !has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_DATA))
		PG_RETURN_NULL();
	reason = wf_suppressed(owner, text_argument(fcinfo, 1), text_argument(fcinfo, 0),
						   text_argument(fcinfo, 2), text_argument(fcinfo, 3));
	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(reason));
}
