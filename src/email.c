/*
 * email.c -- email() and mail(): a template, or texts, and a recipient make a message.
 *
 * Called by SEND as the workflow's owner, and by anybody who wants to see what a
 * template gives. A constructor is no boundary: what it makes is checked by message.c
 * like what somebody writes by hand.
 *
 * The result is in the current context. What is looked up for the types of a call is
 * kept with the call.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "json_member.h"
#include "message.h"
#include "suppression.h"
#include "template.h"

#define MAX_TO_NAME 200				/* bytes */
#define COLUMNS 7					/* of automation.message */

/* Arguments of both functions; the first ones differ. */
enum
{
	SENDER,
	REPLY_TO,
	ADDRESS,
	THREAD,
	CC,
	BCC,
	ATTACHMENTS,
	HEADERS,
	CLASS,
	LIST,
	SERVER,
	ONCE,
	EXPIRES,
	ORDERING_KEY,
	LAST							/* owner of email(), family of mail() */
};

typedef struct Call
{
	TupleDesc	desc;				/* of automation.message */
	Oid			recipient;			/* its type, below domains */
	bool		is_row;
	char	   *row_name;			/* NULL = ROW(...) */
	FmgrInfo	to_json;
} Call;

typedef struct Mail
{
	FunctionCallInfo fcinfo;
	int			rest;				/* number of argument SENDER */
	Jsonb	   *row;				/* of the recipient, NULL = an address, or none */
	char	   *address;			/* NULL = has none */
	const char *family;
	const char *variant;
	const char *class;
	const char *list;
	bool		once;
	bool		skip;				/* a token is missing */
	const char *subject;
	const char *body;
	const char *html;
} Mail;

/* --- arguments --- */

static void
prepare_row(Call *call, Oid type, MemoryContext context)
{
	FuncExpr   *expr = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(makeNullConst(type, -1, InvalidOid)),
									InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	Oid			relation = get_typ_typrelid(call->recipient);

	fmgr_info_cxt(F_TO_JSONB, &call->to_json, context);
	fmgr_info_set_expr((Node *) expr, &call->to_json);
	call->row_name = OidIsValid(relation) ? get_rel_name(relation) : NULL;
}

static Call *
prepare(FunctionCallInfo fcinfo, int recipient)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	MemoryContext old;
	Oid			type;
	Oid			result;
	Call	   *call = flinfo->fn_extra;
	TupleDesc	desc;

	if (call != NULL)
		return call;
	if (get_call_result_type(fcinfo, &result, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "result is no row");
	type = get_fn_expr_argtype(flinfo, recipient);
	old = MemoryContextSwitchTo(flinfo->fn_mcxt);
	call = palloc0(sizeof(Call));
	call->desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	call->recipient = getBaseType(type);
	call->is_row = type_is_rowtype(call->recipient);
	if (call->is_row)
		prepare_row(call, type, flinfo->fn_mcxt);
	else if (get_typtype(call->recipient) != TYPTYPE_BASE || TypeCategory(call->recipient) != TYPCATEGORY_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the recipient of a mail is a row or an address, not %s", format_type_be(type))));
	MemoryContextSwitchTo(old);
	flinfo->fn_extra = call;
	return call;
}

static char *
text_argument(const Mail *mail, int number)
{
	FunctionCallInfo fcinfo = mail->fcinfo;

	number += mail->rest;
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* A text or a number. */
static char *
thread_argument(const Mail *mail)
{
	FunctionCallInfo fcinfo = mail->fcinfo;
	int			number = mail->rest + THREAD;
	Oid			output;
	bool		varlena;

	if (PG_ARGISNULL(number))
		return NULL;
	getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, number), &output, &varlena);
	return OidOutputFunctionCall(output, PG_GETARG_DATUM(number));
}

/* --- recipients --- */

static char *
trimmed(const char *value, int length)
{
	while (length > 0 && (unsigned char) value[length - 1] <= ' ')
		length--;
	while (length > 0 && (unsigned char) *value <= ' ')
	{
		value++;
		length--;
	}
	return length == 0 ? NULL : pnstrdup(value, length);
}

/* A text column of the row, trimmed; NULL = not there, NULL or blank. */
static char *
column(const Mail *mail, const char *name, bool *there)
{
	JsonbValue	value;
	bool		found = mail->row != NULL && JB_ROOT_IS_OBJECT(mail->row) &&
		getKeyJsonValueFromContainer(&mail->row->root, name, strlen(name), &value) != NULL;

	if (there != NULL)
		*there = found;
	return found && value.type == jbvString ? trimmed(value.val.string.val, value.val.string.len) : NULL;
}

