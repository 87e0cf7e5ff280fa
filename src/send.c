/*
 * send.c -- SEND: rows of automation.message become messages of the outbox, and
 * SEND .. INTO waits for what becomes of one.
 *
 * Called by interp.c and interp_wait.c inside the executor's batch, as the
 * workflow's owner, with the workflow's path and time zone in force.  The rows are
 * all selected before the first is entered, so no user code runs in between.  A
 * row that is no proper message, or whose server the owner may not use, is an
 * ERROR: the step fails and nothing of it is sent.  Whom nobody may write to, or who has
 * no address one could write to, is no error: that message is skipped, with a reason.
 *
 * What is entered is frozen: the URL is whole and canonical, the server is named,
 * the moment it may leave is computed.  From here on only the outbox writes it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "caps.h"
#include "clock.h"
#include "compat.h"
#include "interp_wait.h"
#include "mail.h"
#include "message.h"
#include "opening.h"
#include "outbox.h"
#include "owner.h"
#include "send.h"
#include "server.h"
#include "suppression.h"

#define LEGIBLE 320						/* bytes of a bad address */
#define CLASS_OF_HTTP "internal"
#define CLASS_OF_MAIL "marketing"

/* A server that this statement has sent something to. */
typedef struct UsedServer
{
	Server	   *server;
	int			messages;
} UsedServer;

/* One SEND statement at work. */
typedef struct Sending
{
	Run		   *run;
	const Instruction *ins;
	Oid			role;
	TimestampTz due;					/* when they may leave */
	List	   *servers;				/* of UsedServer * */
	MemoryContext context;				/* of the statement */
	int			messages;
	Outgoing	last;					/* the one entered last */
} Sending;

/* --- which server --- */

static void
refuse(const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", what),
			 errhint("%s", hint)));
}

/* Name of the server a message goes to. */
static char *
choose_server(const Sending *sending, const Message *message)
{
	char	   *name = message->server;

	if (name)
		return name;
	if (message->kind == MESSAGE_MAIL)
	{
		name = wf_server_default_mail();
		if (name == NULL)
			refuse("no server for mail is named", "Name one in the message, or set automation.mail_server.");
		return name;
	}
	name = wf_server_for(sending->role, message->target);
	if (name == NULL)
		refuse("no server that the workflow's owner may use covers the URL of this message",
			   "CREATE SERVER ... FOREIGN DATA WRAPPER automation OPTIONS (url '...') and GRANT USAGE ON FOREIGN SERVER to the owner, or name a server in the message.");
	return name;
}

static UsedServer *
find_server(const Sending *sending, const char *name)
{
	ListCell   *lc;

	foreach(lc, sending->servers)
		if (strcmp(((UsedServer *) lfirst(lc))->server->name, name) == 0)
			return lfirst(lc);
	return NULL;
}

/* The server, which the workflow's owner may use now. */
static UsedServer *
use_server(Sending *sending, const char *name)
{
	UsedServer *used = find_server(sending, name);
	MemoryContext old;

	if (used)
		return used;
	old = MemoryContextSwitchTo(sending->context);
	used = palloc0(sizeof(UsedServer));
	used->server = wf_server_load(name);
	if (used->server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist, or is none of foreign-data wrapper automation", name),
				 errhint("CREATE SERVER ... FOREIGN DATA WRAPPER automation.")));
	if (!wf_server_usable(used->server, sending->role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", name),
				 errhint("GRANT USAGE ON FOREIGN SERVER to the workflow's owner, %s.",
						 GetUserNameFromId(sending->role, false))));
	sending->servers = lappend(sending->servers, used);
	MemoryContextSwitchTo(old);
	return used;
}

static void
check_type(const Server *server, const Message *message)
{
	if ((server->type == SERVER_SMTP) == (message->kind == MESSAGE_MAIL))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("server \"%s\" does not send messages of kind %s", server->name,
					message->kind == MESSAGE_MAIL ? "mail" : "http"),
			 errhint("Mail goes to servers of type smtp, everything else to those of type http.")));
}

static void
check_class(const Server *server, const char *class)
{
	ListCell   *lc;

	if (server->classes == NIL)
		return;
	foreach(lc, server->classes)
		if (strcmp(lfirst(lc), class) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("server \"%s\" does not send messages of class %s", server->name, class),
			 errhint("Its option class says which it sends.")));
}

