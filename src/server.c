/*
 * server.c -- foreign servers of the wrapper "automation": loads them, says who may
 * use which and which one an address belongs to.
 *
 * Called by SEND (choice, rights), by the delivery worker before each attempt, and by
 * the commands in server_check.c.  Reads catalogs, so in a transaction; results are in
 * the current context.  Raises no errors of its own: who has no server gets NULL.
 *
 * A server is chosen by the address only among those of superusers and of the role
 * itself: whoever may create servers could otherwise put one in front of
 * somebody else's, and sign his messages.  Others have to be named.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "server.h"
#include "server_option.h"
#include "settings.h"
#include "url.h"

#define PLAIN_PATH_MAX 500				/* bytes */

/* What counts only on a superuser's server becomes what it is without. */
static void
distrust(Server *server)
{
	server->secret_lost = server->secret_file != NULL;
	server->allow_private = false;
	server->verify = true;
	server->ca_file = NULL;
	server->client_cert = NULL;
	server->client_key = NULL;
	server->secret_file = NULL;
	server->ports = NIL;
}

static Server *
load(const ForeignServer *foreign)
{
	Server	   *server = palloc0(sizeof(Server));

	server->oid = foreign->serverid;
	server->name = pstrdup(foreign->servername);
	server->owner = foreign->owner;
	/* options are checked when they are set; a server with others is none */
	if (wf_server_options_take(server, foreign->options) != NULL || server->url == NULL)
		return NULL;
	server->trusted = superuser_arg(foreign->owner);
	if (!server->trusted)
		distrust(server);
	return server;
}

Server *
wf_server_load(const char *name)
{
	ForeignServer *foreign = GetForeignServerByName(name, true);
	Oid			wrapper = get_foreign_data_wrapper_oid("automation", true);

	if (foreign == NULL || !OidIsValid(wrapper) || foreign->fdwid != wrapper)
		return NULL;
	return load(foreign);
}

bool
wf_server_usable(const Server *server, Oid role)
{
	return OidIsValid(role) && wf_compat_server_aclcheck(server->oid, role, ACL_USAGE) == ACLCHECK_OK;
}

/*
 * All of ours, of Server *, as the catalogs of servers, wrappers and roles were when they
 * were last asked: a SEND may choose for thousands of rows.  In memory of its own.
 */
static List *all_servers = NIL;
static bool servers_known = false;
static MemoryContext servers_context = NULL;

static void
servers_changed(Datum arg, int cache, uint32 hash)
{
	servers_known = false;
}

static List *
read_servers(void)
{
	Oid			wrapper = get_foreign_data_wrapper_oid("automation", true);
	List	   *servers = NIL;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(wrapper))
		return NIL;
	rel = table_open(ForeignServerRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server form = (Form_pg_foreign_server) GETSTRUCT(tuple);
		Server	   *server;

		if (form->srvfdw != wrapper)
			continue;
		server = load(GetForeignServer(form->oid));
		if (server)
			servers = lappend(servers, server);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return servers;
}

static void
know_servers(void)
{
	MemoryContext old;

	if (servers_known)
		return;
	if (servers_context == NULL)
	{
		servers_context = AllocSetContextCreate(TopMemoryContext, "automation servers", ALLOCSET_SMALL_SIZES);
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, servers_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, servers_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, servers_changed, (Datum) 0);
	}
	all_servers = NIL;
	MemoryContextReset(servers_context);
	/* what changes while they are read has them read again next time */
	servers_known = true;
	old = MemoryContextSwitchTo(servers_context);
	PG_TRY();
	{
		all_servers = read_servers();
	}
	PG_CATCH();
	{
		servers_known = false;
		all_servers = NIL;
		MemoryContextSwitchTo(old);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* All that the role may use; of Server *, until the next call. */
static List *
usable_servers(Oid role)
{
	List	   *servers = NIL;
	ListCell   *cell;

	know_servers();
	foreach(cell, all_servers)
	{
		if (wf_server_usable(lfirst(cell), role))
			servers = lappend(servers, lfirst(cell));
	}
	return servers;
}

List *
wf_server_names(Oid role)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, usable_servers(role))
		names = lappend(names, pstrdup(((Server *) lfirst(cell))->name));
	return names;
}

