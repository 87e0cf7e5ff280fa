/*
 * sign.h -- signatures of Standard Webhooks.
 */
#ifndef WF_SIGN_H
#define WF_SIGN_H

#include "postgres.h"

/* "v1,<base64>" over id.timestamp.body; NULL: the secret is not whsec_ and base64 of 24 to 64
 * bytes.  palloc'd.  timestamp: seconds since 1970. */
extern char *wf_sign(const char *secret, const char *id, int64 timestamp, const char *body, int length);
/* Is a secret of that form? */
extern bool wf_secret_valid(const char *secret);

#endif
