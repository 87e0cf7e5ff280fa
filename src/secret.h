/*
 * secret.h -- names and forms of credentials, for who enters them.
 */
#ifndef WF_SECRET_H
#define WF_SECRET_H

#include "nodes/pg_list.h"
#include "server.h"

/* What a value of that name must be, as the end of a sentence; NULL: there is no such name. */
extern const char *wf_secret_expected(const char *name);
extern List *wf_secret_names(void);

/* Takes the value (of a header, lines of "Name: value"), or says false. */
extern bool wf_secret_take(Credentials *credentials, const char *name, const char *value);

/* Do the parts contradict each other?  NULL: no. */
extern const char *wf_secret_conflict(const Credentials *credentials);

/* Takes what the file says; NULL: all is well, else why not (no words of the file). */
extern const char *wf_secret_file(Credentials *credentials, const char *path);

#endif
