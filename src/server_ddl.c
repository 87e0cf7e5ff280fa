/*
 * server_ddl.c -- event triggers: a server or a user mapping was made or changed.
 *
 * Called by ddl.c as whoever ran the command.  What the validator can't see is looked
 * at here: the TYPE, which is not told to it, and who will be able to read what was
 * entered.  A type that does not fit is an ERROR, but while a dump is restored a WARNING,
 * as all the rest.  No value of an option is shown.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "compat.h"
#include "secret.h"
#include "server.h"
#include "server_option.h"
#include "url.h"

static bool
is_ours(const ForeignServer *foreign)
{
	Oid			wrapper = get_foreign_data_wrapper_oid("automation", true);

	return OidIsValid(wrapper) && foreign->fdwid == wrapper;
}

static bool
has_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		if (strcmp(((DefElem *) lfirst(cell))->defname, name) == 0)
			return true;
	}
	return false;
}

/*
 * Servers
 */

static void
check_type(const ForeignServer *foreign, const Server *server, bool restoring)
{
	const char *type = server->type == SERVER_SMTP ? "smtp" : "http";

	if (foreign->servertype == NULL || strcmp(foreign->servertype, type) == 0)
		return;
	ereport(restoring ? WARNING : ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("type \"%s\" of server \"%s\" does not fit its url", foreign->servertype, server->name),
			 errhint("A server whose url begins with %s:// or %ss:// has TYPE '%s', or none.", type, type, type)));
}

static void
warn_of_secret_url(const Server *server)
{
	const char *problem;
	Url		   *url = wf_url_parse(server->url, &problem);

	if (url && wf_url_looks_secret(url))
		ereport(WARNING,
				(errmsg("the url of server \"%s\" looks as if there were a secret in its path", server->name),
				 errdetail("Every role can read the options of a server."),
				 errhint("Leave the public part in url, and put the rest as option path into CREATE USER MAPPING FOR PUBLIC or as a line into secret_file.")));
}

static void
warn_of_lost_options(const ForeignServer *foreign, const Server *server)
{
	ListCell   *cell;

	if (server->trusted)
		return;
	foreach(cell, wf_server_option_names(true))
	{
		const char *name = lfirst(cell);

		if (wf_server_option(name)->superuser && has_option(foreign->options, name))
			ereport(WARNING,
					(errmsg("option \"%s\" of server \"%s\" does not count any more", name, server->name),
					 errdetail("It counts while a superuser owns the server.")));
	}
}

/* Said to the superuser who named the file, so that he learns it before a message does. */
static void
warn_of_secret_file(const Server *server)
{
	Credentials credentials = {0};
	const char *problem;

	if (server->secret_file == NULL || !superuser())
		return;
	problem = wf_secret_file(&credentials, server->secret_file);
	if (problem == NULL)
		problem = wf_secret_conflict(&credentials);
	wf_credentials_forget(&credentials);
	if (problem)
		ereport(WARNING,
				(errmsg("nothing can be sent to server \"%s\" for now: %s", server->name, problem),
				 errhint("The file has lines \"name = value\", belongs to the user the server runs as, and has mode 0600.")));
}

void
wf_server_touched(Oid oid, bool restoring)
{
	ForeignServer *foreign = GetForeignServer(oid);
	Server	   *server;

	if (!is_ours(foreign))
		return;
	server = wf_server_load(foreign->servername);
	if (server == NULL)
		return;
	check_type(foreign, server, restoring);
	if (restoring)
		return;
	warn_of_secret_url(server);
	warn_of_lost_options(foreign, server);
	warn_of_secret_file(server);
}

/*
 * User mappings
 */

static void
warn_of_reader(const Server *server, Oid user)
{
	if (OidIsValid(user) && superuser_arg(user))
		return;
	if (OidIsValid(user))
		ereport(WARNING,
				(errmsg("role \"%s\" can read the credentials in its user mapping for server \"%s\"",
						GetUserNameFromId(user, true), server->name),
				 errhint("In CREATE USER MAPPING FOR PUBLIC, on a server that a superuser owns, or in the file of its option secret_file no such role reads them.")));
	else if (!server->trusted)
		ereport(WARNING,
				(errmsg("role \"%s\", who owns server \"%s\", can read the credentials in its user mapping for PUBLIC",
						GetUserNameFromId(server->owner, true), server->name),
				 errhint("Let a superuser own the server, and grant USAGE on it.")));
}

static void
warn_of_plain_text(const Server *server, List *options)
{
	/* what signs is not sent */
	bool		sent = has_option(options, "password") || has_option(options, "bearer") ||
		has_option(options, "header") || has_option(options, "path");

	if (sent && strncmp(server->url, "http:", 5) == 0 && !server->allow_private)
		ereport(WARNING,
				(errmsg("credentials of server \"%s\" are sent unencrypted", server->name),
				 errhint("Use an address with https://.")));
}

void
wf_mapping_touched(Oid oid, bool restoring)
{
	HeapTuple	tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(oid));
	Form_pg_user_mapping form;
	List	   *options = NIL;
	Oid			user;
	ForeignServer *foreign;
	Server	   *server;
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_user_mapping) GETSTRUCT(tuple);
	user = form->umuser;
	foreign = GetForeignServer(form->umserver);
	value = SysCacheGetAttr(USERMAPPINGOID, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		options = untransformRelOptions(value);
	ReleaseSysCache(tuple);
	if (restoring || options == NIL || !is_ours(foreign))
		return;
	server = wf_server_load(foreign->servername);
	if (server == NULL)
		return;
	warn_of_reader(server, user);
	warn_of_plain_text(server, options);
}
