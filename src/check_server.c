/*
 * check_server.c -- at definition: will what SEND makes find a server?
 *
 * Called by check_statement.c, as the workflow's owner, for CREATE and ALTER FUNCTION
 * only.  Looked at are constants among the arguments "server" and "url" of the
 * extension's own functions, by the names of these arguments; the rest is known when it
 * is sent.  Servers and rights may come later, so nothing here is an error:
 * SEND itself raises that.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "check_internal.h"
#include "compat.h"
#include "server.h"
#include "store.h"
#include "url.h"

/* The value of a constant of type text, NULL if it is none. */
static char *
constant(Node *node)
{
	Const	   *value = (Const *) node;

	if (node == NULL || !IsA(node, Const) || value->constisnull || value->consttype != TEXTOID)
		return NULL;
	return TextDatumGetCString(value->constvalue);
}

/* The default of the argument at a place; NULL if there is none. */
static Node *
default_of(HeapTuple tuple, int place)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	int			first = form->pronargs - form->pronargdefaults;
	bool		isnull;
	Datum		value;

	if (place < first || place >= form->pronargs)
		return NULL;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &isnull);
	if (isnull)
		return NULL;
	return list_nth((List *) stringToNode(TextDatumGetCString(value)), place - first);
}

/* What the call gives for the argument of that name; *found: has the function such a one? */
static Node *
argument(HeapTuple tuple, const FuncExpr *call, const char *name, bool *found)
{
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n = get_func_arg_info(tuple, &types, &names, &modes);
	ListCell   *cell;
	int			place = 0;

	*found = false;
	for (int i = 0; i < n && names; i++)
	{
		if (modes && modes[i] != PROARGMODE_IN && modes[i] != PROARGMODE_INOUT && modes[i] != PROARGMODE_VARIADIC)
			continue;
		if (strcmp(names[i], name) == 0)
		{
			*found = true;
			break;
		}
		place++;
	}
	if (!*found)
		return NULL;
	foreach(cell, call->args)
	{
		Node	   *arg = lfirst(cell);

		if (IsA(arg, NamedArgExpr) ? strcmp(((NamedArgExpr *) arg)->name, name) == 0 :
			foreach_current_index(cell) == place)
			return IsA(arg, NamedArgExpr) ? (Node *) ((NamedArgExpr *) arg)->arg : arg;
	}
	return default_of(tuple, place);
}

static bool
warn_of_server(const char *name, const Server *server)
{
	if (server == NULL)
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no server \"%s\" that could be sent to", name),
				 errhint("SEND fails until there is one. Create it: CREATE SERVER %s FOREIGN DATA WRAPPER automation OPTIONS (url '...').",
						 quote_identifier(name))));
	else if (!wf_server_usable(server, GetUserId()))
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not send to server \"%s\"", GetUserNameFromId(GetUserId(), true), name),
				 errhint("SEND fails until it may. Allow it: GRANT USAGE ON FOREIGN SERVER %s TO %s.",
						 quote_identifier(name), quote_identifier(GetUserNameFromId(GetUserId(), true)))));
	else
		return false;
	return true;
}

/* A whole address, without a server or with one that does not cover it. */
static void
warn_of_url(const char *text, const Server *server)
{
	const char *problem;
	Url		   *url = wf_url_parse(text, &problem);

	if (url == NULL)
		ereport(WARNING,
				(errmsg("nothing can be sent to the URL of this SEND: %s", problem)));
	else if (server && wf_server_url(server, text, &problem) == NULL)
		ereport(WARNING,
				(errmsg("the URL of this SEND is none of server \"%s\": %s", server->name, problem)));
	else if (server == NULL && wf_server_for(GetUserId(), text) == NULL)
		ereport(WARNING,
				(errmsg("there is no server for the URL of this SEND that role \"%s\" may send to",
						GetUserNameFromId(GetUserId(), true)),
				 errhint("SEND fails until there is one. A superuser, or the role itself, creates one: CREATE SERVER ... FOREIGN DATA WRAPPER automation OPTIONS (url '%s://%s'), and grants USAGE on it.",
						 url->scheme, url->host)));
	if (url && wf_url_looks_secret(url))
		ereport(WARNING,
				(errmsg("the URL of this SEND looks as if there were a secret in its path"),
				 errdetail("Every role can read the text of a function."),
				 errhint("Name a server, and put the secret part as option path into its user mapping or secret_file.")));
}

static void
look_at_call(const FuncExpr *call)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	bool		has_server;
	bool		has_url;
	Node	   *server_node;
	char	   *name;
	char	   *url;
	Server	   *server = NULL;

	if (!HeapTupleIsValid(tuple))
		return;
	server_node = argument(tuple, call, "server", &has_server);
	name = constant(server_node);
	url = constant(argument(tuple, call, "url", &has_url));
	ReleaseSysCache(tuple);
	if (name)
	{
		server = wf_server_load(name);
		if (warn_of_server(name, server))
			return;
	}
	/* a server that is only known later may cover anything; "/path" is below the server's */
	else if (server_node && !(IsA(server_node, Const) && ((Const *) server_node)->constisnull))
		return;
	if (has_server && url && strstr(url, "://"))
		warn_of_url(url, server);
}

static bool
look_at(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, look_at, context, 0);
	if (IsA(node, FuncExpr) && get_func_namespace(((FuncExpr *) node)->funcid) == wf_store_namespace())
		look_at_call((FuncExpr *) node);
	return expression_tree_walker(node, look_at, context);
}

/* Once in a session for a role is enough: there may be many workflows. */
static void
tell_of_none(void)
{
	static Oid	told = InvalidOid;

	if (told == GetUserId())
		return;
	told = GetUserId();
	ereport(NOTICE,
			(errmsg("role \"%s\" has no server that it could send to yet", GetUserNameFromId(GetUserId(), true)),
			 errhint("A superuser creates one, CREATE SERVER ... FOREIGN DATA WRAPPER automation OPTIONS (url '...'), and grants USAGE on it.")));
}

void
wf_check_servers(Check *ck, Query *query)
{
	if (!ck->notices)
		return;
	if (wf_server_names(GetUserId()) == NIL)
		tell_of_none();
	else
		(void) look_at((Node *) query, NULL);
}
