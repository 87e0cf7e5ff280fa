/*
 * enrollment_json.c -- the jsonb columns of automation.enrollment.
 *
 * Called by enrollment.c alone.  Results are in the current context; an ERROR
 * tells of a row that nobody of us wrote.
 *
 * args: per argument an array of key texts, the text of a value, or null.
 * vars: per variable its text or null.
 * waiting: {"kind": interval | moment | condition | change | delivery, "deadline" and
 * "moment": microseconds since 2000-01-01 UTC, "snapshot", "xact", "seq": see
 * change.c, "delivery": id of a message, "kept": true, "waits_for": words, "swept": true, "ties": [text], "rows":
 * [[source, key]], "started", "pending" and "too_late": microseconds, "taken_over": true,
 * "fresh": [number]};
 * absent members are 0, false or empty.  Ties and rows say which rows of wait and
 * argument exist.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "enrollment_json.h"
#include "json_member.h"
#include "key.h"
#include "rekey.h"
#include "tie.h"

static const char *const waiting_names[] =
{
	[WAITING_NONE] = "none",
	[WAITING_INTERVAL] = "interval",
	[WAITING_MOMENT] = "moment",
	[WAITING_CONDITION] = "condition",
	[WAITING_CHANGE] = "change",
	[WAITING_DELIVERY] = "delivery",
	[WAITING_BEGIN] = "begin"
};

/* Index of a name in an array of names; ERROR for a row nobody of us wrote. */
int
wf_enrollment_find_name(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid state \"%s\" of an enrollment", name)));
	return 0;
}

/* A bare string as jsonb value; the bytes are not copied. */
static JsonbValue
string_value(const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) string;
	value.val.string.len = strlen(string);
	return value;
}

static JsonbValue
int_value(int64 number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	return value;
}

static void
push_member(JsonbParseState **state, const char *key, JsonbValue value)
{
	wf_json_value(state, key, &value);
}

/* Appends a string or null to an array. */
static void
push_text(JsonbParseState **state, const char *text)
{
	JsonbValue	value;

	if (text)
		value = string_value(text);
	else
		value.type = jbvNull;
	pushJsonbValue(state, WJB_ELEM, &value);
}

