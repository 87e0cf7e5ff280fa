/*
 * signature.h -- what pg_proc says about a workflow function.
 */
#ifndef WF_SIGNATURE_H
#define WF_SIGNATURE_H

#include "access/htup.h"
#include "key.h"
#include "utils/array.h"

typedef struct Argument
{
	char	   *name;
	Oid			type;
	bool		is_row;					/* a table's row type: live, kept by key */
	Oid			relation;				/* of is_row */
	KeyColumns	key;					/* of is_row, attnums in relation */
	bool		has_default;
	char	   *default_text;			/* not filled here */
} Argument;

typedef struct Signature
{
	Oid			function;
	Oid			owner;
	Oid			nspace;
	char	   *name;					/* unqualified */
	char	   *text;					/* identity: format_procedure_qualified */
	char	   *source;					/* prosrc */
	ArrayType  *config;					/* proconfig or NULL */
	int			nargs;
	Argument   *args;
} Signature;

/* Loads it into the current memory context; NULL if the function is gone or
 * not of LANGUAGE workflow.  Checks nothing. */
extern Signature *wf_signature_load(Oid function);

/* Is a row of one of these tables an argument of the function?  Locks nothing. */
extern bool wf_signature_has_row(Oid function, List *relations);

/* ERROR unless attributes are those of a workflow: plain function, RETURNS
 * bigint, VOLATILE, not SECURITY DEFINER, SETOF, LEAKPROOF, PARALLEL SAFE; arguments
 * named, IN only; row arguments with primary key ... (messages 25). */
extern void wf_signature_check(const Signature *sig);

/* Default expressions of the arguments, evaluated now as the current user:
 * value texts by argument, NULL entry = no default or NULL (*isnull). */
extern char *wf_signature_default(const Signature *sig, int arg, bool *isnull);

/* OID of LANGUAGE workflow; InvalidOid if the extension is absent. */
extern Oid	wf_language_oid(void);

#endif
