/*
 * capture_match.c -- which rules a row change concerns.
 *
 * Called by the row trigger (capture.c) with both rows deformed.  Compares
 * stored bytes and calls comparison and hash functions of core types only:
 * it doesn't fail, wait or run anybody's code.  What it allocates lives as
 * long as the trigger's own memory context.
 *
 * An update is decided from two sides.  A condition over a column that the
 * rule's UPDATE OF names is an endpoint; what counts in the end is the first
 * row of the transaction against the last one, so an update is appended when
 * all endpoints of one row variable hold before it or after it, not only when
 * the rule seems to fire.  Each hit says how the rule stands on both sides,
 * and the reader of the log joins the first old side to the last new side.
 *
 * A rule about rows that somebody's condition reads (kind T) has no sides to join:
 * its hit says which of the two rows meet the conditions, and their ties lead to
 * those who wait.  A hit of such a rule that says neither is one that could not be
 * decided: all who wait by that rule are to look.
 */
#include "postgres.h"
#include "compat.h"

#include "common/hashfn.h"
#include "utils/datum.h"

#include "ast.h"
#include "capture_rules.h"
#include "event.h"
#include "tie.h"

/* ----------------------------------------------------------------
 * Values
 * ----------------------------------------------------------------
 */

/* Bytes of a value of a plain column; 0: stored in a way that needs work. */
static Size
plain_bytes(CaptureColumn *column, Datum *value, const void **bytes)
{
	struct varlena *data;

	*bytes = value;
	if (column->byval)
		return sizeof(Datum);
	data = (struct varlena *) DatumGetPointer(*value);
	if (VARATT_IS_EXTENDED(data) && !VARATT_IS_SHORT(data))
		return 0;
	*bytes = VARDATA_ANY(data);
	return VARSIZE_ANY_EXHDR(data);
}

bool
wf_capture_equal(CaptureTable *table, AttrNumber attnum, Datum a, Datum b)
{
	CaptureColumn *column = &table->columns[attnum - 1];

	if (column->plain)
	{
		const void *left;
		const void *right;
		Size		size = plain_bytes(column, &a, &left);
		Size		other = plain_bytes(column, &b, &right);

		if (size > 0 && other > 0)
			return size == other && memcmp(left, right, size) == 0;
	}
	return DatumGetBool(FunctionCall2Coll(&column->equal, column->collation, a, b));
}

static int
compare(CaptureTable *table, AttrNumber attnum, Datum a, Datum b)
{
	CaptureColumn *column = &table->columns[attnum - 1];

	return DatumGetInt32(FunctionCall2Coll(&column->compare, column->collation, a, b));
}

/* Hash of a value's bytes. */
static uint64
value_print(CaptureColumn *column, Datum value)
{
	uint64		hash;
	struct varlena *bytes;

	if (column->byval)
		return hash_bytes_extended((unsigned char *) &value, sizeof(Datum), 0);
	if (column->len != -1)
		return hash_bytes_extended((unsigned char *) DatumGetPointer(value),
								   column->len > 0 ? column->len : strlen(DatumGetCString(value)), 0);
	bytes = PG_DETOAST_DATUM_PACKED(value);
	hash = hash_bytes_extended((unsigned char *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), 0);
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
	return hash;
}

uint32
wf_capture_hash(CaptureTable *table, AttrNumber attnum, Datum value, bool isnull)
{
	CaptureColumn *column = &table->columns[attnum - 1];
	uint32		hash = 0;

	if (!isnull && column->plain)
		hash = (uint32) value_print(column, value);
	else if (!isnull)
		hash = DatumGetUInt32(FunctionCall1Coll(&column->hash, column->collation, value));
	return hash ^ (uint32) attnum * 0x9e3779b1;
}

static bool
is_one_of(CaptureTable *table, CaptureCondition *condition, Datum value)
{
	for (int i = 0; i < condition->nvalues; i++)
	{
		if (!condition->nulls[i] && wf_capture_equal(table, condition->attnum, value, condition->values[i]))
			return true;
	}
	return false;
}

