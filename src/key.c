/*
 * key.c -- primary keys as text, and text forms of values under standard
 * settings.
 *
 * Called by capture (in every user's session), by the commands and by the
 * executor.  Results are palloc'd in the current memory context.  Output
 * functions of core types neither fail nor run user code; input functions
 * run as the current user and raise their own errors.  No locks are taken but
 * those of catalog look-ups; the caller holds the relation open.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "key.h"
#include "owner.h"

/* What a type's text depends on. */
typedef enum
{
	TEXT_PLAIN,							/* on no setting */
	TEXT_STYLED,						/* on the date, interval, float and bytea settings */
	TEXT_MONEY,							/* any other type: on lc_monetary, array_nulls, xmloption as well */
	TEXT_NAME							/* reg types: on search_path as well, for output */
} TextClass;

/* Index of the primary key; InvalidOid if there is none that is valid. */
static Oid
primary_index(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			result = InvalidOid;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			continue;
		if (((Form_pg_index) GETSTRUCT(tuple))->indisprimary &&
			((Form_pg_index) GETSTRUCT(tuple))->indisvalid)
			result = lfirst_oid(lc);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return result;
}

/* Adds the column of rel called name; a partition may number it differently. */
static void
add_key_column(Relation rel, KeyColumns *columns, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		columns->attnum[columns->natts] = att->attnum;
		columns->type[columns->natts] = att->atttypid;
		columns->name[columns->natts] = pstrdup(name);
		columns->natts++;
		return;
	}
	elog(ERROR, "primary key column \"%s\" not found in relation %u", name, RelationGetRelid(rel));
}

/* A partition's writers hold a lock on it alone, which keeps the root's key
 * from changing too: ALTER TABLE on the root locks its partitions. */
void
wf_key_columns(Relation rel, KeyColumns *columns)
{
	Oid			root = wf_root_relation(RelationGetRelid(rel));
	Relation	rootrel = rel;
	Oid			index;
	HeapTuple	tuple;

	columns->natts = 0;
	if (root != RelationGetRelid(rel))
		rootrel = RelationIdGetRelation(root);
	if (!RelationIsValid(rootrel))
		return;
	index = primary_index(rootrel);
	tuple = OidIsValid(index) ? SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index)) : NULL;
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

		for (int i = 0; i < form->indnkeyatts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rootrel), form->indkey.values[i] - 1);

			add_key_column(rel, columns, NameStr(att->attname));
		}
		ReleaseSysCache(tuple);
	}
	if (rootrel != rel)
		RelationClose(rootrel);
}

/* ALTER TABLE in between would have us read one type's bytes as another's. */
bool
wf_key_fits(const KeyColumns *columns, TupleDesc desc)
{
	for (int i = 0; i < columns->natts; i++)
	{
		AttrNumber	attnum = columns->attnum[i];

		if (attnum > desc->natts || TupleDescAttr(desc, attnum - 1)->attisdropped ||
			TupleDescAttr(desc, attnum - 1)->atttypid != columns->type[i])
			return false;
	}
	return true;
}

char *
wf_key_of_tuple(const KeyColumns *columns, HeapTuple tuple, TupleDesc desc)
{
	char	   *texts[INDEX_MAX_KEYS];

	if (columns->natts == 0 || !wf_key_fits(columns, desc))
		return NULL;
	for (int i = 0; i < columns->natts; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, columns->attnum[i], desc, &isnull);

		if (isnull)
			return NULL;
		texts[i] = wf_value_out(value, columns->type[i]);
	}
	return wf_key_make(columns->natts, (const char *const *) texts);
}

char *
wf_key_make(int n, const char *const *texts)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(&buf, ',');
		if (texts[i] == NULL)
			appendStringInfoString(&buf, "null");
		else
			escape_json(&buf, texts[i]);
	}
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

static void
malformed_key(const char *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("malformed key %s", key)));
}

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/* Value of four hexadecimal digits, -1 if they are none. */
static int
hex4(const char *p)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		if (!isxdigit((unsigned char) p[i]))
			return -1;
		value = value * 16 + (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	}
	return value;
}

