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
 * *row is a composite datum in the current context. */
extern SubjectState wf_subject_fetch(const Argument *arg, const char *key, Datum *row);

/* Rights are looked up once a batch. */
extern void wf_subject_new_batch(void);

#endif