/* A comparison with NULL, on either side, doesn't hold. */
static bool
comparison_holds(CaptureTable *table, CaptureCondition *condition, Datum value)
{
	AttrNumber	attnum = condition->attnum;

	if (condition->nulls[0])
		return false;
	switch (condition->op)
	{
		case RULE_OP_FROM:
		case RULE_OP_TO:
		case RULE_OP_EQ:
			return wf_capture_equal(table, attnum, value, condition->values[0]);
		case RULE_OP_NE:
			return !wf_capture_equal(table, attnum, value, condition->values[0]);
		case RULE_OP_LT:
			return compare(table, attnum, value, condition->values[0]) < 0;
		case RULE_OP_LE:
			return compare(table, attnum, value, condition->values[0]) <= 0;
		case RULE_OP_GT:
			return compare(table, attnum, value, condition->values[0]) > 0;
		case RULE_OP_GE:
			return compare(table, attnum, value, condition->values[0]) >= 0;
		default:
			return false;
	}
}

bool
wf_capture_holds(CaptureTable *table, CaptureCondition *condition, TupleTableSlot *slot)
{
	bool		isnull = slot == NULL || slot->tts_isnull[condition->attnum - 1];
	Datum		value = isnull ? (Datum) 0 : slot->tts_values[condition->attnum - 1];

	switch (condition->op)
	{
		case RULE_OP_NULL:
			return isnull;
		case RULE_OP_NOTNULL:
			return !isnull;
		case RULE_OP_TRUE:
			return !isnull && DatumGetBool(value);
		case RULE_OP_FROM:
		case RULE_OP_TO:
			if (isnull || condition->nulls[0])
				return isnull && condition->nulls[0];
			break;
		case RULE_OP_IN:
			return !isnull && is_one_of(table, condition, value);
		default:
			break;
	}
	return !isnull && comparison_holds(table, condition, value);
}

/* Do all conditions over old (or new) hold for a row?  ends: endpoints only. */
static bool
side_holds(CaptureTable *table, CaptureRule *rule, bool on_old, bool ends, TupleTableSlot *slot)
{
	for (int i = 0; i < rule->nconditions; i++)
	{
		CaptureCondition *condition = &rule->conditions[i];

		if (condition->on_old != on_old || (ends && !condition->endpoint))
			continue;
		if (!wf_capture_holds(table, condition, slot))
			return false;
	}
	return true;
}

/* Fingerprint of a rule's UPDATE OF columns in a row; never 0, which stands
 * for a missing row. */
static int64
row_print(CaptureTable *table, CaptureRule *rule, TupleTableSlot *slot)
{
	uint64		print = 0;

	if (slot == NULL)
		return 0;
	for (int i = 0; i < table->nwatched; i++)
	{
		AttrNumber	attnum = table->watched[i];

		if (!rule->any_of && !COLUMN_IN(rule->of, attnum))
			continue;
		print = hash_combine64(print, attnum);
		if (!slot->tts_isnull[attnum - 1])
			print = hash_combine64(print, value_print(&table->columns[attnum - 1], slot->tts_values[attnum - 1]));
	}
	return print == 0 ? 1 : (int64) print;
}

/* ----------------------------------------------------------------
 * Hits
 * ----------------------------------------------------------------
 */

static OwnerHits *
owner_hits(RowChange *change, int owner)
{
	CaptureTable *table = change->table;
	OwnerHits  *hits;

	if (change->hits == NULL)
		change->hits = palloc0(sizeof(OwnerHits) * table->nowners);
	hits = &change->hits[owner];
	if (hits->image_old == NULL)
	{
		hits->image_old = palloc0(sizeof(ColumnSet) * 2 * table->nwords);
		hits->image_new = hits->image_old + table->nwords;
	}
	hits->concerned = true;
	return hits;
}

static void
add_columns(ColumnSet *to, const ColumnSet *from, int nwords)
{
	for (int i = 0; i < nwords; i++)
		to[i] |= from[i];
}

