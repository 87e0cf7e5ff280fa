/*
 * subject.h -- reading a live row by its key, with the owner's rights.
 */
#ifndef WF_SUBJECT_H
#define WF_SUBJECT_H

#include "signature.h"

typedef enum
{
	SUBJECT_FOUND,
	SUBJECT_GONE,
	SUBJECT_NOT_VISIBLE					/* exists, but not for this user */
} SubjectState;

/* Reads the row as the current user sees it now (own changes included);
 * *row is a composite datum in the current context.  *tid, unless NULL, is where
 * it was found; invalid if that is not known. */
extern SubjectState wf_subject_fetch(const Argument *arg, const char *key, Datum *row, ItemPointer tid);

/* May the current user read every row and column of the table, and no row
 * security applies to him? */
extern bool wf_subject_reads_all(Oid relation);

/* automation.source.id of the argument's table; 0 = unknown. */
extern int	wf_subject_source(const Argument *arg);

/* Rights and ids are looked up once a batch. */
extern void wf_subject_new_batch(void);

/*
 * The key as the stored row has it, or as given if there is no such row to see.
 * Enrollments are found by the text of the key, and equal values of some types
 * (numeric, citext ...) have several texts.
 */
extern char *wf_subject_key(const Argument *arg, char *key);

#endif
