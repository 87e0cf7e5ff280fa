/*
 * sequence.h -- draws from the engine's sequences without leaving a trace in
 * the user's session.
 */
#ifndef WF_SEQUENCE_H
#define WF_SEQUENCE_H

extern void wf_sequence_init(void);

/* Next value of a sequence of ours (INCREMENT 1, CACHE 1, NO CYCLE). */
extern int64 wf_sequence_next(Oid relid);

#endif
