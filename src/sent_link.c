/*
 * sent_link.c -- automation.sent_link: what the links in old mails need.
 *
 * Mails are kept longer by those who got them than by us: whoever finds one and clicks
 * its link to unsubscribe must not be told that the link is none.  So where a marketing
 * message is removed, what its tokens say stays for LINK_YEARS: a few dozen bytes, the
 * address as a hash.
 *
 * Called by delivery_command.c (removing) and inbound.c and token.c (reading).  Results
 * are in the current context.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "enginesql.h"
#include "inbound.h"
#include "outbox.h"
#include "store.h"

#define LINK_YEARS "5"

enum
{
	LINK_MESSAGE = 1, LINK_UID, LINK_OWNER, LINK_ENROLLMENT, LINK_CHANNEL, LINK_ADDRESS, LINK_CLASS, LINK_LIST
};

static char *
text_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Outgoing *
read_link(HeapTuple tuple, TupleDesc desc)
{
	Outgoing   *o = palloc0(sizeof(Outgoing));
	bool		isnull;

	o->id = DatumGetInt64(heap_getattr(tuple, LINK_MESSAGE, desc, &isnull));
	o->uid = text_of(tuple, desc, LINK_UID);
	o->owner = DatumGetInt32(heap_getattr(tuple, LINK_OWNER, desc, &isnull));
	o->enrollment = DatumGetInt64(heap_getattr(tuple, LINK_ENROLLMENT, desc, &isnull));
	o->channel = text_of(tuple, desc, LINK_CHANNEL);
	o->address = psprintf("%s%s", ERASED, text_of(tuple, desc, LINK_ADDRESS));
	o->class = text_of(tuple, desc, LINK_CLASS);
	o->list = text_of(tuple, desc, LINK_LIST);
	o->state = OUTGOING_SENT;
	return o;
}

Outgoing *
wf_sent_link_load(int64 message)
{
	Outgoing   *o = wf_outgoing_load(message);
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (o)
		return o;
	rel = wf_store_open("sent_link", AccessShareLock);
	ScanKeyInit(&key, LINK_MESSAGE, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(message));
	scan = wf_store_scan(rel, "sent_link_pkey", NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		o = read_link(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return o;
}

/* Of these messages, which are about to be removed.  The address is normalized, or erased. */
void
wf_sent_link_keep(const char *ids)
{
	wf_engine_sql("INSERT INTO automation.sent_link (message, uid, owner, enrollment, channel, address_hash, class, list, sent_at)"
				  " SELECT m.id, m.uid, m.owner, m.enrollment, m.channel,"
				  " CASE WHEN pg_catalog.starts_with(m.address, '" ERASED "') THEN pg_catalog.substr(m.address, 1 + pg_catalog.length('" ERASED "'))"
				  " ELSE pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(m.address, pg_catalog.getdatabaseencoding())), 'hex') END,"
				  " m.class, m.list, m.finished_at FROM automation.outgoing m WHERE m.id = ANY ($1::bigint[])"
				  " AND m.class = 'marketing' AND m.state = 'sent' AND m.address IS NOT NULL ON CONFLICT DO NOTHING", "t", ids);
}

/* Those of the oldest messages whose time is over. */
void
wf_sent_link_remove_old(TimestampTz now)
{
	wf_engine_sql("DELETE FROM automation.sent_link WHERE message IN (SELECT message FROM automation.sent_link ORDER BY message LIMIT 1000)"
				  " AND sent_at < $1 - interval '" LINK_YEARS " years'", "z", now);
}
