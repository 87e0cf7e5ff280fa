/*
 * suppression.h -- mailboxes, whom not to write to, and tokens.
 */
#ifndef WF_SUPPRESSION_H
#define WF_SUPPRESSION_H

#include "datatype/timestamp.h"

#define CHANNEL_MAIL "mail"
#define CHANNEL_SMS "sms"
#define CLASS_MARKETING "marketing"
#define CLASS_INTERNAL "internal"

/* Exactly one mailbox in the strict subset of RFC 5321 that may be written to. */
extern bool wf_mailbox_valid(const char *mailbox);
/* What counts as the same recipient: palloc'd.  channel mail: lower case, domain in its
 * xn-- form and without trailing dot; sms: digits; others: as it is, trimmed. */
extern char *wf_address_normalize(const char *channel, const char *address);
/* SHA-256 of a normalized address, hexadecimal. */
extern char *wf_address_hash(const char *normalized);

/* Reason of the suppression that stands against it, under the latest snapshot; NULL = none.
 * owner: role.  In a transaction.  address need not be normalized. */
extern const char *wf_suppressed(Oid owner, const char *channel, const char *address, const char *class, const char *list);

/* Notes one more, unless there is the same one.  owner InvalidOid: of everybody's messages;
 * class, list NULL: of all. */
extern bool wf_suppress(Oid owner, const char *channel, const char *address, const char *class,
						const char *list, const char *reason);
/* The same of an address that is erased: its hash is all that is left. */
extern bool wf_suppress_hash(Oid owner, const char *channel, const char *hash, const char *class,
							 const char *list, const char *reason);

/*
 * Tokens: purpose 'u' unsubscribe, 'v' return path.  The text fits a URL and a local part
 * (lower-case letters, digits, hyphens), at most 60 bytes.  uid is the message's: it is part of
 * what is signed.
 *
 * Make outside a transaction uses the key that wf_token_prepare(), in a transaction, has
 * read last; NULL if it never did.
 */
extern void wf_token_prepare(void);
extern char *wf_token_make(char purpose, int64 message, const char *uid);
/* False: not ours, or not for that purpose, or of a message nobody knows any more. */
extern bool wf_token_read(char purpose, const char *token, int64 *message);

#endif
