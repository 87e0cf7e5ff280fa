/*
 * kit_body.c -- bodies of the CRM's SQL functions, which install_crm() has had
 * parsed, become text.
 *
 * A function with a parsed body holds on to the columns it reads: their types can't
 * be altered, and no column with a default can be added to a table whose rows it
 * takes, while columns are what users add.  So the body that was parsed, and so
 * checked, is written out, every name with its schema, but those of pg_catalog.
 * (So is * : a function whose rows are a table's selects the row, not its columns.)
 *
 * Text is parsed again by whoever calls it, with his search_path.  A name of
 * pg_catalog is found there first, yet a function of the same name in another
 * schema of the path takes its place where its arguments fit better: where
 * pg_catalog's are of any type.  So a body with such a call gets a search_path of
 * its own; the others do not, and can be inlined.
 *
 * Called with an SPI connection, as the owner, with an empty search_path. Memory is the caller's
 * context; locks are those of CREATE OR REPLACE FUNCTION.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "kit.h"

/* The type of an expression as it is written: without a conversion that is not. */
static Oid
written_type(Node *node)
{
	for (;;)
	{
		if (IsA(node, RelabelType) && ((RelabelType *) node)->relabelformat == COERCE_IMPLICIT_CAST)
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcformat == COERCE_IMPLICIT_CAST)
			node = linitial(((FuncExpr *) node)->args);
		else if (IsA(node, CoerceViaIO) && ((CoerceViaIO *) node)->coerceformat == COERCE_IMPLICIT_CAST)
			node = (Node *) ((CoerceViaIO *) node)->arg;
		else
			return exprType(node);
	}
}

static List *
written_types(List *args)
{
	List	   *types = NIL;
	ListCell   *cell;

	foreach(cell, args)
		types = lappend_oid(types, written_type(lfirst(cell)));
	return types;
}

/* Could a function of another schema fit these arguments better than this one? */
static bool
function_is_open(Oid function, List *types)
{
	Oid		   *declared;
	int			n;
	ListCell   *cell;
	int			i = 0;

	if (get_func_namespace(function) != PG_CATALOG_NAMESPACE)
		return false;
	(void) get_func_signature(function, &declared, &n);
	if (n != list_length(types) || OidIsValid(get_func_variadictype(function)))
		return true;
	foreach(cell, types)
		if (lfirst_oid(cell) != declared[i++])
			return true;
	return false;
}

static bool
operator_is_open(Oid operator, Oid left, Oid right)
{
	Oid			declared_left;
	Oid			declared_right;

	op_input_types(operator, &declared_left, &declared_right);
	return left != declared_left || right != declared_right;
}

static bool
open_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, open_walker, context, 0);
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcformat == COERCE_EXPLICIT_CALL &&
		function_is_open(((FuncExpr *) node)->funcid, written_types(((FuncExpr *) node)->args)))
		return true;
	if (IsA(node, WindowFunc) && function_is_open(((WindowFunc *) node)->winfnoid, written_types(((WindowFunc *) node)->args)))
		return true;
	if (IsA(node, Aggref) && function_is_open(((Aggref *) node)->aggfnoid, ((Aggref *) node)->aggargtypes))
		return true;
	/* DistinctExpr and NullIfExpr are the same struct */
	if (IsA(node, OpExpr) || IsA(node, DistinctExpr) || IsA(node, NullIfExpr))
	{
		OpExpr	   *op = (OpExpr *) node;
		List	   *types = written_types(op->args);

		if (operator_is_open(op->opno, list_length(types) == 2 ? linitial_oid(types) : InvalidOid, llast_oid(types)))
			return true;
	}
	if (IsA(node, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) node;

		if (operator_is_open(op->opno, written_type(linitial(op->args)), get_base_element_type(written_type(lsecond(op->args)))))
			return true;
	}
	if (IsA(node, RowCompareExpr))
		return true;
	return expression_tree_walker(node, open_walker, context);
}

/* Does the parsed body have a call that a search_path decides? */
static bool
body_is_open(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Datum		body;
	bool		isnull;
	bool		open;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &isnull);
	open = !isnull && open_walker(stringToNode(TextDatumGetCString(body)), NULL);
	ReleaseSysCache(tuple);
	return open;
}

/* path is a search_path as SQL writes it, for bodies whose meaning depends on one. */
void
wf_kit_body_to_text(Oid function, const char *path)
{
	char	   *definition = TextDatumGetCString(DirectFunctionCall1(pg_get_functiondef, ObjectIdGetDatum(function)));
	char	   *body = TextDatumGetCString(DirectFunctionCall1(pg_get_function_sqlbody, ObjectIdGetDatum(function)));
	char	   *at = strstr(definition, body);
	const char *setting = body_is_open(function) ? psprintf("SET search_path TO %s ", path) : "";

	/* the body is the last part */
	while (at != NULL && strlen(at) > strlen(body) + 1)
		at = strstr(at + 1, body);
	if (at == NULL)
		elog(ERROR, "unexpected definition of function %u", function);
	*at = '\0';
	if (strncmp(body, "RETURN ", 7) == 0)
		body = psprintf("SELECT %s", body + 7);
	else
	{
		body += strlen("BEGIN ATOMIC");
		body = pnstrdup(body, strlen(body) - strlen("END"));
	}
	SPI_execute(psprintf("%s%sAS %s", definition, setting, quote_literal_cstr(body)), false, 0);
}