static void
read_recipient(Mail *mail, const Call *call, int number)
{
	FunctionCallInfo fcinfo = mail->fcinfo;
	char	   *address = text_argument(mail, ADDRESS);
	bool		there;

	if (address != NULL)
		mail->address = trimmed(address, strlen(address));
	if (PG_ARGISNULL(number))
		return;
	if (!call->is_row)
	{
		if (address == NULL)
		{
			address = text_to_cstring(PG_GETARG_TEXT_PP(number));
			mail->address = trimmed(address, strlen(address));
		}
		return;
	}
	mail->row = DatumGetJsonbP(FunctionCall1(unconstify(FmgrInfo *, &call->to_json), PG_GETARG_DATUM(number)));
	if (address != NULL)
		return;
	mail->address = column(mail, "email", &there);
	if (!there)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the recipient's row has no column email"),
				 errhint("Say where the mail goes: address => c.work_email.")));
}

/* How the recipient is called in To: NULL = nobody knows. */
static char *
to_name(const Mail *mail)
{
	char	   *first = column(mail, "first_name", NULL);
	char	   *last = column(mail, "last_name", NULL);
	char	   *name = first != NULL && last != NULL ? psprintf("%s %s", first, last) :
		first != NULL ? first : column(mail, "name", NULL);

	if (name == NULL)
		return NULL;
	name = wf_template_one_line(name, strlen(name));
	name[pg_mbcliplen(name, strlen(name), MAX_TO_NAME)] = '\0';
	return trimmed(name, strlen(name));
}

/* --- options --- */

static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	if (text != NULL)
		wf_json_text(state, key, text);
}

static void
push_true(JsonbParseState **state, const char *key)
{
	JsonbValue	value = {.type = jbvBool, .val.boolean = true};

	wf_json_value(state, key, &value);
}

static void
push_json(JsonbParseState **state, const char *key, Jsonb *json)
{
	JsonbValue	value = {.type = jbvBinary};

	value.val.binary.data = &json->root;
	value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	wf_json_value(state, key, &value);
}

