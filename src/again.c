/*
 * again.c -- automation.allow_again(): who may enter a workflow once, or only
 * after a pause, may enter again.
 *
 * The command is given in a session of the workflow's owner and carried out by
 * the executor, in the order of all other changes, so an entry that was caused
 * before it does not use it up.  What is given is what ENROLL goes by: the
 * subject, or with PER the values that PER makes; a row stands for its primary
 * key.  The answer is about the moment of the call and reads committed state.
 *
 * Nothing of the past is lost by it: the ledger counts on, arms of splits stay.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "again.h"
#include "commands.h"
#include "compat.h"
#include "enginesql.h"
#include "enrollment.h"
#include "history.h"
#include "key.h"
#include "ledger.h"
#include "owner.h"
#include "parser.h"
#include "program.h"
#include "register.h"
#include "rekey.h"
#include "subject.h"

PG_FUNCTION_INFO_V1(wf_allow_again);

/* What the call is about. */
typedef struct Request
{
	WorkflowRow *row;
	Signature  *sig;
	const Clause *enroll;				/* NULL: not written */
} Request;

/* A value that was given: the whole, or a field of ROW(...). */
typedef struct Given
{
	Datum		value;
	bool		isnull;
	Oid			type;
} Given;

/* --- keys --- */

static const Clause *
enroll_clause(const char *body)
{
	ListCell   *lc;

	foreach(lc, wf_parse(body)->clauses)
	{
		if (((Clause *) lfirst(lc))->kind == CLAUSE_ENROLL)
			return lfirst(lc);
	}
	return NULL;
}

/* Does ENROLL ever keep somebody out who is not inside? */
static bool
remembers(const Clause *enroll)
{
	return enroll == NULL || enroll->policy == ENROLL_ONCE ||
		(enroll->policy == ENROLL_AGAIN && !FRAGMENT_ABSENT(enroll->after));
}

static List *
per_of(const Request *request)
{
	return request->enroll ? request->enroll->per : NIL;
}

static void
refuse_given(const Request *request)
{
	const Fragment *first;
	const Fragment *last;

	if (per_of(request) == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s is entered by %s", request->row->signature, request->sig->args[0].name),
				 errhint("Pass a value of type %s.", format_type_be(request->sig->args[0].type))));
	first = linitial(per_of(request));
	last = llast(per_of(request));
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s is entered by %s", request->row->signature,
					pnstrdup(request->sig->source + first->start, last->end - first->start)),
			 list_length(per_of(request)) == 1 ? errhint("Pass that value.") :
			 errhint("Pass these values, as ROW(...).")));
}

/* Adds the texts that a row argument, or an expression (arg -1), has in a key. */
static List *
add_texts(const Request *request, List *texts, int arg, const Given *given)
{
	char	  **parts;
	int			n;

	if (given->isnull)
		refuse_given(request);
	if (arg < 0)
	{
		if (type_is_rowtype(given->type))
			refuse_given(request);
		return lappend(texts, wf_value_out(given->value, given->type));
	}
	parts = wf_key_split(wf_command_row_key(&request->sig->args[arg], request->row, given->value, given->type), &n);
	for (int i = 0; i < n; i++)
		texts = lappend(texts, parts[i]);
	return texts;
}

static char *
key_of_texts(List *texts)
{
	const char **array = palloc(sizeof(char *) * Max(list_length(texts), 1));
	ListCell   *lc;

	foreach(lc, texts)
		array[foreach_current_index(lc)] = lfirst(lc);
	return wf_key_make(list_length(texts), array);
}

static int
per_argument(const Request *request, int i)
{
	return wf_per_argument(request->sig, request->sig->source, *(Fragment *) list_nth(per_of(request), i));
}

/* The fields of ROW(...); ERROR unless there are n. */
static Given *
fields_of(const Request *request, Datum record, int n)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(record);
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;
	Given	   *fields = palloc(sizeof(Given) * n);

	if (desc->natts != n)
		refuse_given(request);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	for (int i = 0; i < n; i++)
	{
		fields[i].type = TupleDescAttr(desc, i)->atttypid;
		fields[i].value = heap_getattr(&tuple, i + 1, desc, &fields[i].isnull);
	}
	return fields;
}

/* Without PER: the subject, or the plain value in its place. */
static char *
key_without_per(const Request *request, const Given *given)
{
	const Argument *arg = &request->sig->args[0];
	Oid			type = getBaseType(arg->type);
	const char *text;

	if (arg->is_row)
		return wf_subject_key(arg, wf_command_row_key(arg, request->row, given->value, given->type));
	if (type_is_rowtype(given->type) && !type_is_rowtype(type))
		refuse_given(request);
	text = wf_value_out(given->value, given->type);
	/* the base type: a domain's checks are its owner's code */
	text = wf_value_out(wf_value_in(text, type, -1), type);
	return wf_key_make(1, &text);
}

/* The key from all values of PER. */
static char *
key_with_per(const Request *request, const Given *given)
{
	int			n = list_length(per_of(request));
	const Given *fields = n == 1 ? given : fields_of(request, given->value, n);
	List	   *texts = NIL;

	for (int i = 0; i < n; i++)
		texts = add_texts(request, texts, per_argument(request, i), &fields[i]);
	return key_of_texts(texts);
}

/* Where the subject's key begins in an entry key; -1: PER does not name it. */
static int
place_of_subject(const Request *request)
{
	int			place = 0;

	for (int i = 0; i < list_length(per_of(request)); i++)
	{
		int			arg = per_argument(request, i);

		if (arg == 0)
			return place;
		place += arg > 0 ? request->sig->args[arg].key.natts : 1;
	}
	return -1;
}

