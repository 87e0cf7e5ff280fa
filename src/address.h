/*
 * address.h -- which addresses a server of the network may not be reached at.
 */
#ifndef WF_ADDRESS_H
#define WF_ADDRESS_H

#include <sys/socket.h>

/*
 * True: loopback, private, link-local, reserved, an address of this machine, or
 * something that is not IPv4 or IPv6.  Never raises an error, takes no memory of PostgreSQL's:
 * also called by curl.
 */
extern bool wf_address_refused(const struct sockaddr *address);
/* The same for an address in text form, without port; what is none is refused. */
extern bool wf_address_text_refused(const char *address);

#endif
