/*
 * send.h -- SEND: rows of automation.message become messages of the outbox.
 */
#ifndef WF_SEND_H
#define WF_SEND_H

#include "interp.h"

/* Carries out a SEND statement.  True: INTO waits for the delivery, and e says so. */
extern bool wf_send_run(Run *run, const Instruction *ins);

/* Is the delivery over that SEND .. INTO waits for, or its time?  Then INTO and FOUND are set. */
extern WakeResult wf_send_wake(Run *run, const Instruction *ins);

/* The wait goes on in another version: its limit is that one's. */
extern WakeResult wf_send_take_over(Run *run, const Instruction *ins);

#endif