/* Is the sender among those the server sends for? */
static void
check_sender(const Server *server, const char *from)
{
	const char *domain = from ? strrchr(from, '@') : NULL;
	ListCell   *lc;

	if (server->from == NIL || from == NULL)
		return;
	foreach(lc, server->from)
	{
		const char *allowed = lfirst(lc);

		if (pg_strcasecmp(allowed, from) == 0 ||
			(allowed[0] == '@' && domain && pg_strcasecmp(allowed, domain) == 0))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("server \"%s\" does not send for this sender", server->name),
			 errhint("Its option from says for whom it sends.")));
}

/* What is kept of an address that is none: what a person needs to find it. */
static char *
legible(const char *text)
{
	char	   *kept = pnstrdup(text, pg_mbcliplen(text, strlen(text), LEGIBLE));

	for (char *c = kept; *c; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
			*c = '?';
	return kept;
}

/* The URL as it will be asked for; of a mail its recipient. */
static char *
final_target(const Server *server, const Message *message)
{
	const char *problem = NULL;
	char	   *url;

	if (message->kind == MESSAGE_MAIL)
		return message->target == NULL ? "" : wf_mailbox_valid(message->target) ? message->target : legible(message->target);
	url = wf_server_url(server, message->target, &problem);
	if (url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" does not cover the URL of this message: %s", server->name, problem),
				 errhint("Look at the server's option url.")));
	return url;
}

/* --- one message --- */