static void
add_hit(RowChange *change, CaptureRule *rule, bool old_ok, bool new_ok, int64 old_print, int64 new_print)
{
	OwnerHits  *hits = owner_hits(change, rule->owner);

	if (hits->nhits == hits->room)
	{
		hits->room = Max(4, hits->room * 2);
		hits->hits = hits->hits ? repalloc(hits->hits, hits->room * sizeof(int))
			: palloc(hits->room * sizeof(int));
		hits->prints = hits->prints ? repalloc(hits->prints, hits->room * 2 * sizeof(int64))
			: palloc(hits->room * 2 * sizeof(int64));
	}
	hits->hits[hits->nhits] = rule->id << 2 | (old_ok ? 2 : 0) | (new_ok ? 1 : 0);
	hits->prints[2 * hits->nhits] = old_print;
	hits->prints[2 * hits->nhits + 1] = new_print;
	hits->printed |= old_print != 0 || new_print != 0;
	hits->nhits++;
	hits->all_old |= rule->all_old;
	hits->all_new |= rule->all_new;
	add_columns(hits->image_old, rule->image_old, change->table->nwords);
	add_columns(hits->image_new, rule->image_new, change->table->nwords);
}

/* Every owner who has something that is kept under the row's key gets an event. */
void
wf_match_everybody(RowChange *change)
{
	for (int i = 0; i < change->table->nowners; i++)
	{
		if (change->table->owners[i].keys)
			(void) owner_hits(change, i);
	}
}

static bool
overlaps(const ColumnSet *a, const ColumnSet *b, int nwords)
{
	for (int i = 0; i < nwords; i++)
	{
		if (a[i] & b[i])
			return true;
	}
	return false;
}

/* ----------------------------------------------------------------
 * Ties
 * ----------------------------------------------------------------
 */

static void
add_tie(OwnerHits *hits, int64 tie)
{
	for (int i = 0; i < hits->nties; i++)
	{
		if (hits->ties[i] == tie)
			return;
	}
	if (hits->nties == hits->tie_room)
	{
		hits->tie_room = Max(4, hits->tie_room * 2);
		hits->ties = hits->ties ? repalloc(hits->ties, hits->tie_room * sizeof(int64))
			: palloc(hits->tie_room * sizeof(int64));
	}
	hits->ties[hits->nties++] = tie;
}

/* Tie of a column's value in one of the rows, made once for all rules. */
static int64
column_tie(RowChange *change, AttrNumber attnum, bool old)
{
	CaptureColumn *column = &change->table->columns[attnum - 1];
	TupleTableSlot *slot = old ? change->old_slot : change->new_slot;
	int			side = old ? 0 : 1;

	if (column->tie_number[side] != change->number)
	{
		uint64		hash = DatumGetUInt64(FunctionCall2Coll(&column->tie_hash, column->collation,
														slot->tts_values[attnum - 1], UInt64GetDatum(0)));

		column->tie[side] = wf_tie(change->table->source, column->name, hash);
		column->tie_number[side] = change->number;
	}
	return column->tie[side];
}

/* Has the row a value in one of the rule's columns? */
static bool
has_ties(CaptureRule *rule, TupleTableSlot *slot)
{
	for (int i = 0; i < rule->nties; i++)
	{
		if (!slot->tts_isnull[rule->ties[i] - 1])
			return true;
	}
	return false;
}

static void
add_ties(RowChange *change, CaptureRule *rule, bool old)
{
	TupleTableSlot *slot = old ? change->old_slot : change->new_slot;
	OwnerHits  *hits = owner_hits(change, rule->owner);

	for (int i = 0; i < rule->nties; i++)
	{
		if (!slot->tts_isnull[rule->ties[i] - 1])
			add_tie(hits, column_tie(change, rule->ties[i], old));
	}
}

/* Of both rows; whose counts is the reader's to say. */
static void
add_all_ties(RowChange *change, CaptureRule *rule)
{
	if (rule->nties > 0 && change->old_slot != NULL)
		add_ties(change, rule, true);
	if (rule->nties > 0 && change->new_slot != NULL)
		add_ties(change, rule, false);
}

