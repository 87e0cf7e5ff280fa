/*
 * caps.h -- how many messages may go to one recipient, and to a server in a month.
 */
#ifndef WF_CAPS_H
#define WF_CAPS_H

#include "outbox.h"
#include "server.h"

/* Of transactional messages a recipient may have so many times what the server's
 * option recipient_rate allows for marketing; of internal ones any number. */
#define TRANSACTIONAL_RATE 10

#define REASON_RECIPIENT_CAP "recipient_cap"
#define REASON_ALREADY_SENT "already_sent"
#define REASON_FREQUENCY_CAP "frequency_cap"
#define REASON_MONTHLY_CAP "monthly_cap"

/*
 * Why the message is skipped; NULL: it goes, and has been counted.  Asked once for each,
 * in the transaction that enters it, before it is entered, after everything else that could
 * stop it.  o->id, owner, server, channel, address, class, family and created_at are set;
 * nth: which of its SEND it is, from 1; once: at most one of the family per recipient.
 */
extern const char *wf_caps_reason(const Outgoing *o, const Server *server, int nth, bool once);

#endif
