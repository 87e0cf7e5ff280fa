/*
 * template_row.c -- rows of automation.template: checked when saved, found by name.
 *
 * The trigger refuses what could not be rendered, so that the author learns of it and
 * no enrollment. What was found is kept parsed in the process, by the place and the
 * transaction of the row, so that a changed row is another one; all is forgotten when
 * it becomes much.
 *
 * Whose template it is decides: a name alone means one's own, or that of a superuser
 * who shares it; anybody else's has to be asked for by its owner's name, so that nobody
 * can slip a mail in under a name that is free.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "register.h"
#include "store.h"
#include "template.h"

enum
{
	OWNER = 1,
	NAME,
	VARIANT,
	SHARE,
	SUBJECT,
	HTML,
	BODY,
	CLASS,
	LIST,
	ONCE,
	MISSING,
	ZONE,
	ABOUT,
	USERS,
	RAW_ALLOWED
};

#define MAX_NAME 200				/* bytes */
#define MAX_KEPT 256				/* templates */
#define MAX_KEPT_BYTES (16 * 1024 * 1024)	/* of their texts */

static Datum
field(HeapTuple tuple, TupleDesc desc, int attnum, bool *isnull)
{
	return heap_getattr(tuple, attnum, desc, isnull);
}

static char *
text_field(HeapTuple tuple, TupleDesc desc, int attnum)
{
	bool		isnull;
	Datum		value = field(tuple, desc, attnum, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Oid
oid_field(HeapTuple tuple, TupleDesc desc, int attnum)
{
	bool		isnull;
	Datum		value = field(tuple, desc, attnum, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

static bool
bool_field(HeapTuple tuple, TupleDesc desc, int attnum)
{
	bool		isnull;
	Datum		value = field(tuple, desc, attnum, &isnull);

	return !isnull && DatumGetBool(value);
}

/* --- a row, parsed --- */

/* The texts; subject, html and body as they are, NULL where there is none. */
static void
parse_texts(Template *template, HeapTuple tuple, TupleDesc desc, TemplateSpot *spot)
{
	char	   *source = text_field(tuple, desc, SUBJECT);

	spot->part = "subject";
	template->subject = source == NULL ? NULL : wf_template_parse(source, TEMPLATE_SUBJECT, spot);
	spot->part = "html";
	source = text_field(tuple, desc, HTML);
	template->html = source == NULL ? NULL : wf_template_parse(source, TEMPLATE_HTML, spot);
	spot->part = "body";
	source = text_field(tuple, desc, BODY);
	template->body = source == NULL ? NULL : wf_template_parse(source, TEMPLATE_PLAIN, spot);
}

static Template *
parse_row(HeapTuple tuple, TupleDesc desc)
{
	Template   *template = palloc0(sizeof(Template));
	TemplateSpot spot = {0};
	char	   *policy = text_field(tuple, desc, MISSING);

	template->name = text_field(tuple, desc, NAME);
	template->variant = text_field(tuple, desc, VARIANT);
	template->class = text_field(tuple, desc, CLASS);
	template->list = text_field(tuple, desc, LIST);
	template->once = bool_field(tuple, desc, ONCE);
	template->missing = strcmp(policy, "skip") == 0 ? MISSING_SKIP : strcmp(policy, "empty") == 0 ? MISSING_EMPTY : MISSING_FAIL;
	template->zone = pg_tzset(text_field(tuple, desc, ZONE));
	if (template->zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("template \"%s\": its time zone is not known to this server", template->name),
				 errhint("Look in pg_timezone_names.")));
	spot.name = template->name;
	spot.raw_allowed = bool_field(tuple, desc, RAW_ALLOWED);
	parse_texts(template, tuple, desc, &spot);
	if (template->body == NULL)
		template->body = wf_template_plain(template->html);
	return template;
}

/* --- what is kept --- */

typedef struct KeptKey
{
	Oid			file;					/* of the table: another one once it is rewritten */
	ItemPointerData tid;
	TransactionId xmin;
} KeptKey;

typedef struct Kept
{
	KeptKey		key;
	Template   *template;
} Kept;

static HTAB *kept = NULL;
static MemoryContext kept_context = NULL;
static int64 kept_bytes = 0;

static void
forget(void)
{
	HASHCTL		ctl = {.keysize = sizeof(KeptKey), .entrysize = sizeof(Kept)};

	if (kept_context != NULL)
		MemoryContextDelete(kept_context);
	kept = NULL;
	kept_bytes = 0;
	kept_context = AllocSetContextCreate(CacheMemoryContext, "automation templates", ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = kept_context;
	kept = hash_create("automation templates", 32, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static const Template *
parsed(Relation rel, HeapTuple tuple)
{
	KeptKey		key;
	Kept	   *entry;
	Template   *template;
	MemoryContext old;

	memset(&key, 0, sizeof(key));
	key.file = rel->rd_rel->relfilenode;
	key.tid = tuple->t_self;
	key.xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	if (kept == NULL || hash_get_num_entries(kept) >= MAX_KEPT || kept_bytes > MAX_KEPT_BYTES)
		forget();
	entry = hash_search(kept, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->template;
	/* an error leaves what it had allocated to the next forget() */
	kept_bytes += TEMPLATE_MAX_TEXT / 64;
	old = MemoryContextSwitchTo(kept_context);
	template = parse_row(tuple, RelationGetDescr(rel));
	MemoryContextSwitchTo(old);
	kept_bytes += 2 * (template->subject->size + template->body->size + (template->html == NULL ? 0 : template->html->size));
	entry = hash_search(kept, &key, HASH_ENTER, NULL);
	entry->template = template;
	return template;
}

/* --- by name --- */

static bool
is_user(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = field(tuple, desc, USERS, &isnull);
	Datum	   *users;
	int			n;

	if (has_privs_of_role(GetUserId(), oid_field(tuple, desc, OWNER)))
		return true;
	if (isnull)
		return false;
	deconstruct_array(DatumGetArrayTypeP(value), REGROLEOID, sizeof(Oid), true, TYPALIGN_INT, &users, NULL, &n);
	for (int i = 0; i < n; i++)
		if (DatumGetObjectId(users[i]) == ACL_ID_PUBLIC || has_privs_of_role(GetUserId(), DatumGetObjectId(users[i])))
			return true;
	return false;
}

/* Copies of the variants, in the order of their names. owner InvalidOid: those of superusers. */
static List *
find_rows(Relation rel, const char *name, Oid owner)
{
	List	   *rows = NIL;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	int			n = 0;

	if (OidIsValid(owner))
		ScanKeyInit(&keys[n++], OWNER, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(owner));
	ScanKeyInit(&keys[n++], NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan = wf_store_scan(rel, OidIsValid(owner) ? "template_pkey" : "template_name", GetActiveSnapshot(), n, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (is_user(tuple, RelationGetDescr(rel)) &&
			(OidIsValid(owner) || superuser_arg(oid_field(tuple, RelationGetDescr(rel), OWNER))))
			rows = lappend(rows, heap_copytuple(tuple));
	systable_endscan(scan);
	return rows;
}

/* From 0 to below 1, the same for a name and an address everywhere and always. */
static double
lot(const char *name, const char *address)
{
	char	   *text = psprintf("%s\n%s", name, address == NULL ? "" : address);
	uint64		hash = hash_bytes_extended((const unsigned char *) text, strlen(text), 0);

	return (double) (hash >> 11) / (double) (UINT64CONST(1) << 53);
}

static HeapTuple
choose(List *rows, TupleDesc desc, const char *name, const char *address)
{
	double		all = 0;
	double		point;
	ListCell   *cell;
	bool		isnull;

	if (list_length(rows) == 1)
		return linitial(rows);
	foreach(cell, rows)
		all += DatumGetFloat8(field(lfirst(cell), desc, SHARE, &isnull));
	point = lot(name, address) * all;
	foreach(cell, rows)
	{
		point -= DatumGetFloat8(field(lfirst(cell), desc, SHARE, &isnull));
		if (point < 0)
			return lfirst(cell);
	}
	return llast(rows);
}

/* Superusers' templates of that name are all one superuser's. */
static void
check_one_owner(List *rows, TupleDesc desc, const char *name)
{
	ListCell   *cell;

	foreach(cell, rows)
		if (oid_field(lfirst(cell), desc, OWNER) != oid_field(linitial(rows), desc, OWNER))
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
					 errmsg("several superusers share a template \"%s\"", name),
					 errhint("Say whose: owner => '...'.")));
}

const Template *
wf_template_find(const char *name, Oid owner, const char *address)
{
	Relation	rel = wf_store_open("template", AccessShareLock);
	List	   *rows = find_rows(rel, name, OidIsValid(owner) ? owner : GetUserId());
	const Template *template;

	if (rows == NIL && !OidIsValid(owner))
	{
		rows = find_rows(rel, name, InvalidOid);
		check_one_owner(rows, RelationGetDescr(rel), name);
	}
	if (rows == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no template \"%s\" that %s may use", name, GetUserNameFromId(GetUserId(), false)),
				 errhint("Make it: INSERT INTO automation.template (name, subject, html) VALUES (...). One that another role shares is used by email(..., owner => '...').")));
	template = parsed(rel, choose(rows, RelationGetDescr(rel), name, address));
	list_free_deep(rows);
	table_close(rel, AccessShareLock);
	return template;
}

/* --- when saved --- */

static void
refuse(const char *name, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("template \"%s\": %s", name, what),
			 hint == NULL ? 0 : errhint("%s", hint)));
}

/* Columns that tokens name are there. */
static void
check_columns(const TemplateText *text, Oid about, TemplateSpot *spot)
{
	const char *row = get_rel_name(about);

	for (int i = 0; text != NULL && i < text->npieces; i++)
	{
		const TemplateToken *token = text->pieces[i].token;
		const char *first = token == NULL || token->path == NIL ? "" : linitial(token->path);

		if (*first == '\0' || (strcmp(first, row) != 0 && strcmp(first, "recipient") != 0))
			continue;
		if (list_length(token->path) < 2 || get_attnum(about, lsecond(token->path)) <= 0)
			wf_template_error(spot, token->offset, ERRCODE_UNDEFINED_COLUMN,
							  list_length(token->path) < 2 ? "a token names a column, not a row" :
							  psprintf("%s has no column \"%s\"", row, (char *) lsecond(token->path)), NULL);
	}
}

/* By law and by the rules of those who receive mail for others. */
static void
check_footer(const TemplateText *text, const char *name, const char *part)
{
	if (text == NULL || (text->specials[SPECIAL_UNSUBSCRIBE_URL] && text->specials[SPECIAL_POSTAL_ADDRESS]))
		return;
	refuse(name, psprintf("%s of a marketing mail lacks {{ %s }}", part, text->specials[SPECIAL_UNSUBSCRIBE_URL] ? "postal_address" : "unsubscribe_url"),
		   "Every marketing mail says how to unsubscribe and who sends it. Put it into the footer, or set class to transactional if it is no marketing.");
}

/* Who it belongs to, and what only a superuser may set. */
static void
check_rights(HeapTuple tuple, HeapTuple before, TupleDesc desc, const char *name)
{
	Oid			owner = oid_field(tuple, desc, OWNER);

	if (!OidIsValid(owner) || !has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("template \"%s\" can only belong to %s or to a role it is a member of", name,
						GetUserNameFromId(GetUserId(), false))));
	if (!superuser() && bool_field(tuple, desc, RAW_ALLOWED) && (before == NULL || !bool_field(before, desc, RAW_ALLOWED)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("template \"%s\": only superusers can set raw_allowed", name)));
}

static void
check_row(HeapTuple tuple, HeapTuple before, TupleDesc desc)
{
	TemplateSpot spot = {0};
	Template	template = {0};
	char	   *name = text_field(tuple, desc, NAME);
	char	   *zone = text_field(tuple, desc, ZONE);
	Oid			about = oid_field(tuple, desc, ABOUT);
	const char *class = text_field(tuple, desc, CLASS);

	if (name == NULL || *name == '\0' || strlen(name) > MAX_NAME || strcmp(name, wf_template_one_line(name, strlen(name))) != 0)
		refuse(name == NULL ? "" : "?", "a template has a name of at most 200 bytes without control characters", NULL);
	check_rights(tuple, before, desc, name);
	if (zone == NULL || pg_tzset(zone) == NULL)
		refuse(name, "its time zone is not known", "Look in pg_timezone_names.");
	spot.name = name;
	spot.raw_allowed = bool_field(tuple, desc, RAW_ALLOWED);
	parse_texts(&template, tuple, desc, &spot);
	if (template.html == NULL && template.body == NULL)
		refuse(name, "it has neither html nor body", NULL);
	if (class != NULL && strcmp(class, "marketing") == 0)
	{
		check_footer(template.html, name, "html");
		check_footer(template.body, name, "body");
	}
	/* while a dump is loaded, tables may be others than when it was saved */
	if (!OidIsValid(about) || !wf_engine_armed())
		return;
	if (get_rel_name(about) == NULL)
		refuse(name, "the table it is about is gone", "Set about to the table whose columns the tokens name, or to NULL.");
	spot.part = "subject";
	spot.source = text_field(tuple, desc, SUBJECT);
	check_columns(template.subject, about, &spot);
	spot.part = "html";
	spot.source = text_field(tuple, desc, HTML);
	check_columns(template.html, about, &spot);
	spot.part = "body";
	spot.source = text_field(tuple, desc, BODY);
	check_columns(template.body, about, &spot);
}

PG_FUNCTION_INFO_V1(wf_template_check);
Datum
wf_template_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	bool		update;
	HeapTuple	tuple;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		RelationGetRelid(trigger->tg_relation) != wf_store_relid("template"))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function template_check() is a BEFORE row trigger of automation.template")));
	update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	check_row(tuple, update ? trigger->tg_trigtuple : NULL, RelationGetDescr(trigger->tg_relation));
	return PointerGetDatum(tuple);
}
