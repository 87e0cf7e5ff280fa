/*
 * inbound.h -- what came back about messages.
 */
#ifndef WF_INBOUND_H
#define WF_INBOUND_H

#include "outbox.h"

/* An erased address in automation.outgoing and inbound: this and its hash. */
#define ERASED "sha256:"

/*
 * The receiving server refused the recipient for good (hard), or for now: recorded in
 * automation.inbound, and suppressed as record_inbound() does.  In a transaction; for
 * the delivery worker, whose message it is.
 */
extern void wf_inbound_bounce(const Outgoing *o, bool hard, TimestampTz now);

/* sent_link.c: the message; if it is removed, what its tokens say, as far as that is kept; NULL otherwise. */
extern Outgoing *wf_sent_link_load(int64 message);
/* Of messages that are about to be removed, "{1,2}"; and clearing, a part each time. */
extern void wf_sent_link_keep(const char *ids);
extern void wf_sent_link_remove_old(TimestampTz now);

#endif