/* The text of a jsonb string; NULL for anything else. */
static char *
text_of_value(const JsonbValue *value)
{
	return value && value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

/* The number of a jsonb number; 0 for anything else. */
static int64
int_of_value(const JsonbValue *value)
{
	if (value == NULL || value->type != jbvNumeric)
		return 0;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

static bool
is_true(const JsonbValue *value)
{
	return value && value->type == jbvBool && value->val.boolean;
}

/* A member of an object; NULL if it is not there. */
static JsonbValue *
member(Jsonb *object, const char *key)
{
	if (!JB_ROOT_IS_OBJECT(object))
		return NULL;
	return getKeyJsonValueFromContainer(&object->root, key, strlen(key), NULL);
}

/* Elements of an array member; 0 if it is no array. */
static int
array_size(const JsonbValue *array)
{
	return array && array->type == jbvBinary && JsonContainerIsArray(array->val.binary.data) ?
		JsonContainerSize(array->val.binary.data) : 0;
}

/* Tells whether an argument is a row: the subject, or one of row_args. */
static bool
is_row(const Enrollment *e, int i)
{
	const char *key;
	ListCell   *lc;

	if (i == 0)
		return e->source != 0;
	if (e->args[i][0] != '[')
		return false;
	key = wf_key_lookup(e->args[i]);
	foreach(lc, e->row_args)
		if (strcmp(wf_rekey_plain(((RowArgument *) lfirst(lc))->key), key) == 0)
			return true;
	return false;
}

/* args: per argument an array of key texts, the text of a value, or null. */
Jsonb *
wf_enrollment_args_to_jsonb(const Enrollment *e)
{
	JsonbParseState *state = NULL;
	char	  **texts;
	int			n;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < e->nargs; i++)
	{
		if (e->args[i] == NULL || !is_row(e, i))
		{
			push_text(&state, e->args[i]);
			continue;
		}
		texts = wf_key_split(e->args[i], &n);
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		for (int k = 0; k < n; k++)
			push_text(&state, texts[k]);
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* A key, from its array of texts. */
static char *
key_of_array(JsonbContainer *array)
{
	int			n = JsonContainerSize(array);
	const char **texts = palloc(Max(n, 1) * sizeof(char *));

	for (int i = 0; i < n; i++)
		texts[i] = text_of_value(getIthJsonbValueFromContainer(array, i));
	return wf_key_make(n, texts);
}

/* The texts of an array of strings, nulls and keys. */
char **
wf_enrollment_texts_of_jsonb(Jsonb *array, int *n)
{
	char	  **texts;

	*n = JB_ROOT_IS_ARRAY(array) ? JB_ROOT_COUNT(array) : 0;
	texts = palloc(Max(*n, 1) * sizeof(char *));
	for (int i = 0; i < *n; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(&array->root, i);

		texts[i] = value->type == jbvBinary ? key_of_array(value->val.binary.data) : text_of_value(value);
	}
	return texts;
}

/* vars: an array of texts and nulls. */
Jsonb *
wf_enrollment_vars_to_jsonb(const Enrollment *e)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < e->nvars; i++)
		push_text(&state, e->vars[i]);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* Member "ties" of waiting. */
static void
push_ties(JsonbParseState **state, List *ties)
{
	ListCell   *lc;

	wf_json_key(state, "ties");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, ties)
		push_text(state, psprintf(INT64_FORMAT, *(int64 *) lfirst(lc)));
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Member "rows" of waiting. */
static void
push_rows(JsonbParseState **state, List *rows)
{
	ListCell   *lc;

	wf_json_key(state, "rows");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, rows)
	{
		RowArgument *row = lfirst(lc);
		JsonbValue	source = int_value(row->source);

		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		pushJsonbValue(state, WJB_ELEM, &source);
		push_text(state, row->key);
		pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* What another version needs to know: "started", "taken_over" and "fresh". */
static void
push_crossing(JsonbParseState **state, const Enrollment *e)
{
	JsonbValue	yes = {.type = jbvBool, .val.boolean = true};
	ListCell   *lc;

	if (e->waiting != WAITING_NONE && e->started != 0)
		push_member(state, "started", int_value(e->started));
	if (e->waiting != WAITING_NONE && e->taken_over)
		push_member(state, "taken_over", yes);
	if (e->fresh == NIL)
		return;
	wf_json_key(state, "fresh");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, e->fresh)
	{
		JsonbValue	number = int_value(lfirst_int(lc));

		pushJsonbValue(state, WJB_ELEM, &number);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* waiting; NULL if there is nothing to say. */
Jsonb *
wf_enrollment_waiting_to_jsonb(const Enrollment *e)
{
	JsonbParseState *state = NULL;
	JsonbValue	true_value = {.type = jbvBool, .val.boolean = true};

	if (e->waiting == WAITING_NONE && e->deadline == 0 && e->moment == 0 && !e->swept &&
		e->ties == NIL && e->waits_for == NULL && e->row_args == NIL && e->fresh == NIL && !e->kept)
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (e->waiting != WAITING_NONE)
		push_member(&state, "kind", string_value(waiting_names[e->waiting]));
	if (e->deadline != 0)
		push_member(&state, "deadline", int_value(e->deadline));
	if (e->moment != 0)
		push_member(&state, "moment", int_value(e->moment));
	if (e->waiting != WAITING_NONE && e->began != 0)
		push_member(&state, "began", int_value(e->began));
	if (e->waiting != WAITING_NONE && e->pending != 0)
		push_member(&state, "pending", int_value(e->pending));
	if (e->waiting != WAITING_NONE && e->too_late != 0)
		push_member(&state, "too_late", int_value(e->too_late));
	if (e->waiting == WAITING_CHANGE)
	{
		if (e->snapshot)
			push_member(&state, "snapshot", string_value(e->snapshot));
		push_member(&state, "xact", int_value(e->change_xact));
		push_member(&state, "seq", int_value(e->change_seq));
	}
	if (e->waiting == WAITING_DELIVERY)
		push_member(&state, "delivery", int_value(e->delivery));
	if (e->kept)
		push_member(&state, "kept", true_value);
	if (e->waits_for)
		push_member(&state, "waits_for", string_value(e->waits_for));
	if (e->swept)
		push_member(&state, "swept", true_value);
	if (e->ties != NIL)
		push_ties(&state, e->ties);
	if (e->row_args != NIL)
		push_rows(&state, e->row_args);
	push_crossing(&state, e);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Reads ties of waiting. */
static List *
ties_of_value(const JsonbValue *array)
{
	int			n = array_size(array);
	List	   *ties = NIL;

	for (int i = 0; i < n; i++)
	{
		char	   *text = text_of_value(getIthJsonbValueFromContainer(array->val.binary.data, i));
		int64	   *tie = palloc(sizeof(int64));

		*tie = text ? (int64) strtoll(text, NULL, 10) : TIE_SWEPT;
		ties = lappend(ties, tie);
	}
	return ties;
}

/* Reads the row arguments of waiting. */
static List *
rows_of_value(const JsonbValue *array)
{
	int			n = array_size(array);
	List	   *rows = NIL;

	for (int i = 0; i < n; i++)
	{
		JsonbValue *pair = getIthJsonbValueFromContainer(array->val.binary.data, i);
		RowArgument *row;

		if (array_size(pair) != 2)
			continue;
		row = palloc(sizeof(RowArgument));
		row->source = (int) int_of_value(getIthJsonbValueFromContainer(pair->val.binary.data, 0));
		row->key = text_of_value(getIthJsonbValueFromContainer(pair->val.binary.data, 1));
		if (row->key)
			rows = lappend(rows, row);
	}
	return rows;
}

/* Reads what push_crossing() wrote. */
static void
crossing_of_jsonb(Enrollment *e, Jsonb *waiting)
{
	JsonbValue *fresh = member(waiting, "fresh");
	int			n = array_size(fresh);

	e->started = int_of_value(member(waiting, "started"));
	e->taken_over = is_true(member(waiting, "taken_over"));
	e->fresh = NIL;
	for (int i = 0; i < n; i++)
		e->fresh = lappend_int(e->fresh,
							   (int) int_of_value(getIthJsonbValueFromContainer(fresh->val.binary.data, i)));
}

/* Reads waiting into the enrollment. */
void
wf_enrollment_waiting_of_jsonb(Enrollment *e, Jsonb *waiting)
{
	char	   *kind = text_of_value(member(waiting, "kind"));

	e->waiting = kind ? wf_enrollment_find_name(kind, waiting_names, lengthof(waiting_names)) : WAITING_NONE;
	e->deadline = int_of_value(member(waiting, "deadline"));
	e->moment = int_of_value(member(waiting, "moment"));
	e->began = int_of_value(member(waiting, "began"));
	e->pending = int_of_value(member(waiting, "pending"));
	e->too_late = int_of_value(member(waiting, "too_late"));
	e->waits_for = text_of_value(member(waiting, "waits_for"));
	e->snapshot = text_of_value(member(waiting, "snapshot"));
	e->change_xact = int_of_value(member(waiting, "xact"));
	e->change_seq = int_of_value(member(waiting, "seq"));
	e->delivery = int_of_value(member(waiting, "delivery"));
	e->kept = is_true(member(waiting, "kept"));
	e->swept = is_true(member(waiting, "swept"));
	e->ties = ties_of_value(member(waiting, "ties"));
	e->row_args = rows_of_value(member(waiting, "rows"));
	crossing_of_jsonb(e, waiting);
}
