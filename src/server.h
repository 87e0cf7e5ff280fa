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
	char	   *url;					/* canonical: scheme://host[:port][/path], no trailing slash; the path may be secret */
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
	bool		secret_lost;			/* there is a secret_file, but it does not count: not trusted */
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
	char	   *path;					/* secret part of the address, behind the server's url: see wf_server_address() */
} Credentials;

/* By name, in the current context; NULL if there is none, or it is not one of ours.  Reads
 * catalogs: in a transaction. */
extern Server *wf_server_load(const char *name);

/* Has the role USAGE on it now?  That is all that is asked of a server that was named. */
extern bool wf_server_usable(const Server *server, Oid role);

/* Name of the server for a URL: among those of superusers and of the role itself that it may
 * use, the one whose url covers it most closely; NULL = none. */
extern char *wf_server_for(Oid role, const char *url);

/* The whole URL in canonical form: of target "/path" or "?query" behind the server's url, of a whole
 * URL itself, if the server's covers it; of NULL and "" the server's url.  NULL: *problem says why
 * not, in words that repeat nothing of the target. */
extern char *wf_server_url(const Server *server, const char *target, const char **problem);

/* What to connect to: as wf_server_url(), but if the credentials have a secret path, that is
 * appended where the target is the server's url, and nothing else may be the target.  Not to be
 * shown anywhere. */
extern char *wf_server_address(const Server *server, const Credentials *credentials, const char *target,
							   const char **problem);

/* Setting automation.mail_server: server of a mail that names none; NULL if it is not set. */
extern char *wf_server_default_mail(void);

/* Names of all our servers that the role may use; of char *. */
extern List *wf_server_names(Oid role);

/* In the delivery worker only, current context.  NULL: *problem says why (no words of the file). */
extern Credentials *wf_server_credentials(const Server *server, Oid owner, const char **problem);
extern void wf_credentials_forget(Credentials *credentials);

/* Event triggers: a server or a user mapping was made or changed.  May refuse it (not while
 * restoring) and warns of what its author may not have meant. */
extern void wf_server_touched(Oid server, bool restoring);
extern void wf_mapping_touched(Oid mapping, bool restoring);

#endif
