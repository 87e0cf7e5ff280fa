/*
 * ready.c -- may a version of a workflow run now, for this owner?
 *
 * Called once per item by enroll.c and resume.c; the verdict is kept for the
 * batch.  Rights are looked up anew in each batch, because nothing tells us of
 * a REVOKE.  What can't be parsed any more is held, not failed; an ERROR comes
 * only of a lock, a cancel or a lack of memory, and leaves no verdict.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "activity.h"
#include "compat.h"
#include "journal.h"
#include "order.h"
#include "owner.h"
#include "ready.h"

typedef struct VerdictKey
{
	int			workflow;
	int			version;
} VerdictKey;

typedef struct Verdict
{
	VerdictKey	key;
	Program    *program;
	WorkflowRow *row;
	const char *reason;
} Verdict;

static HTAB *verdicts = NULL;
static MemoryContext verdict_context = NULL;

/* Forgets the verdicts of the last batch. */
void
wf_ready_new_batch(void)
{
	verdicts = NULL;
	if (verdict_context == NULL)
		verdict_context = AllocSetContextCreate(TopMemoryContext, "automation verdicts",
												ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(verdict_context);
}

/* What the definition was checked for: SELECT and TRIGGER on a table.  A
 * journal may be watched by everybody. */
static bool
may_watch(Oid relation, Oid user)
{
	if (wf_journal_name(relation))
		return true;
	return pg_class_aclmask(relation, user, ACL_TRIGGER | ACL_SELECT, ACLMASK_ALL) == (ACL_TRIGGER | ACL_SELECT) &&
		wf_compat_schema_aclcheck(get_rel_namespace(relation), user, ACL_USAGE) == ACLCHECK_OK;
}

/* The tables whose changes it sees and those of its arguments, and USAGE on the language. */
static bool
has_rights(const Program *program)
{
	Oid			user = GetUserId();
	int			i;

	if (wf_compat_language_aclcheck(wf_language_oid(), user, ACL_USAGE) != ACLCHECK_OK)
		return false;
	for (i = 0; i < program->nstarts; i++)
		if (!may_watch(program->starts[i].relation, user))
			return false;
	for (i = 0; i < program->ncode; i++)
		if (program->code[i].change && !may_watch(program->code[i].change->relation, user))
			return false;
	for (i = 0; i < program->sig->nargs; i++)
		if (program->sig->args[i].is_row && !may_watch(program->sig->args[i].relation, user))
			return false;
	return true;
}

/* A lock, a cancel, a lack of memory. */
static bool
says_nothing_about_body(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES;
}

/*
 * Builds the program in a subtransaction: a body that does not fit the catalog
 * any more must not spoil the batch.
 */
static Program *
try_program(int workflow, int version)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Program    *program = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		program = wf_program_get(workflow, version);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (says_nothing_about_body(error->sqlerrcode))
			ReThrowError(error);
		program = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return program;
}

/* Was an old version found not to fit the catalog any more?  (validate.c) */
static bool
is_invalid(const Verdict *verdict)
{
	return verdict->key.version != verdict->row->version &&
		wf_version_invalid(verdict->key.workflow, verdict->key.version);
}

static void
judge(Verdict *verdict)
{
	wf_order_use(verdict->key.workflow);
	verdict->row = wf_workflow_load(verdict->key.workflow);
	if (verdict->row == NULL)
		verdict->reason = "workflow_gone";
	else if (verdict->row->hold)
		verdict->reason = verdict->row->hold;
	else if (superuser())
		verdict->reason = "owner_is_superuser";
	else if (wf_owner_role(verdict->row->owner) != GetUserId())
		verdict->reason = "owner_changed";
	else if (is_invalid(verdict))
		verdict->reason = "definition_invalid";
	else if ((verdict->program = try_program(verdict->key.workflow, verdict->key.version)) == NULL)
		verdict->reason = "definition_invalid";
	else if (verdict->program->author != verdict->row->owner)
		verdict->reason = "owner_changed";
	else if (!has_rights(verdict->program))
		verdict->reason = "not_permitted";
}

/* Looks a verdict up or makes it; see ready.h. */
Program *
wf_ready(int workflow, int version, WorkflowRow **row, const char **reason)
{
	VerdictKey	key = {workflow, version};
	Verdict    *verdict;

	if (verdicts == NULL)
	{
		HASHCTL		ctl;

		if (verdict_context == NULL)
			wf_ready_new_batch();
		ctl.keysize = sizeof(VerdictKey);
		ctl.entrysize = sizeof(Verdict);
		ctl.hcxt = verdict_context;
		verdicts = hash_create("automation verdicts", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	verdict = hash_search(verdicts, &key, HASH_FIND, NULL);
	if (verdict == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(verdict_context);
		Verdict		judged = {key, NULL, NULL, NULL};

		judge(&judged);
		if (judged.row)
			wf_activity_workflow(judged.row->signature);
		MemoryContextSwitchTo(old);
		verdict = hash_search(verdicts, &key, HASH_ENTER, NULL);
		*verdict = judged;
	}
	*row = verdict->row;
	*reason = verdict->reason;
	return verdict->reason ? NULL : verdict->program;
}
