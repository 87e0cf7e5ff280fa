/*
 * server_check.c -- what SQL knows of servers: the validator of the wrapper, and two
 * questions.
 *
 * The validator is called by PostgreSQL for CREATE and ALTER of servers and user mappings,
 * with the options as they would be afterwards.  So an option of superusers is refused to
 * everybody else whatever he changes, and somebody else's server with such options can't be
 * turned to another address.  Values are not repeated in errors: they may be secret.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "compat.h"
#include "parser.h"
#include "secret.h"
#include "server.h"
#include "server_option.h"
#include "url.h"

PG_FUNCTION_INFO_V1(wf_server_validator);
PG_FUNCTION_INFO_V1(wf_server_option_value);
PG_FUNCTION_INFO_V1(wf_server_sender);
PG_FUNCTION_INFO_V1(wf_server_for_url);

/* "a, b, c" */
static char *
enumeration(List *names)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text, "%s%s", text.len ? ", " : "", (char *) lfirst(cell));
	return text.data;
}

static void
refuse_unknown(const char *name, List *names, const char *whose)
{
	const char *nearest = wf_nearest_name(name, names);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 nearest ? errhint("Did you mean \"%s\"?", nearest) :
			 errhint("Valid options of %s are: %s.", whose, enumeration(names))));
}

/*
 * Servers
 */

static void
check_server_name(const char *name)
{
	const ServerOption *option = wf_server_option(name);

	if (option == NULL && wf_secret_expected(name))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is a credential, which everybody could read in a server", name),
				 errhint("Put it into CREATE USER MAPPING FOR PUBLIC, or into the file that the option secret_file names.")));
	if (option == NULL)
		refuse_unknown(name, wf_server_option_names(superuser()), "a server");
	if (option->superuser && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser may set option \"%s\" of a server", name),
				 errhint("Who owns a server that has it already takes it away first: ALTER SERVER ... OPTIONS (DROP %s).", name)));
}

static void
refuse_value(const ServerOption *option, List *options)
{
	const char *problem = NULL;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);

		if (strcmp(element->defname, option->name) == 0 && strstr(option->name, "url"))
			(void) wf_url_parse(strVal(element->arg), &problem);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 problem ? errmsg("invalid value for option \"%s\": %s", option->name, problem) :
			 errmsg("invalid value for option \"%s\"", option->name),
			 errhint("It is %s.", option->expected)));
}

/* Ports below 1024 that are not for the web or mail are for services that may take a
 * request for something else. */
static void
check_port(const Server *server)
{
	const char *problem;
	Url		   *url = wf_url_parse(server->url, &problem);
	int			port = url ? url->port : 0;

	if (port >= 1024 || port == 80 || port == 443 || port == 25 || port == 465 || port == 587 || superuser())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only a superuser may create a server with port %d", port),
			 errhint("Others may take 80, 443, 25, 465, 587 and ports from 1024 on.")));
}

static void
check_server(List *options)
{
	Server		server = {0};
	const ServerOption *wrong;
	ListCell   *cell;

	foreach(cell, options)
		check_server_name(((DefElem *) lfirst(cell))->defname);
	wrong = wf_server_options_take(&server, options);
	if (wrong)
		refuse_value(wrong, options);
	if (server.url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"url\" of the server is missing"),
				 errhint("It is %s.", wf_server_option("url")->expected)));
	check_port(&server);
	foreach(cell, options)
	{
		const ServerOption *option = wf_server_option(((DefElem *) lfirst(cell))->defname);

		if (option->type >= 0 && option->type != (int) server.type)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" is not for servers of type %s", option->name,
							server.type == SERVER_SMTP ? "smtp" : "http")));
	}
	if ((server.client_cert == NULL) != (server.client_key == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"client_cert\" and \"client_key\" belong together")));
}

/*
 * User mappings
 */

