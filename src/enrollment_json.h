/*
 * enrollment_json.h -- the jsonb columns of automation.enrollment.
 */
#ifndef WF_ENROLLMENT_JSON_H
#define WF_ENROLLMENT_JSON_H

#include "enrollment.h"

/* Index of a name in an array of names; ERROR for a row nobody of us wrote. */
extern int	wf_enrollment_find_name(const char *name, const char *const *names, int n);

extern Jsonb *wf_enrollment_args_to_jsonb(const Enrollment *e);
extern Jsonb *wf_enrollment_vars_to_jsonb(const Enrollment *e);
/* The texts of an array of strings, nulls and keys. */
extern char **wf_enrollment_texts_of_jsonb(Jsonb *array, int *n);

/* NULL if there is nothing to say. */
extern Jsonb *wf_enrollment_waiting_to_jsonb(const Enrollment *e);
/* Reads it into the enrollment. */
extern void wf_enrollment_waiting_of_jsonb(Enrollment *e, Jsonb *waiting);

#endif
