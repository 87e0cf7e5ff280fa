/*
 * journal.h -- tables of ours that workflows may start from: written by SQL, by the
 * engine alone, and shown by row security to whom a row concerns.
 */
#ifndef WF_JOURNAL_H
#define WF_JOURNAL_H

#include "postgres.h"

/* The table's name if it is one of them; NULL if not. */
extern const char *wf_journal_name(Oid relation);

#endif
