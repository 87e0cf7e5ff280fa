/*
 * jump.c -- counters of GO TO, kept with the enrollment.
 *
 * Called by interp.c at each backward jump, by resume.c when a person lets go
 * what ran into the limit, and by crossing.c. The counters are a jsonb object:
 * ordinal of the GO TO -> [number of jumps, microseconds of the first one].
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "json_member.h"
#include "jump.h"

typedef struct Counter
{
	int			ordinal;
	int64		n;
	int64		first;
} Counter;

static int64
number_of(const JsonbValue *value)
{
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

/* Reads all counters; room for one more is allocated. */
static Counter *
read_counters(Jsonb *jumps, int *n)
{
	Counter    *counters;
	JsonbIterator *it;
	JsonbValue	value;
	JsonbIteratorToken token;
	int			field = 0;

	*n = 0;
	if (jumps == NULL)
		return palloc0(sizeof(Counter));
	counters = palloc0(sizeof(Counter) * (JB_ROOT_COUNT(jumps) + 1));
	it = JsonbIteratorInit(&jumps->root);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			counters[*n].ordinal = pg_strtoint32(pnstrdup(value.val.string.val, value.val.string.len));
			field = 0;
		}
		else if (token == WJB_ELEM && value.type == jbvNumeric)
		{
			if (field++ == 0)
				counters[*n].n = number_of(&value);
			else
				counters[*n].first = number_of(&value);
		}
		else if (token == WJB_END_ARRAY)
			(*n)++;
	}
	return counters;
}

static void
push_number(JsonbParseState **state, int64 number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(state, WJB_ELEM, &value);
}

static Jsonb *
write_counters(const Counter *counters, int n)
{
	JsonbParseState *state = NULL;
	int			i;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (i = 0; i < n; i++)
	{
		wf_json_key(&state, psprintf("%d", counters[i].ordinal));
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		push_number(&state, counters[i].n);
		push_number(&state, counters[i].first);
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Has the window of "per" from "first" ended? */
static bool
window_over(int64 first, TimestampTz now, const Interval *per)
{
	TimestampTz end;

	if (per == NULL)
		return false;
	end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												  TimestampTzGetDatum(first),
												  IntervalPGetDatum(unconstify(Interval *, per))));
	return end <= now;
}

/* Counts a jump; see jump.h. */
bool
wf_jump_count(Jsonb **jumps, int ordinal, TimestampTz now, int most, const Interval *per)
{
	int			n;
	Counter    *counters = read_counters(*jumps, &n);
	Counter    *mine = NULL;
	int			i;

	for (i = 0; i < n; i++)
		if (counters[i].ordinal == ordinal)
			mine = &counters[i];
	if (mine == NULL)
	{
		mine = &counters[n++];
		mine->ordinal = ordinal;
	}
	if (mine->n > 0 && window_over(mine->first, now, per))
		mine->n = 0;
	if (mine->n >= most)
		return false;
	if (mine->n++ == 0)
		mine->first = now;
	*jumps = write_counters(counters, n);
	return true;
}

/* Forgets the jumps of one statement; see jump.h. */
void
wf_jump_forget(Jsonb **jumps, int ordinal)
{
	int			n;
	Counter    *counters = read_counters(*jumps, &n);
	int			i;

	for (i = 0; i < n; i++)
		if (counters[i].ordinal == ordinal)
			counters[i].n = 0;
	if (n > 0)
		*jumps = write_counters(counters, n);
}

/* Other ordinals in another version; see jump.h. */
void
wf_jump_renumber(Jsonb **jumps, int n, const int *target)
{
	int			counted;
	Counter    *counters = read_counters(*jumps, &counted);
	int			kept = 0;

	for (int i = 0; i < counted; i++)
	{
		int			ordinal = counters[i].ordinal;

		if (ordinal < 1 || ordinal > n || target[ordinal] == 0)
			continue;
		counters[kept] = counters[i];
		counters[kept++].ordinal = target[ordinal];
	}
	*jumps = kept > 0 ? write_counters(counters, kept) : NULL;
}
