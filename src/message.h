/*
 * message.h -- automation.message as the engine reads it, and what a message
 * must be like.
 *
 * Checked when it is made part of the outbox, and again before it leaves: a
 * message may be a ROW(...) somebody wrote by hand, and a row of the outbox may
 * have come from a dump.
 */
#ifndef WF_MESSAGE_H
#define WF_MESSAGE_H

#include "utils/jsonb.h"

#define MESSAGE_MAX_BODY (1024 * 1024)		/* bytes; of a mail: all parts together 25 times that */

typedef enum
{
	MESSAGE_HTTP,
	MESSAGE_MAIL
} MessageKind;

typedef struct Message
{
	MessageKind kind;
	char	   *server;					/* NULL = chosen by target */
	char	   *target;
	char	   *subject;
	char	   *body;
	Jsonb	   *headers;				/* NULL = none */
	Jsonb	   *options;				/* NULL = none */
} Message;

/* OIDs of types automation.message and automation.delivery; InvalidOid if they are gone. */
extern Oid	wf_message_type(void);
extern Oid	wf_delivery_type(void);

/* From a value of type automation.message, in the current context. */
extern Message *wf_message_read(Datum composite);

/* ERROR (22023) with a hint unless method, headers, sizes, recipients and options
 * are such as may leave.  Raises nothing in the worker: see wf_message_problem(). */
extern void wf_message_check(const Message *message);

/* The same as words, in the current context; NULL = nothing is wrong. */
extern char *wf_message_problem(const Message *message);

/* Text of an option (a string, number or boolean), NULL if it is not there. */
extern char *wf_message_option(const Jsonb *options, const char *name);

/* Is there a control character in it: what could end a line? */
extern bool wf_has_control(const char *text);

#endif