static void
check_mapping(List *options)
{
	Credentials credentials = {0};
	const char *conflict;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);
		const char *expected = wf_secret_expected(element->defname);

		if (expected == NULL && wf_server_option(element->defname))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" belongs to the server, not to a user mapping", element->defname),
					 errhint("A user mapping has credentials only: %s.", enumeration(wf_secret_names()))));
		if (expected == NULL)
			refuse_unknown(element->defname, wf_secret_names(), "a user mapping");
		if (!wf_secret_take(&credentials, element->defname, strVal(element->arg)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for option \"%s\"", element->defname),
					 errhint("It is %s.", expected)));
	}
	conflict = wf_secret_conflict(&credentials);
	wf_credentials_forget(&credentials);
	if (conflict)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the options of the user mapping contradict each other: %s", conflict)));
}

Datum
wf_server_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);

	if (catalog == ForeignServerRelationId)
		check_server(options);
	else if (catalog == UserMappingRelationId)
		check_mapping(options);
	else if (catalog == ForeignTableRelationId)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_NO_SCHEMAS),
				 errmsg("servers of the wrapper automation have no tables"),
				 errhint("A workflow sends to a server: SEND webhook(server => ..., ...).")));
	else if (options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", ((DefElem *) linitial(options))->defname),
				 errhint("The wrapper automation has no options: its servers and user mappings do.")));
	PG_RETURN_VOID();
}

/*
 * Questions
 */

static ForeignServer *
our_server(const char *name)
{
	ForeignServer *foreign = GetForeignServerByName(name, true);

	if (foreign == NULL || foreign->fdwid != get_foreign_data_wrapper_oid("automation", true))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no server \"%s\" of the wrapper automation", name),
				 errhint("Create it: CREATE SERVER %s FOREIGN DATA WRAPPER automation OPTIONS (url 'https://...').",
						 quote_identifier(name))));
	return foreign;
}

Datum
wf_server_option_value(PG_FUNCTION_ARGS)
{
	ForeignServer *foreign = our_server(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const ServerOption *option = wf_server_option(name);
	ListCell   *cell;

	if (option == NULL)
		refuse_unknown(name, wf_server_option_names(superuser()), "a server");
	if (option->superuser && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("option \"%s\" is shown to superusers only", name)));
	foreach(cell, foreign->options)
	{
		DefElem    *element = lfirst(cell);

		if (strcmp(element->defname, name) == 0)
			PG_RETURN_TEXT_P(cstring_to_text(strVal(element->arg)));
	}
	if (option->standard == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(option->standard));
}

/* server_sender(server, sender): of any server, and NULL if there is none: SEND says what is wrong with it */
Datum
wf_server_sender(PG_FUNCTION_ARGS)
{
	ForeignServer *foreign;
	ListCell   *cell;

	if (!PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	foreign = PG_ARGISNULL(0) ? NULL : GetForeignServerByName(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	if (foreign == NULL)
		PG_RETURN_NULL();
	foreach(cell, foreign->options)
	{
		DefElem    *element = lfirst(cell);
		char	   *first;
		int			length;

		if (strcmp(element->defname, "from") != 0)
			continue;
		first = strVal(element->arg);
		first += strspn(first, " ");
		length = strcspn(first, ",");
		while (length > 0 && first[length - 1] == ' ')
			length--;
		if (length > 0)
			PG_RETURN_TEXT_P(cstring_to_text_with_len(first, length));
	}
	PG_RETURN_NULL();
}

/* NULL = NULL */
static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

Datum
wf_server_for_url(PG_FUNCTION_ARGS)
{
	Oid			role = PG_GETARG_OID(0);
	char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *problem = NULL;
	Url		   *url = wf_url_parse(given, &problem);
	char	   *name = url ? wf_server_for(role, given) : NULL;
	Datum		values[3];
	bool		nulls[3];
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (url && name == NULL)
		problem = "no server that the role may use, and that it or a superuser owns, has a url that covers this one";
	values[0] = text_or_null(name, &nulls[0]);
	values[1] = text_or_null(url ? wf_url_text(url) : NULL, &nulls[1]);
	values[2] = text_or_null(name ? NULL : problem, &nulls[2]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
