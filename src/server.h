/*
 * server.h -- foreign servers of the wrapper "automation": options, credentials,
 * which one a message goes to, and who may use it.
 *
 * Everything here reads catalogs only; nothing is kept but what the caller's
 * context holds.  Credentials are read in the delivery worker alone.
 */
#ifndef WF_SERVER_H
#define WF_SERVER_H

#include "nodes/pg_list.h"
#include "datatype/timestamp.h"

typedef enum
{
	SERVER_HTTP,
	SERVER_SMTP
} ServerType;

typedef struct Server
{
	Oid			oid;
	char	   *name;
	Oid			owner;
	bool		trusted;				/* its owner is superuser now: options marked (S) count */
	ServerType	type;
	char	   *url;					/* canonical: scheme://host[:port][/path], no trailing slash */
	/* pace */
	double		rate;					/* messages a second, 0 = no limit; default 10 */
	int			burst;					/* default = rate, at least 1 */
	int			concurrency;			/* connections at a time, default 5 */
	int			timeout;				/* ms for an attempt, default 30 s; mail: 10 min for the last reply */
	int			connect_timeout;		/* ms, default 3 s */
	List	   *schedule;				/* of int64 *: microseconds before attempt 2, 3, ... */
	double		recipient_rate;			/* messages per recipient and recipient_period; 0 = no limit */
	int64		recipient_period;		/* microseconds */
	int			monthly_cap;			/* 0 = none */
	int			recipients;				/* messages of one SEND, those above are skipped; 0 = no limit */
	int64		expires;				/* microseconds after it may leave; 0 = never */
	int			answer_limit;			/* bytes of an answer's body, default 64 kB, at most 1 MB */
	/* rules */
	List	   *classes;				/* of char *: allowed ones; NIL = all */
	List	   *from;					/* of char *: addresses and @domains that may send (smtp); first address = default sender; sms: numbers */
	bool		retry_4xx;
	bool		http2;
	char	   *unsubscribe_url;		/* mail: https://... ; the token is appended */
	char	   *unsubscribe_mail;		/* mailbox */
	char	   *bounce;					/* mailbox of the return path; VERP: a token goes in behind a plus */
	char	   *postal_address;			/* for templates */
	/* (S) only from a superuser's server */
	bool		allow_private;
	bool		verify;					/* certificates, default true */
	char	   *ca_file;
	char	   *client_cert;
	char	   *client_key;
	char	   *secret_file;
	List	   *ports;					/* of int: other ports than that of the URL; NIL = none */
} Server;

/* Credentials, from the user mapping of the message's owner, else that FOR PUBLIC,
 * and from secret_file; wf_credentials_forget() overwrites them. */
typedef struct Credentials
{
	char	   *user;
	char	   *password;
	char	   *bearer;
	List	   *headers;				/* of char *: "Name: value" */
	char	   *secret;					/* whsec_...: signs */
	char	   *previous_secret;		/* signs as well, while receivers change over */
} Credentials;

/* By name; NULL if there is none, or it is not one of ours. */
extern Server *wf_server_load(const char *name);

/* May the role use it now (USAGE, and its owner is a superuser, the role itself, or the
 * server was named)? */
extern bool wf_server_usable(const Server *server, Oid role);

/* Name of the server for a URL: among those of superusers and of the role itself that it may
 * use, the one whose url covers it most closely; NULL = none. */
extern char *wf_server_for(Oid role, const char *url);

/* The whole URL in canonical form: of target "/path" behind the server's url, of a whole URL
 * itself, if the server's covers it.  NULL: *problem says why not. */
extern char *wf_server_url(const Server *server, const char *target, const char **problem);

/* Settings automation.mail_server and such name a default: that of a mail without server. */
extern char *wf_server_default_mail(void);

/* In the delivery worker only, current context.  NULL: *problem says why (no words of the file). */
extern Credentials *wf_server_credentials(const Server *server, Oid owner, const char **problem);
extern void wf_credentials_forget(Credentials *credentials);

#endif