/* ----------------------------------------------------------------
 * Rows that a condition of another table's enrollments reads
 *
 * Each change stands for itself, for the reader doesn't ask what the transaction
 * made of the row but who may see a difference: those tied to a version of the
 * row that met the conditions and to one that does.
 * ----------------------------------------------------------------
 */

static int
operation_of(const RowChange *change)
{
	if (change->kind == EVENT_INSERT)
		return OP_INSERT;
	return change->kind == EVENT_DELETE ? OP_DELETE : OP_UPDATE;
}

static void
table_candidate(RowChange *change, CaptureRule *rule)
{
	CaptureTable *table = change->table;
	bool		old;
	bool		new;

	if (!(rule->operations & operation_of(change)))
		return;
	if (rule->undecided)
	{
		add_hit(change, rule, false, false, 0, 0);
		return;
	}
	if (change->kind == EVENT_UPDATE && !rule->any && !overlaps(rule->columns, change->changed, table->nwords))
		return;
	old = change->old_slot != NULL && side_holds(table, rule, false, false, change->old_slot) &&
		(rule->path || has_ties(rule, change->old_slot));
	new = change->new_slot != NULL && side_holds(table, rule, false, false, change->new_slot) &&
		(rule->path || has_ties(rule, change->new_slot));
	if (!old && !new)
		return;
	add_hit(change, rule, old, new, 0, 0);
	if (old)
		add_ties(change, rule, true);
	if (new)
		add_ties(change, rule, false);
}

/* All rules of that kind, where no index leads to them. */
static void
table_candidates(RowChange *change)
{
	for (int i = 0; i < change->table->nrules; i++)
	{
		if (change->table->rules[i].table)
			table_candidate(change, &change->table->rules[i]);
	}
}

typedef void (*Candidate) (RowChange *change, CaptureRule *rule);

static void
try_rules(RowChange *change, List *rules, Candidate candidate)
{
	ListCell   *lc;

	foreach(lc, rules)
	{
		CaptureRule *rule = lfirst(lc);

		if (rule->seen == change->number)
			continue;
		rule->seen = change->number;
		candidate(change, rule);
	}
}

/* Rules that ask for the value a column has in a row. */
static void
try_value(RowChange *change, Lookup *lookup, AttrNumber attnum, TupleTableSlot *slot, Candidate candidate)
{
	CaptureTable *table = change->table;
	bool		isnull = slot->tts_isnull[attnum - 1];
	Datum		value = slot->tts_values[attnum - 1];
	uint32		hash = wf_capture_hash(table, attnum, value, isnull);

	for (LookupEntry *entry = lookup->buckets[hash & lookup->mask]; entry; entry = entry->next)
	{
		if (entry->hash != hash || entry->attnum != attnum || entry->isnull != isnull)
			continue;
		if (isnull || wf_capture_equal(table, attnum, value, entry->value))
			try_rules(change, entry->rules, candidate);
	}
}

static void
try_lookup(RowChange *change, Lookup *lookup, TupleTableSlot *slot, Candidate candidate)
{
	try_rules(change, lookup->others, candidate);
	for (int i = 0; i < change->table->nwatched; i++)
	{
		AttrNumber	attnum = change->table->watched[i];

		if (COLUMN_IN(lookup->columns, attnum))
			try_value(change, lookup, attnum, slot, candidate);
	}
}

/* ----------------------------------------------------------------
 * Updates
 * ----------------------------------------------------------------
 */

static bool
value_changed(CaptureColumn *column, Datum old, Datum new)
{
	if (datumIsEqual(old, new, column->byval, column->len))
		return false;
	return column->len != -1 || !datum_image_eq(old, new, column->byval, column->len);
}

/* Bytes of a row's data up to the end of a column. */
static Size
bytes_up_to(HeapTuple tuple, TupleDesc desc, AttrNumber last)
{
	HeapTupleHeader header = tuple->t_data;
	char	   *data = (char *) header + header->t_hoff;
	Size		end = 0;

	for (int i = 0; i < last; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (HeapTupleHasNulls(tuple) && att_isnull(i, header->t_bits))
			continue;
		if (att->attlen == -1)
			end = att_align_pointer(end, att->attalign, -1, data + end);
		else
			end = att_align_nominal(end, att->attalign);
		end = att_addlength_pointer(end, att->attlen, data + end);
	}
	return end;
}

