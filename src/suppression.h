/*
 * suppression.h -- mailboxes, whom not to write to, and tokens.
 */
#ifndef WF_SUPPRESSION_H
#define WF_SUPPRESSION_H

#include "datatype/timestamp.h"

/* Exactly one mailbox in the strict subset of RFC 5321 that may be written to. */
extern bool wf_mailbox_valid(const char *mailbox);
/* What counts as the same recipient: palloc'd. channel mail: lower case, no trailing dot ...;
 * sms: digits with +; others: as it is, trimmed. */
extern char *wf_address_normalize(const char *channel, const char *address);
/* SHA-256 of a normalized address, hexadecimal. */
extern char *wf_address_hash(const char *normalized);

/* Reason of the suppression that stands against it, under the latest snapshot; NULL = none.  owner: role. */
extern const char *wf_suppressed(Oid owner, const char *channel, const char *address, const char *class, const char *list);

/* Tokens: purpose 'u' unsubscribe, 'v' return path.  The text fits a URL and a local part
 * (letters, digits, hyphen), at most 60 bytes. */
extern char *wf_token_make(char purpose, int64 message);
/* False: not ours, or not for that purpose. */
extern bool wf_token_read(char purpose, const char *token, int64 *message);

#endif
