/*
 * stored.h -- text of values that are kept while their types may change.
 */
#ifndef WF_STORED_H
#define WF_STORED_H

extern char *wf_stored_out(Datum value, Oid type);

/* An attribute that the value doesn't know is NULL; error if attributes may
 * have got new names. */
extern Datum wf_stored_in(const char *text, Oid type, int32 typmod);

#endif