/*
 * Have the two rows the same bytes up to the last watched column?  Then no watched
 * column changed, which is seen without taking both rows apart.
 */
bool
wf_match_same_bytes(const CaptureTable *table, TupleDesc desc, HeapTuple old, HeapTuple new)
{
	AttrNumber	last = table->nwatched > 0 ? table->watched[table->nwatched - 1] : 0;
	HeapTupleHeader left = old->t_data;
	HeapTupleHeader right = new->t_data;
	Size		size;

	if (last == 0 || left->t_hoff != right->t_hoff || HeapTupleHasNulls(old) != HeapTupleHasNulls(new) ||
		HeapTupleHeaderGetNatts(left) < last || HeapTupleHeaderGetNatts(right) < last)
		return false;
	if (HeapTupleHasNulls(old) && memcmp(left->t_bits, right->t_bits, BITMAPLEN(last)) != 0)
		return false;
	size = bytes_up_to(old, desc, last);
	return left->t_hoff + size <= new->t_len &&
		memcmp((char *) left + left->t_hoff, (char *) right + right->t_hoff, size) == 0;
}

bool
wf_match_changed(RowChange *change)
{
	CaptureTable *table = change->table;
	TupleTableSlot *old = change->old_slot;
	TupleTableSlot *new = change->new_slot;
	bool		any = false;

	memset(change->changed, 0, table->nwords * sizeof(ColumnSet));
	for (int i = 0; i < table->nwatched; i++)
	{
		AttrNumber	attnum = table->watched[i];
		bool		isnull = old->tts_isnull[attnum - 1];

		if (isnull != new->tts_isnull[attnum - 1] ||
			(!isnull && value_changed(&table->columns[attnum - 1],
									  old->tts_values[attnum - 1], new->tts_values[attnum - 1])))
		{
			COLUMN_ADD(change->changed, attnum);
			any = true;
		}
	}
	change->key_changed = any && overlaps(change->changed, table->key_columns, table->nwords);
	return any;
}

/* Does an update matter to a rule with endpoints? */
static bool
endpoints_matter(RowChange *change, CaptureRule *rule)
{
	CaptureTable *table = change->table;

	if (rule->old_ends &&
		(side_holds(table, rule, true, true, change->old_slot) ||
		 side_holds(table, rule, true, true, change->new_slot)))
		return true;
	return rule->new_ends &&
		(side_holds(table, rule, false, true, change->new_slot) ||
		 side_holds(table, rule, false, true, change->old_slot));
}

/*
 * A DELETE rule is kept informed of updates, because the row that a deletion
 * later in the transaction removes is the first one; its new side never holds
 * here.
 */
static void
update_candidate(RowChange *change, CaptureRule *rule)
{
	CaptureTable *table = change->table;
	bool		updates = (rule->operations & OP_UPDATE) != 0;

	if (rule->table)
	{
		table_candidate(change, rule);
		return;
	}
	if (!rule->any && !overlaps(rule->columns, change->changed, table->nwords))
		return;
	if (rule->wake)
	{
		add_hit(change, rule, true, true, 0, 0);
		return;
	}
	if (!rule->loose && !endpoints_matter(change, rule))
		return;
	add_hit(change, rule,
			side_holds(table, rule, true, false, change->old_slot),
			updates && side_holds(table, rule, false, false, change->new_slot),
			row_print(table, rule, change->old_slot),
			updates ? row_print(table, rule, change->new_slot) : 0);
	add_all_ties(change, rule);
}

/* Probes of a changed column, in addition to those collected so far. */
static void
try_column(RowChange *change, ColumnRules *column, ColumnSet *probes)
{
	try_rules(change, column->rules, update_candidate);
	add_columns(probes, column->probes, change->table->nwords);
}

