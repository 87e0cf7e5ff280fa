/*
 * url.h -- addresses in one canonical form, and which of them another one covers.
 */
#ifndef WF_URL_H
#define WF_URL_H

#define URL_MAX 8000					/* bytes */

typedef struct Url
{
	char	   *scheme;					/* http, https, smtp, smtps */
	char	   *host;					/* lower case ASCII, no dot at the end; IPv6 in brackets */
	int			port;
	char	   *path;					/* with the slash in front, without dot segments */
	char	   *query;					/* NULL = none */
} Url;

/* palloc'd; NULL: *problem says why not, in words that repeat nothing of the text. */
extern Url *wf_url_parse(const char *text, const char **problem);

/* scheme://host[:port]path[?query]; the port is left out where the scheme has it.  What
 * wf_url_parse() makes of it is the same again. */
extern char *wf_url_text(const Url *url);

/* Same scheme and host, and the path is that of the base or lies below it.  Ports
 * are compared by the caller, who knows which ones count. */
extern bool wf_url_below(const Url *base, const Url *url);

/* Is who knows the path all that is asked for, as far as one can tell? */
extern bool wf_url_looks_secret(const Url *url);

#endif
