/*
 * image.c -- row images of events: column name -> output text.
 *
 * wf_image_of_tuple() is called by capture in every user's session: it runs
 * output functions in C only, on values that fit, so it neither fails for a
 * reason of ours nor runs anybody's code.  wf_image_to_row() is called by the
 * executor as the workflow's owner: input functions, a domain's checks among
 * them, run as he who is current and raise their own errors.  Results are
 * palloc'd in the current memory context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "image.h"
#include "stored.h"

#define MARKER "#"
#define MARKER_TOO_BIG "too_big"
#define MARKER_NO_IMAGE "no_image"

static bool output_is_safe(Oid type);

static bool
row_output_is_safe(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(type, -1, true);
	bool		safe = desc != NULL;

	for (int i = 0; safe && i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			safe = output_is_safe(TupleDescAttr(desc, i)->atttypid);
	}
	if (desc != NULL)
		ReleaseTupleDesc(desc);
	return safe;
}

static bool
function_is_compiled(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			language = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
		ReleaseSysCache(tuple);
	}
	return language == INTERNALlanguageId || language == ClanguageId;
}

/* Does making text of a value call nothing but compiled code? */
static bool
output_is_safe(Oid type)
{
	Oid			function;
	bool		varlena;
	Oid			inner;

	if (type < FirstUnpinnedObjectId)
		return true;
	if (stack_is_too_deep())
		return false;
	inner = getBaseType(type);
	if (inner != type)
		return output_is_safe(inner);
	switch (get_typtype(type))
	{
		case TYPTYPE_ENUM:
			return true;
		case TYPTYPE_COMPOSITE:
			return row_output_is_safe(type);
		case TYPTYPE_RANGE:
			return output_is_safe(get_range_subtype(type));
		case TYPTYPE_MULTIRANGE:
			return output_is_safe(get_multirange_range(type));
		case TYPTYPE_BASE:
			inner = get_element_type(type);
			if (OidIsValid(inner))
				return output_is_safe(inner);
			getTypeOutputInfo(type, &function, &varlena);
			return function_is_compiled(function);
		default:
			return false;
	}
}

static JsonbValue
string_value(const char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) text;
	value.val.string.len = strlen(text);
	return value;
}

static Jsonb *
marker_image(const char *what)
{
	JsonbParseState *state = NULL;
	JsonbValue	key = string_value(MARKER);
	JsonbValue	value = string_value(what);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	pushJsonbValue(&state, WJB_KEY, &key);
	pushJsonbValue(&state, WJB_VALUE, &value);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * Adds one column; *size grows by its text.  Returns the marker to use
 * instead of the image, or NULL.
 */
static const char *
add_column(JsonbParseState **state, HeapTuple tuple, TupleDesc desc, AttrNumber attnum, Size *size)
{
	Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);
	JsonbValue	key;
	JsonbValue	value;
	bool		isnull;
	Datum		datum;

	if (att->attisdropped)
		return NULL;
	/* a virtual column has no value without evaluating its expression */
	if (att->attgenerated == 'v' || !output_is_safe(att->atttypid))
		return MARKER_NO_IMAGE;
	datum = heap_getattr(tuple, attnum, desc, &isnull);
	if (!isnull && att->attlen == -1 && toast_raw_datum_size(datum) > IMAGE_MAX)
		return MARKER_TOO_BIG;
	key = string_value(NameStr(att->attname));
	value.type = jbvNull;
	if (!isnull)
	{
		value = string_value(wf_stored_out(datum, att->atttypid));
		*size += value.val.string.len;
	}
	*size += key.val.string.len;
	if (*size > IMAGE_MAX)
		return MARKER_TOO_BIG;
	pushJsonbValue(state, WJB_KEY, &key);
	pushJsonbValue(state, WJB_VALUE, &value);
	return NULL;
}

Jsonb *
wf_image_of_tuple(HeapTuple tuple, TupleDesc desc, bool all, const AttrNumber *attnums, int n)
{
	JsonbParseState *state = NULL;
	Size		size = 0;
	int			count = all ? desc->natts : n;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < count; i++)
	{
		AttrNumber	attnum = all ? i + 1 : attnums[i];
		const char *marker = add_column(&state, tuple, desc, attnum, &size);

		if (marker != NULL)
			return marker_image(marker);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* A table may have a column named like the marker: only our two words count. */
static bool
is_marker(Jsonb *image)
{
	JsonbValue	buf;
	JsonbValue *value = getKeyJsonValueFromContainer(&image->root, MARKER, strlen(MARKER), &buf);

	if (value == NULL || value->type != jbvString || JB_ROOT_COUNT(image) != 1)
		return false;
	return (value->val.string.len == strlen(MARKER_TOO_BIG) &&
			memcmp(value->val.string.val, MARKER_TOO_BIG, value->val.string.len) == 0) ||
		(value->val.string.len == strlen(MARKER_NO_IMAGE) &&
		 memcmp(value->val.string.val, MARKER_NO_IMAGE, value->val.string.len) == 0);
}

/* Value of one column from its text in the image; false = NULL. */
static bool
column_value(Jsonb *image, Form_pg_attribute att, Datum *value)
{
	const char *name = NameStr(att->attname);
	JsonbValue	buf;
	JsonbValue *text = getKeyJsonValueFromContainer(&image->root, name, strlen(name), &buf);

	if (text == NULL || text->type != jbvString)
		return false;
	*value = wf_stored_in(pnstrdup(text->val.string.val, text->val.string.len), att->atttypid, att->atttypmod);
	return true;
}

ImageState
wf_image_to_row(Jsonb *image, Oid rowtype, Datum *value)
{
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;

	if (image == NULL || !JB_ROOT_IS_OBJECT(image) || is_marker(image))
		return IMAGE_MISSING;
	desc = lookup_rowtype_tupdesc_copy(rowtype, -1);
	values = palloc0(desc->natts * sizeof(Datum));
	nulls = palloc0(desc->natts * sizeof(bool));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		nulls[i] = att->attisdropped || !column_value(image, att, &values[i]);
	}
	*value = heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
	FreeTupleDesc(desc);
	return IMAGE_OK;
}
