/*
 * server_option.h -- the options of a server: names, defaults, what their values look
 * like.
 */
#ifndef WF_SERVER_OPTION_H
#define WF_SERVER_OPTION_H

#include "nodes/pg_list.h"
#include "server.h"

typedef struct ServerOption
{
	const char *name;
	const char *standard;				/* the default as one would write it; NULL = none */
	bool		superuser;				/* set by superusers only, and counts only on their servers */
	int			type;					/* SERVER_HTTP, SERVER_SMTP; -1 = both */
	/* Takes the value, or says false. */
	bool		(*read) (Server *server, const char *value);
	const char *expected;				/* what a value is: the end of a sentence */
} ServerOption;

/* NULL if there is none. */
extern const ServerOption *wf_server_option(const char *name);

/* Of char *: in the order of the documentation; privileged: with those of superusers. */
extern List *wf_server_option_names(bool privileged);

/* Defaults, then the options (of DefElem *).  NULL: all are good; else the first one that is not. */
extern const ServerOption *wf_server_options_take(Server *server, List *options);

/* A time such as "5s", "1 min 30 s", "2 hours" in microseconds; -1 = it is none. */
extern int64 wf_duration(const char *text);

#endif
