/*
 * json_member.h -- members of an object of jsonb that is being built.
 *
 * Between pushJsonbValue(.., WJB_BEGIN_OBJECT, ..) and WJB_END_OBJECT.  Keys and texts
 * are not copied: they live until the object is made of them.
 */
#ifndef WF_JSON_MEMBER_H
#define WF_JSON_MEMBER_H

#include "utils/jsonb.h"

/* Its value is to follow. */
extern void wf_json_key(JsonbParseState **state, const char *key);

extern void wf_json_value(JsonbParseState **state, const char *key, JsonbValue *value);

/* NULL: null */
extern void wf_json_text(JsonbParseState **state, const char *key, const char *text);

extern void wf_json_number(JsonbParseState **state, const char *key, int64 number);

#endif
