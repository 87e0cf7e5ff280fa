/*
 * address.c -- which addresses a server of the network may not be reached at.
 *
 * Called by transfer.c for every socket that curl is about to open, and again for
 * every request, since a connection may be older than the name's answer; and in SQL
 * by automation.address_refused().  A name says nothing: what counts is where it led.
 *
 * Refused is whatever may be inside: loopback, private, link-local, shared and
 * reserved ranges, IPv4 addresses wrapped into IPv6 whose inner address is
 * refused, and every address of this machine.  What is neither IPv4 nor IPv6 (unix
 * sockets) is refused as well.  Allocates no memory of PostgreSQL's and raises no error.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <time.h>

#include "utils/builtins.h"
#include "utils/inet.h"

#include "address.h"
#include "compat.h"

#define OWN_ADDRESSES_MAX 256			/* of this machine; with more, the rest is read anew each time */
#define OWN_ADDRESSES_SECONDS 5			/* how long they are believed */

typedef struct Range
{
	uint8		prefix[16];
	int			bits;
} Range;

/* First bytes only; the rest is zero. */
static const Range ranges4[] = {
	{{0}, 8},							/* this network */
	{{10}, 8},							/* private */
	{{100, 64}, 10},					/* shared by customers of a provider */
	{{127}, 8},							/* loopback */
	{{168, 63, 129, 16}, 32},			/* a cloud's host, seen from within its machines */
	{{169, 254}, 16},					/* link-local; metadata of clouds */
	{{172, 16}, 12},					/* private */
	{{192, 0, 0}, 24},					/* protocol assignments */
	{{192, 0, 2}, 24},					/* documentation */
	{{192, 88, 99}, 24},				/* relays of 6to4 */
	{{192, 168}, 16},					/* private */
	{{198, 18}, 15},					/* measurements */
	{{198, 51, 100}, 24},				/* documentation */
	{{203, 0, 113}, 24},				/* documentation */
	{{224}, 4},							/* multicast */
	{{240}, 4}							/* reserved, broadcast */
};

static const Range ranges6[] = {
	{{0}, 96},							/* unspecified, loopback, IPv4 in the old way */
	{{[8] = 0xff, [9] = 0xff}, 96},		/* IPv4, translated */
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48},	/* NAT64 of a network's own: where the IPv4 address is in it, it alone knows */
	{{0x01, 0x00}, 64},					/* discarded */
	{{0x20, 0x01, 0x00, 0x00}, 32},		/* Teredo */
	{{0x20, 0x01, 0x0d, 0xb8}, 32},		/* documentation */
	{{0x3f, 0xff}, 20},					/* documentation */
	{{0xfc}, 7},						/* unique local */
	{{0xfe, 0x80}, 10},					/* link-local */
	{{0xfe, 0xc0}, 10},					/* site-local */
	{{0xff}, 8}							/* multicast */
};

/* IPv6 with an IPv4 address in it. */
static const struct
{
	Range		range;
	int			offset;					/* of the IPv4 address */
}			wrappers[] =
{
	{{{[10] = 0xff, [11] = 0xff}, 96}, 12},					/* mapped */
	{{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},					/* NAT64 */
	{{{0x20, 0x02}, 16}, 2}									/* 6to4 */
};

static bool
within(const uint8 *address, const Range *range)
{
	int			whole = range->bits / 8;
	int			rest = range->bits % 8;

	if (memcmp(address, range->prefix, whole) != 0)
		return false;
	return rest == 0 || ((address[whole] ^ range->prefix[whole]) >> (8 - rest)) == 0;
}

static bool
within_any(const uint8 *address, const Range *ranges, int n)
{
	for (int i = 0; i < n; i++)
		if (within(address, &ranges[i]))
			return true;
	return false;
}

/* --- addresses of this machine --- */

typedef struct Own
{
	int			length;					/* 4 or 16 */
	uint8		bytes[16];
} Own;

static Own	own[OWN_ADDRESSES_MAX];
static int	own_count = -1;				/* -1: not known */
static time_t own_read_at;

static int
bytes_of(const struct sockaddr *address, const uint8 **bytes)
{
	if (address != NULL && address->sa_family == AF_INET)
	{
		*bytes = (const uint8 *) &((const struct sockaddr_in *) address)->sin_addr;
		return 4;
	}
	if (address != NULL && address->sa_family == AF_INET6)
	{
		*bytes = (const uint8 *) &((const struct sockaddr_in6 *) address)->sin6_addr;
		return 16;
	}
	return 0;
}

/* Whether it is one of them, and all of them into own.  They cannot be read: it counts as one. */
static bool
read_own(const uint8 *wanted, int wanted_length, time_t now)
{
	struct ifaddrs *list;
	bool		found = false;

	own_count = -1;
	if (getifaddrs(&list) != 0)
		return true;
	own_count = 0;
	for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
	{
		const uint8 *bytes;
		int			length = bytes_of(i->ifa_addr, &bytes);

		if (length == 0)
			continue;
		if (length == wanted_length && memcmp(bytes, wanted, length) == 0)
			found = true;
		if (own_count == OWN_ADDRESSES_MAX)
			own_count = -1;
		if (own_count < 0)
			continue;
		own[own_count].length = length;
		memcpy(own[own_count].bytes, bytes, length);
		own_count++;
	}
	freeifaddrs(list);
	own_read_at = now;
	return found;
}

static bool
is_own(const uint8 *bytes, int length)
{
	time_t		now = time(NULL);

	if (own_count < 0 || now < own_read_at || now - own_read_at >= OWN_ADDRESSES_SECONDS)
		return read_own(bytes, length, now);
	for (int i = 0; i < own_count; i++)
		if (own[i].length == length && memcmp(own[i].bytes, bytes, length) == 0)
			return true;
	return false;
}

/* --- the verdict --- */

static bool
refused4(const uint8 *bytes)
{
	return within_any(bytes, ranges4, lengthof(ranges4)) || is_own(bytes, 4);
}

static bool
refused6(const uint8 *bytes)
{
	for (int i = 0; i < lengthof(wrappers); i++)
		if (within(bytes, &wrappers[i].range))
			return refused4(bytes + wrappers[i].offset) || is_own(bytes, 16);
	return within_any(bytes, ranges6, lengthof(ranges6)) || is_own(bytes, 16);
}

bool
wf_address_refused(const struct sockaddr *address)
{
	const uint8 *bytes;

	switch (bytes_of(address, &bytes))
	{
		case 4:
			return refused4(bytes);
		case 16:
			return refused6(bytes);
		default:
			return true;
	}
}

bool
wf_address_text_refused(const char *address)
{
	uint8		bytes[16];
	char		plain[INET6_ADDRSTRLEN];
	size_t		length = address != NULL ? strcspn(address, "%") : 0;	/* zone of a link-local address */

	if (length == 0 || length >= sizeof(plain))
		return true;
	memcpy(plain, address, length);
	plain[length] = '\0';
	if (inet_pton(AF_INET, plain, bytes) == 1)
		return refused4(bytes);
	if (inet_pton(AF_INET6, plain, bytes) == 1)
		return refused6(bytes);
	return true;
}

PG_FUNCTION_INFO_V1(wf_address_refused_sql);

/* automation.address_refused(inet): of a network, its first address. */
Datum
wf_address_refused_sql(PG_FUNCTION_ARGS)
{
	inet	   *address = PG_GETARG_INET_PP(0);

	PG_RETURN_BOOL(ip_family(address) == PGSQL_AF_INET ? refused4(ip_addr(address)) : refused6(ip_addr(address)));
}