/* The character after a backslash at p, appended to buf; returns what follows. */
static const char *
unescape(const char *key, const char *p, StringInfo buf)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *at = *p ? strchr(from, *p) : NULL;
	int			code;
	unsigned char utf[MAX_UNICODE_EQUIVALENT_STRING + 1] = {0};

	if (at != NULL)
	{
		appendStringInfoChar(buf, to[at - from]);
		return p + 1;
	}
	code = *p == 'u' ? hex4(p + 1) : -1;
	if (code <= 0)
		malformed_key(key);
	if (code >= 0xD800 && code < 0xDC00 && p[5] == '\\' && p[6] == 'u' && hex4(p + 7) >= 0xDC00)
	{
		code = 0x10000 + ((code - 0xD800) << 10) + (hex4(p + 7) - 0xDC00);
		p += 6;
	}
	pg_unicode_to_server((pg_wchar) code, utf);
	appendStringInfoString(buf, (char *) utf);
	return p + 5;
}

/* One element at *p: a string, or NULL for null. */
static char *
split_element(const char *key, const char **p)
{
	StringInfoData buf;
	const char *s = *p;

	if (strncmp(s, "null", 4) == 0)
	{
		*p = s + 4;
		return NULL;
	}
	if (*s != '"')
		malformed_key(key);
	initStringInfo(&buf);
	for (s++; *s != '"';)
	{
		if (*s == '\0')
			malformed_key(key);
		if (*s == '\\')
			s = unescape(key, s + 1, &buf);
		else
		{
			appendStringInfoCharMacro(&buf, *s);
			s++;
		}
	}
	*p = s + 1;
	return buf.data;
}

char **
wf_key_split(const char *key, int *n)
{
	int			room = 4;
	char	  **texts = palloc(room * sizeof(char *));
	const char *p = skip_space(key);

	*n = 0;
	if (*p != '[')
		malformed_key(key);
	p = skip_space(p + 1);
	while (*p != ']')
	{
		if (*n > 0)
		{
			if (*p != ',')
				malformed_key(key);
			p = skip_space(p + 1);
		}
		if (*n == room)
			texts = repalloc(texts, (room *= 2) * sizeof(char *));
		texts[(*n)++] = split_element(key, &p);
		p = skip_space(p);
	}
	return texts;
}

char *
wf_key_lookup(const char *key)
{
	int			len = strlen(key);
	bytea	   *digest;
	char	   *result;

	if (len <= KEY_LOOKUP_MAX)
		return pstrdup(key);
	digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(cstring_to_text_with_len(key, len))));
	result = palloc(2 * VARSIZE_ANY_EXHDR(digest) + 2);
	result[0] = '#';
	result[1 + hex_encode(VARDATA_ANY(digest), VARSIZE_ANY_EXHDR(digest), result + 1)] = '\0';
	return result;
}

int64
wf_key_hash(const char *key)
{
	return (int64) hash_bytes_extended((const unsigned char *) key, strlen(key), 0);
}

/* Domains, and for output arrays and ranges too, depend on what their values do. */
static TextClass
text_class(Oid type, bool output)
{
	Oid			inner;

	switch (type)
	{
		case BOOLOID:
		case CHAROID:
		case NAMEOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case TEXTOID:
		case OIDOID:
		case VARCHAROID:
		case BPCHAROID:
		case NUMERICOID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case JSONOID:
		case JSONBOID:
			return TEXT_PLAIN;
		case FLOAT4OID:
		case FLOAT8OID:
		case BYTEAOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
			return TEXT_STYLED;
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
			return TEXT_NAME;
		default:
			break;
	}
	if (type_is_enum(type))
		return TEXT_PLAIN;
	inner = getBaseType(type);
	if (inner == type && output)
		inner = type_is_range(type) ? get_range_subtype(type) : get_base_element_type(type);
	return OidIsValid(inner) && inner != type ? text_class(inner, output) : TEXT_MONEY;
}

static bool
zone_is_utc(void)
{
	const char *name = session_timezone ? pg_get_timezone_name(session_timezone) : NULL;

	return name != NULL &&
		(strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0 || strcmp(name, "GMT") == 0);
}

