/*
 * settle.c -- automation.settle(): what became of a message, said by hand.
 *
 * For those who deliver by themselves, for mails nobody knows about whether they
 * arrived, and for tests without a network.  Runs in the caller's session, who has to
 * be a member of the role the message belongs to; takes the licence as the delivery
 * worker does, so one of the two has it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "clock.h"
#include "compat.h"
#include "delivery.h"
#include "message.h"
#include "outbox.h"
#include "owner.h"

#define MAX_ERROR 8192					/* bytes */

PG_FUNCTION_INFO_V1(wf_settle);

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/* The message, if the caller may speak for it.  Others are not told whether it exists. */
static Outgoing *
own_message(int64 id)
{
	Outgoing   *o = wf_outgoing_load(id);
	Oid			owner = o ? wf_owner_role(o->owner) : InvalidOid;

	if (o == NULL || !(superuser() || (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner))))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("message " INT64_FORMAT " does not exist", id),
				 errhint("automation.deliveries shows the messages of workflows that are yours.")));
	return o;
}

static void
check_arguments(const char *state, const char *body, const char *error)
{
	if (state == NULL || (strcmp(state, OUTGOING_SENT) != 0 && strcmp(state, OUTGOING_DEAD) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a message is settled as sent or dead")));
	if (body && strlen(body) > MESSAGE_MAX_BODY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the answer has more than %d bytes", MESSAGE_MAX_BODY)));
	if (error && strlen(error) > MAX_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the error has more than %d bytes", MAX_ERROR)));
}

/* settle(message, state, status, body, error) */
Datum
wf_settle(PG_FUNCTION_ARGS)
{
	char	   *state = text_argument(fcinfo, 1);
	char	   *body = text_argument(fcinfo, 3);
	char	   *error = text_argument(fcinfo, 4);
	TimestampTz now = wf_clock_now();
	Outgoing   *o;
	bool		unknown;
	int			attempts;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	check_arguments(state, body, error);
	o = own_message(PG_GETARG_INT64(0));
	unknown = strcmp(o->state, OUTGOING_UNKNOWN) == 0;
	if (unknown)
		o->awaited = false;				/* who waited has gone on */
	else if (wf_outgoing_is_over(o) || !wf_outgoing_take(o->id, &attempts))
		PG_RETURN_BOOL(false);
	else
		o->attempts = attempts + 1;
	o->state = state;
	o->reason = strcmp(state, OUTGOING_DEAD) == 0 ? "by_hand" : NULL;
	o->status = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	o->answer = body;
	o->error = error;
	wf_outgoing_finish(o, now);
	wf_outgoing_journal(o, now, o->reason ? o->reason : "by_hand");
	/* of one nobody knew about there is a dead letter already */
	if (o->reason && !unknown)
		wf_dead_letter(o->id, now);
	PG_RETURN_BOOL(true);
}