/* An array of addresses. */
static void
push_addresses(JsonbParseState **state, const char *key, const Mail *mail, int number)
{
	FunctionCallInfo fcinfo = mail->fcinfo;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	number += mail->rest;
	if (PG_ARGISNULL(number))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	wf_json_key(state, key);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue	value = {.type = jbvString};

		if (nulls[i])
			continue;
		value.val.string.val = TextDatumGetCString(values[i]);
		value.val.string.len = strlen(value.val.string.val);
		pushJsonbValue(state, WJB_ELEM, &value);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Address, or Name <address>. */
static void
push_sender(JsonbParseState **state, const char *sender)
{
	const char *bracket = sender == NULL ? NULL : strchr(sender, '<');
	int			length = sender == NULL ? 0 : strlen(sender);
	char	   *name;

	while (length > 0 && (unsigned char) sender[length - 1] <= ' ')
		length--;
	if (bracket == NULL || sender[length - 1] != '>')
	{
		push_text(state, "from", sender == NULL ? NULL : trimmed(sender, length));
		return;
	}
	push_text(state, "from", pnstrdup(bracket + 1, sender + length - 2 - bracket));
	name = wf_template_one_line(sender, bracket - sender);
	name = trimmed(name, strlen(name));
	if (name != NULL && name[0] == '"' && strlen(name) > 1 && name[strlen(name) - 1] == '"')
		name = trimmed(name + 1, strlen(name) - 2);
	push_text(state, "from_name", name);
}

static Jsonb *
options(const Mail *mail)
{
	FunctionCallInfo fcinfo = mail->fcinfo;
	JsonbParseState *state = NULL;
	bool		once = PG_ARGISNULL(mail->rest + ONCE) ? mail->once : PG_GETARG_BOOL(mail->rest + ONCE);
	char	   *class = text_argument(mail, CLASS);
	char	   *list = text_argument(mail, LIST);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, "html", mail->html);
	push_sender(&state, text_argument(mail, SENDER));
	push_text(&state, "reply_to", text_argument(mail, REPLY_TO));
	push_text(&state, "to_name", to_name(mail));
	push_text(&state, "thread", thread_argument(mail));
	push_addresses(&state, "cc", mail, CC);
	push_addresses(&state, "bcc", mail, BCC);
	if (!PG_ARGISNULL(mail->rest + ATTACHMENTS))
		push_json(&state, "attachments", PG_GETARG_JSONB_P(mail->rest + ATTACHMENTS));
	push_text(&state, "class", class != NULL ? class : mail->class);
	push_text(&state, "list", list != NULL ? list : mail->list);
	push_text(&state, "family", mail->family);
	push_text(&state, "variant", mail->variant);
	if (once)
		push_true(&state, "once");
	push_text(&state, "expires", text_argument(mail, EXPIRES));
	push_text(&state, "ordering_key", text_argument(mail, ORDERING_KEY));
	if (mail->skip)
		push_text(&state, "skip", "missing_token");
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* --- the message --- */

static Datum
message(const Mail *mail, const Call *call)
{
	FunctionCallInfo fcinfo = mail->fcinfo;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};
	char	   *server = text_argument(mail, SERVER);
	/* one that does not leave is a mail without texts */
	const char *texts[] = {"mail", server, mail->address, mail->subject, mail->body == NULL && mail->html == NULL ? "" : mail->body};

	for (int i = 0; i < lengthof(texts); i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	nulls[5] = PG_ARGISNULL(mail->rest + HEADERS);
	values[5] = nulls[5] ? (Datum) 0 : PG_GETARG_DATUM(mail->rest + HEADERS);
	values[6] = JsonbPGetDatum(options(mail));
	return HeapTupleGetDatum(heap_form_tuple(call->desc, values, nulls));
}

static bool
render(const TemplateText *text, const TemplateData *data, const char **result)
{
	StringInfoData out;

	if (text == NULL)
		return true;
	initStringInfo(&out);
	if (!wf_template_render(text, data, &out))
		return false;
	*result = out.data;
	return true;
}

static void
render_template(Mail *mail, const Template *template, const Call *call, Jsonb *vars)
{
	static uint64 messages = 0;
	TemplateData data = {.name = template->name, .message = ++messages, .row_name = call->row_name, .row = mail->row, .vars = vars,
		.zone = template->zone, .missing = template->missing};

	if (vars != NULL && !JB_ROOT_IS_OBJECT(vars))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("vars is an object: jsonb_build_object('deal', to_jsonb(d)), or to_jsonb(d)")));
	mail->skip = !render(template->subject, &data, &mail->subject) || !render(template->html, &data, &mail->html) ||
		!render(template->body, &data, &mail->body);
	if (mail->skip)
		mail->subject = mail->html = mail->body = NULL;
}

/* template, recipient, vars, then as listed above. */
PG_FUNCTION_INFO_V1(wf_email);
Datum
wf_email(PG_FUNCTION_ARGS)
{
	Call	   *call = prepare(fcinfo, 1);
	Mail		mail = {.fcinfo = fcinfo, .rest = 3};
	const Template *template;
	char	   *name;
	Oid			owner = InvalidOid;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("email() needs the name of a template")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(mail.rest + LAST))
		owner = get_role_oid(NameStr(*PG_GETARG_NAME(mail.rest + LAST)), false);
	read_recipient(&mail, call, 1);
	template = wf_template_find(name, owner, mail.address == NULL ? NULL : wf_address_normalize("mail", mail.address));
	mail.family = template->name;
	mail.variant = *template->variant == '\0' ? NULL : template->variant;
	mail.class = template->class;
	mail.list = template->list;
	mail.once = template->once;
	if (mail.address != NULL)
		render_template(&mail, template, call, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2));
	return message(&mail, call);
}

/* recipient, subject, body, html, then as listed above. */
PG_FUNCTION_INFO_V1(wf_mail);
Datum
wf_mail(PG_FUNCTION_ARGS)
{
	Call	   *call = prepare(fcinfo, 0);
	Mail		mail = {.fcinfo = fcinfo, .rest = 4};

	read_recipient(&mail, call, 0);
	mail.family = text_argument(&mail, LAST);
	if (!PG_ARGISNULL(1))
	{
		text	   *subject = PG_GETARG_TEXT_PP(1);

		mail.subject = wf_template_one_line(VARDATA_ANY(subject), VARSIZE_ANY_EXHDR(subject));
	}
	mail.body = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	mail.html = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (mail.body == NULL && mail.html != NULL)
		mail.body = wf_html_text(mail.html, strlen(mail.html));
	return message(&mail, call);
}