static void
set_setting(const char *name, const char *value, int *level)
{
	if (*level < 0)
		*level = NewGUCNestLevel();
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static void
set_if_differs(const char *name, const char *value, int *level)
{
	const char *now = GetConfigOption(name, true, false);

	if (now != NULL && strcmp(now, value) != 0)
		set_setting(name, value, level);
}

int
wf_text_enter(void)
{
	int			level = -1;

	if (DateStyle != USE_ISO_DATES)
		set_setting("DateStyle", "ISO", &level);
	if (!zone_is_utc())
		set_setting("TimeZone", "UTC", &level);
	if (IntervalStyle != INTSTYLE_POSTGRES)
		set_setting("IntervalStyle", "postgres", &level);
	if (extra_float_digits < 1)
		set_setting("extra_float_digits", "1", &level);
	if (bytea_output != BYTEA_OUTPUT_HEX)
		set_setting("bytea_output", "hex", &level);
	return level;
}

void
wf_text_leave(int level)
{
	if (level >= 0)
		AtEOXact_GUC(true, level);
}

/* Settings for one value of the given class; search_path only for output,
 * because a domain's input may run its owner's checks. */
static int
class_enter(TextClass class, bool output)
{
	int			level;

	if (class == TEXT_PLAIN)
		return -1;
	level = wf_text_enter();
	if (class >= TEXT_MONEY)
	{
		set_if_differs("lc_monetary", "C", &level);
		set_if_differs("array_nulls", "on", &level);
		set_if_differs("xmloption", "content", &level);
		set_if_differs("quote_all_identifiers", "off", &level);
	}
	if (class == TEXT_NAME && output)
		set_if_differs("search_path", "pg_catalog", &level);
	return level;
}

/* Dates and timestamps in ISO format and UTC, without touching a setting.
 * NULL: not one of those types. */
static char *
moment_out(Datum value, Oid type)
{
	char		buf[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;

	if (type == DATEOID)
	{
		DateADT		date = DatumGetDateADT(value);

		if (DATE_NOT_FINITE(date))
			EncodeSpecialDate(date, buf);
		else
		{
			j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
			EncodeDateOnly(&tm, USE_ISO_DATES, buf);
		}
	}
	else if (type == TIMESTAMPOID || type == TIMESTAMPTZOID)
	{
		Timestamp	moment = DatumGetTimestamp(value);

		if (TIMESTAMP_NOT_FINITE(moment))
			EncodeSpecialTimestamp(moment, buf);
		else if (timestamp2tm(moment, NULL, &tm, &fsec, NULL, NULL) == 0)
		{
			tm.tm_isdst = 0;			/* else the zone would be left out */
			EncodeDateTime(&tm, fsec, type == TIMESTAMPTZOID, 0, NULL, USE_ISO_DATES, buf);
		}
		else
			return NULL;
	}
	else
		return NULL;
	return pstrdup(buf);
}

/* Types whose text depends on nothing and needs no look-up.  NULL: another. */
static char *
plain_out(Datum value, Oid type)
{
	char		buf[MAXINT8LEN + 1];

	switch (type)
	{
		case INT2OID:
			pg_itoa(DatumGetInt16(value), buf);
			return pstrdup(buf);
		case INT4OID:
			pg_ltoa(DatumGetInt32(value), buf);
			return pstrdup(buf);
		case INT8OID:
			pg_lltoa(DatumGetInt64(value), buf);
			return pstrdup(buf);
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return TextDatumGetCString(value);
		case UUIDOID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, value));
		case NUMERICOID:
			return DatumGetCString(DirectFunctionCall1(numeric_out, value));
		default:
			return NULL;
	}
}

char *
wf_value_out(Datum value, Oid type)
{
	char	   *result = plain_out(value, type);
	Oid			function;
	bool		varlena;
	int			level;

	if (result == NULL)
		result = moment_out(value, type);
	if (result != NULL)
		return result;
	getTypeOutputInfo(type, &function, &varlena);
	level = class_enter(text_class(type, true), true);
	result = OidOutputFunctionCall(function, value);
	wf_text_leave(level);
	return result;
}

Datum
wf_value_in(const char *text, Oid type, int32 typmod)
{
	Oid			function;
	Oid			ioparam;
	Datum		result;
	int			level;

	getTypeInputInfo(type, &function, &ioparam);
	level = class_enter(text_class(type, false), false);
	result = OidInputFunctionCall(function, (char *) text, ioparam, typmod);
	wf_text_leave(level);
	return result;
}
