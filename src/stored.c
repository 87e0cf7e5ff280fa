/*
 * stored.c -- text of values that wait: in events, variables, arguments.
 *
 * A composite type may lose attributes and get others while a value of it is
 * kept as text.  The core's text of a row names no attributes, so it would be
 * read as a row of others; here it is a JSON object, attribute -> text.  Of
 * everything else the text is the type's own (wf_value_out).
 *
 * Called by image.c in every user's session, under its promise that output
 * functions are compiled code; by the others as the workflow's owner, whose
 * input functions raise their own errors.  Results are palloc'd in the current
 * memory context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "key.h"
#include "stored.h"

typedef enum
{
	SHAPE_PLAIN,
	SHAPE_ROW,
	SHAPE_ROWS							/* array of composites */
} Shape;

/* *base: the composite, or the array's element type, without domains. */
static Shape
shape_of(Oid type, Oid *base)
{
	if (type < FirstUnpinnedObjectId)
		return SHAPE_PLAIN;
	*base = getBaseType(type);
	if (get_typtype(*base) == TYPTYPE_COMPOSITE)
		return SHAPE_ROW;
	*base = get_element_type(*base);
	if (!OidIsValid(*base) || get_typtype(getBaseType(*base)) != TYPTYPE_COMPOSITE)
		return SHAPE_PLAIN;
	return SHAPE_ROWS;
}

/* ----------------------------------------------------------------
 * Out
 * ----------------------------------------------------------------
 */

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value;

	value.type = text != NULL ? jbvString : jbvNull;
	if (text != NULL)
	{
		value.val.string.val = unconstify(char *, text);
		value.val.string.len = strlen(text);
	}
	pushJsonbValue(state, token, &value);
}

static char *
row_out(Datum value)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	JsonbParseState *state = NULL;
	Jsonb	   *object;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		isnull;
		Datum		item;

		if (att->attisdropped)
			continue;
		item = GetAttributeByNum(header, i + 1, &isnull);
		push_text(&state, WJB_KEY, NameStr(att->attname));
		push_text(&state, WJB_VALUE, isnull ? NULL : wf_stored_out(item, att->atttypid));
	}
	object = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	ReleaseTupleDesc(desc);
	return JsonbToCString(NULL, &object->root, VARSIZE(object));
}

/* The array with each element replaced by its text. */
static char *
rows_out(Datum value, Oid element)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(element, &len, &byval, &align);
	deconstruct_array(array, element, len, byval, align, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			items[i] = CStringGetTextDatum(wf_stored_out(items[i], element));
	}
	array = construct_md_array(items, nulls, ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
							   TEXTOID, -1, false, TYPALIGN_INT);
	return wf_value_out(PointerGetDatum(array), TEXTARRAYOID);
}

char *
wf_stored_out(Datum value, Oid type)
{
	Oid			base;

	check_stack_depth();
	switch (shape_of(type, &base))
	{
		case SHAPE_ROW:
			return row_out(value);
		case SHAPE_ROWS:
			return rows_out(value, base);
		case SHAPE_PLAIN:
			break;
	}
	return wf_value_out(value, type);
}

/* ----------------------------------------------------------------
 * In
 * ----------------------------------------------------------------
 */

/*
 * A name that is no attribute any more was dropped or has a new name; which of
 * the two can't be told when there is an attribute that the value doesn't know.
 */
static void
refuse_renamed(int stored, int found, int live, Oid type)
{
	if (found < stored && found < live)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type %s has other attributes than when a value of it was stored", format_type_be(type))));
}

static Datum
row_in(const char *text, Oid type)
{
	Jsonb	   *object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	Datum	   *values = palloc0(Max(desc->natts, 1) * sizeof(Datum));
	bool	   *nulls = palloc0(Max(desc->natts, 1) * sizeof(bool));
	int			live = 0;
	int			found = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		JsonbValue	buf;
		JsonbValue *item = NULL;

		nulls[i] = true;
		if (att->attisdropped)
			continue;
		live++;
		item = getKeyJsonValueFromContainer(&object->root, NameStr(att->attname), strlen(NameStr(att->attname)), &buf);
		if (item == NULL)
			continue;
		found++;
		if (item->type != jbvString)
			continue;
		values[i] = wf_stored_in(pnstrdup(item->val.string.val, item->val.string.len), att->atttypid, att->atttypmod);
		nulls[i] = false;
	}
	refuse_renamed(JB_ROOT_COUNT(object), found, live, type);
	return heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
}

static Datum
rows_in(const char *string, Oid element)
{
	ArrayType  *array = DatumGetArrayTypeP(wf_value_in(string, TEXTARRAYOID, -1));
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int16		len;
	bool		byval;
	char		align;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			items[i] = wf_stored_in(TextDatumGetCString(items[i]), element, -1);
	}
	get_typlenbyvalalign(element, &len, &byval, &align);
	return PointerGetDatum(construct_md_array(items, nulls, ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
											  element, len, byval, align));
}

Datum
wf_stored_in(const char *text, Oid type, int32 typmod)
{
	Oid			base;
	Datum		value;
	Shape		shape = shape_of(type, &base);

	check_stack_depth();
	if (shape == SHAPE_PLAIN)
		return wf_value_in(text, type, typmod);
	value = shape == SHAPE_ROW ? row_in(text, base) : rows_in(text, base);
	if (getBaseType(type) != type)
		domain_check(value, false, type, NULL, NULL);
	return value;
}
