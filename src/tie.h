/*
 * tie.h -- how a row of any table leads to the enrollments that wait for it.
 */
#ifndef WF_TIE_H
#define WF_TIE_H

#define TIE_SWEPT INT64CONST(0)		/* no tie: looked at again every automation.recheck_interval */

/* Tie of the rows whose column has a value of that hash; never TIE_SWEPT. */
extern int64 wf_tie(int source, const char *column, uint64 hash);

/* Hash of a value: equal for values that are equal by the type's default
 * operator class, and across the types of its family.  ERROR if the type has none. */
extern uint64 wf_tie_hash(Oid type, Oid collation, Datum value);

/* May any session hash it?  Only what the core hashes by itself and cannot fail. */
extern bool wf_tie_is_plain(Oid type, Oid collation);

/* Tie of all who stand on a WAIT FOR whose changes no column leads to them. */
extern int64 wf_tie_statement(int workflow, int version, int statement);

/* Tie of "automation.finished(id)". */
extern int64 wf_tie_finished(int64 id);

/* Tie of the calendars, whichever. */
extern int64 wf_tie_calendar(void);

#endif