void
wf_match_update(RowChange *change)
{
	CaptureTable *table = change->table;
	ColumnSet	probes[COLUMN_WORDS(MaxHeapAttributeNumber)];

	memset(probes, 0, table->nwords * sizeof(ColumnSet));
	try_column(change, &table->any, probes);
	for (int i = 0; i < table->nwatched; i++)
	{
		if (COLUMN_IN(change->changed, table->watched[i]))
			try_column(change, &table->by_column[table->watched[i] - 1], probes);
	}
	for (int i = 0; i < table->nwatched; i++)
	{
		AttrNumber	attnum = table->watched[i];

		if (!COLUMN_IN(probes, attnum))
			continue;
		try_value(change, &table->update, attnum, change->old_slot, update_candidate);
		if (COLUMN_IN(change->changed, attnum))
			try_value(change, &table->update, attnum, change->new_slot, update_candidate);
	}
}

/* The whole group is an insert: the old side is a missing row.  It still has
 * ties: the events before this one speak of it. */
void
wf_match_born(RowChange *change)
{
	CaptureTable *table = change->table;

	for (int i = 0; i < table->nrules; i++)
	{
		CaptureRule *rule = &table->rules[i];

		if (rule->wake || rule->table || !(rule->operations & OP_INSERT) || rule->never_inserts)
			continue;
		if (!rule->reads_all && !overlaps(rule->reads, change->changed, table->nwords))
			continue;
		add_hit(change, rule, true, side_holds(table, rule, false, false, change->new_slot),
				0, row_print(table, rule, change->new_slot));
		add_all_ties(change, rule);
	}
	table_candidates(change);
}

/* ----------------------------------------------------------------
 * Inserts and deletes
 * ----------------------------------------------------------------
 */

static void
insert_candidate(RowChange *change, CaptureRule *rule)
{
	if (rule->table)
		table_candidate(change, rule);
	else if (side_holds(change->table, rule, false, false, change->new_slot))
	{
		add_hit(change, rule, true, true, 0, row_print(change->table, rule, change->new_slot));
		add_all_ties(change, rule);
	}
}

void
wf_match_insert(RowChange *change)
{
	try_lookup(change, &change->table->insert, change->new_slot, insert_candidate);
}

static void
delete_candidate(RowChange *change, CaptureRule *rule)
{
	if (rule->table)
		table_candidate(change, rule);
	else if (side_holds(change->table, rule, true, false, change->old_slot))
	{
		add_hit(change, rule, true, true, row_print(change->table, rule, change->old_slot), 0);
		add_all_ties(change, rule);
	}
}

/* Whatever became of the row meanwhile, its first version may have met the
 * rule: the reader needs to know that the row is gone. */
static void
end_of_changed_row(RowChange *change)
{
	CaptureTable *table = change->table;

	for (int i = 0; i < table->nrules; i++)
	{
		CaptureRule *rule = &table->rules[i];

		if (rule->wake || rule->table || !(rule->operations & OP_DELETE))
			continue;
		add_hit(change, rule, side_holds(table, rule, true, false, change->old_slot), !rule->never_deletes,
				row_print(table, rule, change->old_slot), 0);
		add_all_ties(change, rule);
	}
}

void
wf_match_delete(RowChange *change, bool own, bool born)
{
	CaptureTable *table = change->table;

	for (int i = 0; own && i < table->nowners; i++)
	{
		if (table->owners[i].operations & (born ? OP_INSERT : OP_UPDATE | OP_DELETE))
			(void) owner_hits(change, i);
	}
	if (own && !born)
		end_of_changed_row(change);
	if (own)
		table_candidates(change);
	else
		try_lookup(change, &table->delete, change->old_slot, delete_candidate);
	for (int i = 0; i < table->nrules && table->wakes; i++)
	{
		if (table->rules[i].wake)
			add_hit(change, &table->rules[i], true, true, 0, 0);
	}
}

/* Who waits on rows of the table is asked to look: which rows there were is not known. */
void
wf_match_truncate(RowChange *change)
{
	for (int i = 0; i < change->table->nrules; i++)
	{
		CaptureRule *rule = &change->table->rules[i];

		if (rule->table && (rule->operations & OP_DELETE))
			add_hit(change, rule, false, false, 0, 0);
	}
}