/* The end of its time, from when it may leave. */
static TimestampTz
expiry(const Server *server, const char *expires, TimestampTz due)
{
	Datum		interval;

	if (expires == NULL)
		return server->expires > 0 ? due + server->expires : 0;
	interval = DirectFunctionCall3(interval_in, CStringGetDatum(expires), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return wf_clock_plus(due, DatumGetIntervalP(interval));
}

/* Whom it is for, as suppressions know him; NULL: nobody who could be suppressed. */
static char *
recipient(const Message *message, const char *channel)
{
	const char *address = message->kind == MESSAGE_MAIL ? message->target : wf_message_option(message->options, "address");

	if (address && message->kind == MESSAGE_MAIL && !wf_mailbox_valid(address))
		address = legible(address);
	return address ? wf_address_normalize(channel, address) : NULL;
}

static void
describe(Outgoing *o, const Sending *sending, const Message *message, const Server *server)
{
	const char *class = wf_message_option(message->options, "class");
	const char *channel = wf_message_option(message->options, "channel");
	bool		mail = message->kind == MESSAGE_MAIL;

	o->kind = mail ? "mail" : "http";
	o->server = server->name;
	o->target = final_target(server, message);
	o->channel = pstrdup(channel ? channel : o->kind);
	o->address = recipient(message, o->channel);
	o->class = pstrdup(class ? class : mail ? CLASS_OF_MAIL : CLASS_OF_HTTP);
	o->list = wf_message_option(message->options, "list");
	o->family = wf_message_option(message->options, "family");
	o->variant = wf_message_option(message->options, "variant");
	o->ordering_key = wf_message_option(message->options, "ordering_key");
	o->subject = message->subject;
	o->body = message->body;
	o->headers = message->headers;
	o->options = message->options;
	o->expires_at = expiry(server, wf_message_option(message->options, "expires"), sending->due);
}

/* Where it comes from. */
static void
attribute(Outgoing *o, const Sending *sending)
{
	const Enrollment *e = sending->run->e;

	o->id = wf_outgoing_new_id();
	o->uid = wf_outgoing_new_uid();
	o->owner = e->owner;
	o->workflow = e->workflow;
	o->version = e->version;
	o->enrollment = e->id;
	o->epoch = e->epoch;
	o->statement = e->statement;
	o->source = e->source;
	o->key = e->key;
	o->created_at = sending->run->now;
	o->awaited = sending->ins->nvars > 0;
	o->send_window = unconstify(char *, sending->run->program->send_window);
	if (o->send_window)
		o->zone = pstrdup(pg_get_timezone_name(session_timezone));
}

/* Nobody there: what a row has for an address is none, or not one. */
static const char *
address_problem(const Outgoing *o)
{
	bool		mail = strcmp(o->kind, "mail") == 0;
	bool		sms = strcmp(o->channel, "sms") == 0;

	if (o->address == NULL)
		return mail || sms ? "no_address" : NULL;
	if ((mail && !wf_mailbox_valid(o->target)) || (sms && *o->address == '\0'))
		return "invalid_address";
	return NULL;
}

/*
 * Who made the message may know that it is not to be sent: email() could not write it, a
 * library of the user's knows who has not subscribed.  Only codes of ours, which the
 * journal has words for.
 */
static const char *
asked_to_skip(const Outgoing *o)
{
	static const char *const codes[] = {"missing_token", "not_subscribed", "not_marketing"};
	const char *skip = wf_message_option(o->options, "skip");

	for (int i = 0; skip && i < lengthof(codes); i++)
		if (strcmp(skip, codes[i]) == 0)
			return codes[i];
	return skip ? codes[0] : NULL;
}

/* Why it is not to be sent; NULL: it is. */
static const char *
why_skipped(const Sending *sending, const UsedServer *used, const Outgoing *o)
{
	const char *once = wf_message_option(o->options, "once");
	const char *problem = address_problem(o);

	if (problem)
		return problem;
	problem = asked_to_skip(o);
	if (problem)
		return problem;
	if (o->address && wf_suppressed(sending->role, o->channel, o->address, o->class, o->list))
		return "suppressed";
	return wf_caps_reason(o, used->server, used->messages + 1, once && strcmp(once, "true") == 0);
}

static void
send_message(Sending *sending, Datum composite)
{
	Message    *message = wf_message_read(composite);
	Outgoing	o = {0};
	UsedServer *used;
	const char *skipped;

	wf_message_check(message);
	used = use_server(sending, choose_server(sending, message));
	check_type(used->server, message);
	describe(&o, sending, message, used->server);
	check_class(used->server, o.class);
	if (message->kind == MESSAGE_MAIL)
		check_sender(used->server, wf_message_option(message->options, "from"));
	attribute(&o, sending);
	skipped = why_skipped(sending, used, &o);
	o.state = skipped ? OUTGOING_SKIPPED : OUTGOING_QUEUED;
	o.reason = unconstify(char *, skipped);
	o.finished_at = skipped ? sending->run->now : 0;
	if (!skipped && message->kind == MESSAGE_MAIL)
		wf_mail_complete(&o, used->server);
	wf_outgoing_insert(&o, sending->due);
	if (skipped)
		wf_outgoing_journal(&o, sending->run->now, skipped);
	else
		used->messages++;
	sending->last = o;
}

/* --- the statement --- */

/* The rows, before anything is entered. */
static Tuplestorestate *
select_rows(Run *run, const Instruction *ins)
{
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
	DestReceiver *receiver = CreateDestReceiver(DestTuplestore);

	SetTuplestoreDestReceiverParams(receiver, rows, CurrentMemoryContext, true, NULL, NULL);
	SPI_connect();
	wf_sql_send(ins->sql, run->frame, receiver);
	SPI_finish();
	receiver->rDestroy(receiver);
	wf_frame_touch(run->frame);
	run->exits_due = run->program->nexits > 0;
	run->goals_due = run->program->ngoals > 0;
	return rows;
}

/* When messages of now may leave. */
static TimestampTz
due_time(const Run *run)
{
	const char *window = run->program->send_window;
	TimestampTz due;

	if (window == NULL)
		return run->now;
	due = wf_opening_for_message(window, pg_get_timezone_name(session_timezone), run->now, run->e->key);
	if (due == 0)
		refuse("the hours of SEND DURING do not come for more than a year",
			   "Look at the holidays of calendar \"default\".");
	return due;
}

static void
enter_row(Sending *sending, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, 1, &isnull);

	if (isnull)
		return;
	if (sending->ins->nvars > 0 && sending->messages > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_ROWS),
				 errmsg("SEND .. INTO takes one message, the query returned more"),
				 errhint("SEND without INTO sends one for each row.")));
	sending->messages++;
	send_message(sending, value);
}

/* Enters them, each in memory of its own. */
static void
enter_rows(Sending *sending, Tuplestorestate *rows, TupleDesc desc)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "automation message", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;

	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (sending->ins->nvars == 0)
			MemoryContextReset(row_context);
		MemoryContextSwitchTo(row_context);
		enter_row(sending, slot);
		MemoryContextSwitchTo(old);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(rows);
}

/* --- INTO --- */

static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text)
		values[column] = CStringGetTextDatum(text);
}