/* Does the server's url cover the address?  base gets the server's, taken apart. */
static bool
covers(const Server *server, const Url *url, Url **base)
{
	const char *problem;
	ListCell   *cell;

	*base = wf_url_parse(server->url, &problem);
	if (*base == NULL || !wf_url_below(*base, url))
		return false;
	if ((*base)->port == url->port)
		return true;
	foreach(cell, server->ports)
	{
		if (lfirst_int(cell) == url->port)
			return true;
	}
	return false;
}

/* Of two servers that cover an address: is the first one to be taken? */
static bool
is_closer(const Server *server, size_t length, const Server *other, size_t other_length, Oid role)
{
	if (length != other_length)
		return length > other_length;
	/* the role's own, else in the order of names, so that it is always the same */
	if ((server->owner == role) != (other->owner == role))
		return server->owner == role;
	return strcmp(server->name, other->name) < 0;
}

char *
wf_server_for(Oid role, const char *url)
{
	const char *problem;
	Url		   *parsed = wf_url_parse(url, &problem);
	Server	   *best = NULL;
	size_t		best_length = 0;
	ListCell   *cell;

	if (parsed == NULL)
		return NULL;
	foreach(cell, usable_servers(role))
	{
		Server	   *server = lfirst(cell);
		size_t		length;
		Url		   *base;

		if (server->type != SERVER_HTTP || !(server->trusted || server->owner == role) ||
			!covers(server, parsed, &base))
			continue;
		length = strlen(base->path);
		if (best == NULL || is_closer(server, length, best, best_length, role))
		{
			best = server;
			best_length = length;
		}
	}
	return best ? pstrdup(best->name) : NULL;
}

/* Of a target that the server's url goes before. */
static bool
is_relative(const char *target)
{
	return target == NULL || target[0] == '\0' || target[0] == '/' || target[0] == '?';
}

/*
 * The whole URL if target is the server's url and a path of plain segments behind it, as
 * most are: such a text is canonical as it is, and below the server's url whatever that
 * is.  NULL: to be taken apart.
 */
static char *
plainly_below(const Server *server, const char *target)
{
	size_t		length = strlen(server->url);
	const char *path = target;

	if (target == NULL)
		return NULL;
	if (target[0] != '/')
	{
		if (strncmp(target, server->url, length) != 0)
			return NULL;
		path = target + length;
	}
	if (path[0] != '/' || strlen(path) > PLAIN_PATH_MAX)
		return NULL;
	for (const char *c = path; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			  *c == '-' || *c == '_' || (*c == '/' && c[1] != '/')))
			return NULL;
	return psprintf("%s%s", server->url, path);
}

char *
wf_server_url(const Server *server, const char *target, const char **problem)
{
	Url		   *url;
	Url		   *base;
	char	   *plain;

	*problem = NULL;
	if (server->type == SERVER_SMTP)
	{
		*problem = "the server takes mail, not requests";
		return NULL;
	}
	if ((plain = plainly_below(server, target)) != NULL)
		return plain;
	if (is_relative(target))
		url = wf_url_parse(psprintf("%s%s", server->url, target ? target : ""), problem);
	else
		url = wf_url_parse(target, problem);
	if (url == NULL)
		return NULL;
	if (!covers(server, url, &base))
	{
		*problem = "it is not below the server's url";
		return NULL;
	}
	return wf_url_text(url);
}

/* Is the canonical address the server's url itself, with or without a slash at its end? */
static bool
is_own(const Server *server, const char *url)
{
	size_t		length = strlen(server->url);

	return strncmp(url, server->url, length) == 0 && (url[length] == '\0' || strcmp(url + length, "/") == 0);
}

char *
wf_server_address(const Server *server, const Credentials *credentials, const char *target, const char **problem)
{
	char	   *url = wf_server_url(server, target, problem);

	if (url == NULL || credentials == NULL || credentials->path == NULL)
		return url;
	if (!is_own(server, url))
	{
		*problem = "the server has a secret path, so a message may not name another one";
		return NULL;
	}
	return wf_server_url(server, credentials->path, problem);
}

char *
wf_server_default_mail(void)
{
	return wf_mail_server && *wf_mail_server ? pstrdup(wf_mail_server) : NULL;
}
