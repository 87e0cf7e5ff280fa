/*
 * call_site.c -- a session's copy of what the call handler needs to know of a
 * workflow: looking it up costs more than all else that enrolling does.
 *
 * Called by handler.c for each call.  A copy is good until an invalidation of
 * something it was made of: the function's row in pg_proc (which everything that
 * changes a workflow invalidates, although the row may stay the same; see
 * register.c), its argument types, the tables of row arguments and what these
 * are partitions of, any schema, or automation.workflow itself, which adopting a
 * restored database announces.  Rows that somebody else writes to
 * automation.workflow are seen with the next of these.
 *
 * A copy made in a transaction that is rolled back, even in part, may hold what
 * was rolled back; then all are made anew.  Invalidations only set flags: they may come
 * in the middle of a load, and then this call goes by what it read, as if it
 * had come a moment earlier, and the next one reads again.
 *
 * Each copy lives in a memory context of its own.  A call may run the user's
 * code while it looks at a copy, and what that does may replace the copy: so an
 * old one lives on to the end of the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/partition.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "call_site.h"
#include "commands.h"
#include "compat.h"
#include "owner.h"
#include "store.h"

#define SWEEP_ABOVE 256					/* entries; more, and those without a good copy are thrown away */

/* A copy, and what it was made of. */
typedef struct KnownSite
{
	CallSite	site;
	MemoryContext context;				/* of all of it */
	List	   *relations;				/* OIDs */
	int			ntypes;
	uint32	   *types;					/* hashes in the cache TYPEOID */
	uint32		function;				/* hash in the cache PROCOID */
} KnownSite;

typedef struct SiteEntry
{
	Oid			function;				/* hash key */
	KnownSite  *known;					/* or NULL */
	bool		stale;
	uint64		epoch;
} SiteEntry;

static HTAB *entries = NULL;
static uint64 epoch = 1;				/* + 1 when all may be stale */
static SiteEntry *loading = NULL;
static bool loaded = false;				/* a copy was made in this transaction */

/* --- invalidation --- */

static bool
has_type(const KnownSite *known, uint32 hash)
{
	for (int i = 0; i < known->ntypes; i++)
	{
		if (known->types[i] == hash)
			return true;
	}
	return false;
}

/* What is being loaded is taken to be concerned: it can't be asked yet. */
static void
cache_changed(Datum arg, int cacheid, uint32 hash)
{
	HASH_SEQ_STATUS status;
	SiteEntry  *entry;

	if (loading != NULL)
		loading->stale = true;
	if (hash == 0 || cacheid == NAMESPACEOID)
		epoch++;
	if (hash == 0 || cacheid == NAMESPACEOID || entries == NULL)
		return;
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->known != NULL &&
			(cacheid == PROCOID ? entry->known->function == hash : has_type(entry->known, hash)))
			entry->stale = true;
	}
}

static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	SiteEntry  *entry;

	if (loading != NULL)
		loading->stale = true;
	if (!OidIsValid(relid))
		epoch++;
	if (!OidIsValid(relid) || entries == NULL)
		return;
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->known != NULL && list_member_oid(entry->known->relations, relid))
			entry->stale = true;
	}
}

/* Of a prepared transaction nobody tells how it ends. */
static void
end_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (loaded && event != XACT_EVENT_COMMIT)
		epoch++;
	loaded = false;
	loading = NULL;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	if (loaded)
		epoch++;
	loading = NULL;
}

void
wf_call_site_init(void)
{
	CacheRegisterSyscacheCallback(PROCOID, cache_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, cache_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, cache_changed, (Datum) 0);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/* --- loading --- */

static bool
is_current(const SiteEntry *entry)
{
	return entry->known != NULL && !entry->stale && entry->epoch == epoch;
}

/* ERROR if the function can't be enrolled by. */
static void
fill_site(CallSite *site, Oid function)
{
	Signature  *sig = wf_signature_load(function);
	WorkflowRow *row;

	if (sig == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u is not a workflow", function)));
	wf_signature_check(sig);
	row = wf_workflow_by_routine(function);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("workflow %s is not registered", sig->text),
				 errhint("A superuser can register it with CALL automation.reconcile().")));
	site->workflow = row->id;
	site->owner = row->owner;
	site->source = sig->args[0].is_row ? wf_source_id(sig->args[0].relation, true) : 0;
	site->sig = sig;
}

/* Notes what invalidates the copy. */
static void
note_origins(KnownSite *known)
{
	const Signature *sig = known->site.sig;

	known->function = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(sig->function));
	known->types = palloc(sizeof(uint32) * sig->nargs);
	known->relations = list_make1_oid(wf_store_relid("workflow"));
	for (int i = 0; i < sig->nargs; i++)
	{
		const Argument *arg = &sig->args[i];

		known->types[known->ntypes++] = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(arg->type));
		if (!arg->is_row)
			continue;
		known->relations = lappend_oid(known->relations, arg->relation);
		if (get_rel_relispartition(arg->relation))
			known->relations = list_concat(known->relations, get_partition_ancestors(arg->relation));
	}
}

/* The copy counts no more; who uses it may go on. */
static void
retire(SiteEntry *entry)
{
	if (entry->known != NULL)
		MemoryContextSetParent(entry->known->context, TopTransactionContext);
	entry->known = NULL;
}

static void
load(SiteEntry *entry)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "automation call site", ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	KnownSite  *known = palloc0(sizeof(KnownSite));

	retire(entry);
	entry->stale = false;
	entry->epoch = epoch;
	loading = entry;
	loaded = true;
	known->context = context;
	fill_site(&known->site, entry->function);
	note_origins(known);
	loading = NULL;
	MemoryContextSwitchTo(before);
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->known = known;
}

/* Functions come and go; a long session need not remember them all. */
static void
sweep(void)
{
	HASH_SEQ_STATUS status;
	SiteEntry  *entry;

	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (is_current(entry))
			continue;
		retire(entry);
		hash_search(entries, &entry->function, HASH_REMOVE, NULL);
	}
}

static SiteEntry *
new_entry(Oid function)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(SiteEntry),.hcxt = TopMemoryContext};
	SiteEntry  *entry;

	if (entries == NULL)
		entries = hash_create("automation call sites", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (hash_get_num_entries(entries) >= SWEEP_ABOVE)
		sweep();
	entry = hash_search(entries, &function, HASH_ENTER, NULL);
	entry->known = NULL;
	return entry;
}

const CallSite *
wf_call_site(Oid function)
{
	SiteEntry  *entry;

	/* a statement that finds all its locks held would not ask */
	AcceptInvalidationMessages();
	entry = entries == NULL ? NULL : hash_search(entries, &function, HASH_FIND, NULL);
	if (entry == NULL)
		entry = new_entry(function);
	if (!is_current(entry))
		load(entry);
	return &entry->known->site;
}