/* All keys in which the subject stands; one that is kept as a hash is not found. */
static List *
keys_of_subject(const Request *request, const Given *given)
{
	int			place = place_of_subject(request);
	int			n;
	char	  **parts;
	StringInfoData path;

	if (place < 0)
		refuse_given(request);
	parts = wf_key_split(wf_command_row_key(&request->sig->args[0], request->row, given->value, given->type), &n);
	initStringInfo(&path);
	for (int i = 0; i < n; i++)
		appendStringInfo(&path, "%s$[%d] == $k[%d]", i ? " && " : "", place + i, i);
	return wf_engine_texts("SELECT l.entry_key FROM automation.ledger l WHERE l.workflow = $1 AND"
						   " CASE WHEN l.entry_key LIKE '[%' THEN pg_catalog.jsonb_path_match(l.entry_key::jsonb, $2::jsonpath,"
						   " pg_catalog.jsonb_build_object('k', $3::jsonb), true) END ORDER BY 1", "itt",
						   request->row->id, path.data, wf_key_make(n, (const char *const *) parts));
}

/* The entry keys that are meant: of char *, in full or as they are kept. */
static List *
keys_of(const Request *request, const Given *given)
{
	if (per_of(request) == NIL)
		return list_make1(key_without_per(request, given));
	if (list_length(per_of(request)) > 1 && given->type != RECORDOID)
		return keys_of_subject(request, given);
	return list_make1(key_with_per(request, given));
}

/* --- the call --- */

/* A key to read. */
static char *
words_of(const char *key)
{
	StringInfoData words;
	char	  **parts;
	int			n;

	initStringInfo(&words);
	parts = wf_key_split(key, &n);
	for (int i = 0; i < n; i++)
		appendStringInfo(&words, "%s%s", i ? ", " : "", parts[i] ? parts[i] : "null");
	return words.data;
}

/* Is there something to allow, as of now? */
static bool
is_kept_out(const Request *request, const char *key)
{
	List	   *states = wf_engine_ids("SELECT CASE WHEN e.id IS NULL THEN 1 ELSE 2 END::bigint FROM automation.ledger l"
									   " LEFT JOIN automation.enrollment e ON e.id = l.enrollment AND e.workflow = l.workflow"
									   " AND e.entry_key = l.entry_key"
									   " WHERE l.workflow = $1 AND l.entry_key = $2 AND l.entries > 0 AND NOT l.allowed",
									   "it", request->row->id, wf_key_lookup(key));

	if (states == NIL)
		return false;
	if (*(int64 *) linitial(states) == 1)
		return true;
	ereport(NOTICE,
			(errmsg("%s is in workflow %s", words_of(key), request->row->signature),
			 errdetail("The permission has an effect only on those who have left by the time it is dealt with.")));
	return false;
}

Datum
wf_allow_again(PG_FUNCTION_ARGS)
{
	Request		request = {NULL};
	Given		given = {PG_GETARG_DATUM(1), false, get_fn_expr_argtype(fcinfo->flinfo, 1)};
	bool		any = false;
	int			source = 0;
	ListCell   *lc;

	request.row = wf_workflow_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wf_workflow_require_owner(request.row);
	request.sig = wf_signature_load(request.row->routine);
	if (request.sig == NULL)
		elog(ERROR, "function of workflow %d is gone", request.row->id);
	if (request.sig->nargs == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("workflow %s has no arguments", request.row->signature)));
	request.enroll = enroll_clause(request.sig->source);
	wf_subject_new_batch();				/* rights may be others since the last call */
	if (per_of(&request) == NIL && request.sig->args[0].is_row)
		source = wf_source_id(request.sig->args[0].relation, false);
	foreach(lc, keys_of(&request, &given))
	{
		if (!remembers(request.enroll))
			continue;
		any |= is_kept_out(&request, lfirst(lc));
		wf_command_append(request.row, "allow_again", NULL, 0, source, lfirst(lc));
	}
	wf_subject_new_batch();
	PG_RETURN_BOOL(any);
}

/* --- the executor --- */

/* A line about an entry key. */
static void
tell(const WorkflowRow *row, const Event *event, const LedgerEntry *entry, TimestampTz now,
	 const char *what, const char *reason)
{
	Enrollment	e = {
		.owner = row->owner,.workflow = row->id,.version = row->version,.source = event->source,
		.key = entry->entry_key,.statement = -1
	};

	wf_history_write(&e, now, what, reason, NULL);
}

void
wf_again_run(const Event *event, int workflow, int owner, TimestampTz now)
{
	WorkflowRow *row = wf_workflow_load(workflow);
	LedgerEntry *entry;
	Enrollment *inside;

	if (row == NULL || event->key == NULL)
		return;
	if (row->owner != owner)
	{
		wf_command_append(row, "allow_again", NULL, 0, event->source, event->key);
		return;
	}
	entry = wf_ledger_load(workflow, wf_rekey_plain(event->key));
	if (entry->entries == 0 || entry->allowed)
		return;
	inside = entry->enrollment != 0 ? wf_enrollment_load(entry->enrollment) : NULL;
	if (inside && inside->workflow == workflow && strcmp(inside->entry_key, entry->entry_key) == 0)
	{
		tell(row, event, entry, now, "not_allowed_again", "already_active");
		return;
	}
	entry->allowed = true;
	entry->refusals = 0;
	entry->reason = NULL;
	wf_ledger_save(entry);
	tell(row, event, entry, now, "allowed_again", NULL);
}
