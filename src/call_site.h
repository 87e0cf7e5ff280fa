/*
 * call_site.h -- what a session knows of the workflows it enrolls in by hand.
 */
#ifndef WF_CALL_SITE_H
#define WF_CALL_SITE_H

#include "signature.h"

typedef struct CallSite
{
	Signature  *sig;
	int			workflow;
	int			owner;					/* automation.owner.id */
	int			source;					/* of the subject's table; 0: the first argument is a value */
} CallSite;

/* As it is now; ERROR if the function can't be enrolled by.  Valid to the end
 * of the call, whatever happens in it. */
extern const CallSite *wf_call_site(Oid function);

/* Callbacks, from _PG_init(). */
extern void wf_call_site_init(void);

#endif