/* automation.delivery of a message; state as the views show it. */
static Datum
delivery_of(const Outgoing *o, const char *state, Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	memset(nulls, true, desc->natts * sizeof(bool));
	values[0] = Int64GetDatum(o->id);
	nulls[0] = false;
	set_text(values, nulls, 1, state);
	values[2] = Int32GetDatum(o->status);
	nulls[2] = o->status == 0;
	values[3] = PointerGetDatum(o->answer_headers);
	nulls[3] = o->answer_headers == NULL;
	set_text(values, nulls, 4, o->answer);
	set_text(values, nulls, 5, o->error ? o->error : o->reason);
	return heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
}

/* INTO and FOUND; o NULL: there is no message. */
static void
set_delivery(Run *run, const Instruction *ins, const Outgoing *o, const char *state)
{
	MemoryContext old;
	Oid			type;

	if (ins->nvars > 0)
	{
		old = MemoryContextSwitchTo(run->frame->context);
		type = run->program->vars[ins->vars[0]].type;
		wf_frame_set(run->frame, PARAM_VAR(run->program->sig, ins->vars[0]), type,
					 o ? delivery_of(o, state, type) : (Datum) 0, o == NULL);
		MemoryContextSwitchTo(old);
	}
	wf_run_set_found(run, o != NULL && strcmp(o->state, OUTGOING_SENT) == 0);
}

/* Its limit; 0 = none. */
static TimestampTz
limit(Run *run, const Instruction *ins, TimestampTz due)
{
	bool		isnull;
	Datum		interval;

	if (ins->timeout == NULL)
		return 0;
	interval = wf_expr_eval(ins->timeout, run->frame, &isnull);
	return isnull ? 0 : wf_clock_plus(due, DatumGetIntervalP(interval));
}

/* Waits for the message, unless there is none or it is over. */
static bool
begin_wait(Sending *sending)
{
	Run		   *run = sending->run;
	Enrollment *e = run->e;
	const Outgoing *o = sending->messages > 0 ? &sending->last : NULL;

	wf_wait_clear(e);
	if (o == NULL || wf_outgoing_is_over(o))
	{
		set_delivery(run, sending->ins, o, o ? o->state : NULL);
		return false;
	}
	e->waiting = WAITING_DELIVERY;
	e->delivery = o->id;
	e->began = sending->due;
	e->waits_for = psprintf("message " INT64_FORMAT, o->id);
	e->deadline = limit(run, sending->ins, sending->due);
	e->wake_at = e->deadline;
	return true;
}

bool
wf_send_run(Run *run, const Instruction *ins)
{
	Sending		sending = {.run = run,.ins = ins};
	Tuplestorestate *rows = select_rows(run, ins);
	TupleDesc	desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "message", wf_message_type(), -1, 0);
	sending.role = wf_owner_role(run->e->owner);
	sending.context = CurrentMemoryContext;
	sending.due = due_time(run);
	enter_rows(&sending, rows, desc);
	return ins->nvars > 0 && begin_wait(&sending);
}

/* --- while it waits --- */

/* Its time is over: what has not left is not to leave any more. */
static Outgoing *
give_up(Run *run, const char **state)
{
	bool		cancelled = wf_outgoing_cancel_quietly(run->e->delivery, "timeout", run->now);
	Outgoing   *o = wf_outgoing_load(run->e->delivery);

	if (o)
		*state = cancelled || wf_outgoing_is_over(o) ? o->state : "started";
	return o;
}

WakeResult
wf_send_wake(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	Outgoing   *o = wf_outgoing_load(e->delivery);
	const char *state = o ? o->state : NULL;

	if (o && !wf_outgoing_is_over(o))
	{
		if (ins->nvars > 0 && (e->deadline == 0 || run->now < e->deadline))
			return WAKE_STAYS;
		if (ins->nvars > 0)
			o = give_up(run, &state);
	}
	else
		e->deadline = 0;				/* it was not the time that ended the wait */
	set_delivery(run, ins, o, state);
	return WAKE_RESUMES;
}

WakeResult
wf_send_take_over(Run *run, const Instruction *ins)
{
	Enrollment *e = run->e;
	WakeResult	result;

	e->deadline = limit(run, ins, e->began);
	e->wake_at = e->deadline;
	result = wf_send_wake(run, ins);
	return result == WAKE_STAYS ? WAKE_MOVED : result;
}
