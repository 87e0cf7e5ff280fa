/*
 * tie.c -- how a row of any table leads to the enrollments that wait for it.
 *
 * A wait on other rows than the enrollment's own is tied to them by equalities,
 * such as sales_order.contact_id = c.id.  The wait stores (automation.wait) the tie
 * of the table, the column and the value it asks for; a changed row has the tie of the
 * value it has.  Equal values have equal ties.  The reverse need not hold: a tie
 * is a hash, and a collision costs one needless look.
 *
 * Called by capture in any session, and by the executor.  The hashes are the
 * core's for the type, so they are the same as long as the server's major
 * version, its architecture and its collations are; automation.arm() has all waits
 * tied anew after a restore.  No locks; no errors but those documented.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "tie.h"

/* Seed of the ties of automation.finished(). */
#define SEED_FINISHED UINT64CONST(0x66696e6973686564)
/* Seed of the ties of statements. */
#define SEED_STATEMENT UINT64CONST(0x73746174656d6e74)
/* The tie of the calendars itself. */
#define SEED_CALENDAR UINT64CONST(0x63616c656e646172)

/* The bytes of a number in an order that is the same on every machine. */
static void
number_bytes(uint64 number, unsigned char *bytes)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char) (number >> (8 * i));
}

static int64
not_swept(uint64 hash)
{
	return (int64) hash != TIE_SWEPT ? (int64) hash : 1;
}

/* Tie of the rows whose column has a value of that hash. */
int64
wf_tie(int source, const char *column, uint64 hash)
{
	uint64		place = hash_bytes_extended((const unsigned char *) column, strlen(column), (uint64) source);
	unsigned char bytes[8];

	number_bytes(hash, bytes);
	return not_swept(hash_bytes_extended(bytes, sizeof(bytes), place));
}

/* Hash of a value; ERROR if its type has no hash function. */
uint64
wf_tie_hash(Oid type, Oid collation, Datum value)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC_FINFO);

	if (!OidIsValid(entry->hash_extended_proc_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an extended hash function for type %s", format_type_be(type))));
	return DatumGetUInt64(FunctionCall2Coll(&entry->hash_extended_proc_finfo, collation, value, UInt64GetDatum(0)));
}

/*
 * Only types of the core and enums: hashing them runs nobody's code.  Under a
 * nondeterministic collation strings are equal that a library finds equal, which
 * may fail.
 */
bool
wf_tie_is_plain(Oid type, Oid collation)
{
	Oid			base = getBaseType(type);
	TypeCacheEntry *entry;

	if (base >= FirstNormalObjectId && get_typtype(base) != TYPTYPE_ENUM)
		return false;
	if (type_is_array(base) || type_is_rowtype(base) || type_is_range(base) || type_is_multirange(base))
		return false;
	entry = lookup_type_cache(base, TYPECACHE_HASH_EXTENDED_PROC);
	if (!OidIsValid(entry->hash_extended_proc) || entry->hash_extended_proc >= FirstNormalObjectId)
		return false;
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

/* Tie of a statement. */
int64
wf_tie_statement(int workflow, int version, int statement)
{
	unsigned char bytes[16];

	number_bytes((uint64) workflow << 32 | (uint32) version, bytes);
	number_bytes((uint64) statement, bytes + 8);
	return not_swept(hash_bytes_extended(bytes, sizeof(bytes), SEED_STATEMENT));
}

/* Tie of the end of an enrollment. */
int64
wf_tie_finished(int64 id)
{
	unsigned char bytes[8];

	number_bytes((uint64) id, bytes);
	return not_swept(hash_bytes_extended(bytes, sizeof(bytes), SEED_FINISHED));
}

/* Tie of automation.calendar and automation.holiday.  Calendars change seldom: who
 * waits for a moment of one looks when any of them does. */
int64
wf_tie_calendar(void)
{
	return not_swept(SEED_CALENDAR);
}
