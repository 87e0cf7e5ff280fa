/*
 * json_member.c -- members of an object of jsonb that is being built.
 *
 * Called by all rooms that write one: details of the history, arguments of events and
 * jobs, options of messages.  Takes memory of the current context; errors: what is too
 * long for jsonb.
 */
#include "postgres.h"

#include "utils/numeric.h"

#include "compat.h"
#include "json_member.h"

void
wf_json_key(JsonbParseState **state, const char *key)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	(void) pushJsonbValue(state, WJB_KEY, &value);
}

void
wf_json_value(JsonbParseState **state, const char *key, JsonbValue *value)
{
	wf_json_key(state, key);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

void
wf_json_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value = {.type = text ? jbvString : jbvNull};

	if (text)
	{
		value.val.string.val = unconstify(char *, text);
		value.val.string.len = strlen(text);
	}
	wf_json_value(state, key, &value);
}

void
wf_json_number(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value = {.type = jbvNumeric};

	value.val.numeric = int64_to_numeric(number);
	wf_json_value(state, key, &value);
}
