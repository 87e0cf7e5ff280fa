/*
 * order.c -- who waits for whom, when a workflow is used and changed at once.
 *
 * A batch commits what it did for a workflow together; what it has not
 * committed yet, DROP FUNCTION and ALTER FUNCTION ... OWNER TO cannot see, nor
 * therefore delete or move.  So a batch shares a lock on each workflow that it
 * works for (ready.c), and that DDL takes it alone (unregister.c, register.c).
 * The wait is that of a batch, or of one long step; an executor never waits
 * longer than a batch for DDL.
 *
 * Of two sessions that replace the same function at once, the core lets the
 * second one fail ("tuple concurrently updated").  Before it comes to that the
 * hook in launcher.c takes the lock on the function that DROP and RENAME take.
 *
 * All locks are held to the end of the transaction.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/inval.h"

#include "commands.h"
#include "order.h"
#include "signature.h"
#include "store.h"

static void
lock_workflow(int workflow, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, wf_store_relid("workflow"), workflow, 0);
	(void) LockAcquire(&tag, mode, false, false);
	AcceptInvalidationMessages();
}

void
wf_order_use(int workflow)
{
	lock_workflow(workflow, AccessShareLock);
}

void
wf_order_change(int workflow)
{
	lock_workflow(workflow, AccessExclusiveLock);
}

/* The function that the statement would replace; InvalidOid if there is none. */
static Oid
function_replaced(CreateFunctionStmt *stmt)
{
	ObjectWithArgs *function = makeNode(ObjectWithArgs);
	ListCell   *cell;

	if (stmt->is_procedure || !stmt->replace)
		return InvalidOid;
	function->objname = stmt->funcname;
	foreach(cell, stmt->parameters)
	{
		FunctionParameter *parameter = lfirst(cell);

		if (parameter->mode != FUNC_PARAM_IN && parameter->mode != FUNC_PARAM_DEFAULT)
			return InvalidOid;			/* not one of ours */
		function->objargs = lappend(function->objargs, parameter->argType);
	}
	return LookupFuncWithArgs(OBJECT_FUNCTION, function, true);
}

void
wf_order_ddl(Node *stmt)
{
	Oid			function = InvalidOid;
	Oid			owner;

	if (!OidIsValid(wf_language_oid()))
		return;
	if (IsA(stmt, CreateFunctionStmt))
		function = function_replaced((CreateFunctionStmt *) stmt);
	else if (IsA(stmt, AlterFunctionStmt) && ((AlterFunctionStmt *) stmt)->objtype == OBJECT_FUNCTION)
		function = LookupFuncWithArgs(OBJECT_FUNCTION, ((AlterFunctionStmt *) stmt)->func, true);
	owner = OidIsValid(function) ? wf_routine_owner(function) : InvalidOid;
	if (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner))
		LockDatabaseObject(ProcedureRelationId, function, 0, ShareUpdateExclusiveLock);
}
