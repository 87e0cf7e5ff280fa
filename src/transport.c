/*
 * transport.c -- libcurl behind a small door: pools of connections, a descriptor
 * to wait on, timers, and transfers from their beginning to their end.
 *
 * Called by the delivery worker only, outside of transactions.  Each server has a
 * multi handle of its own, its pool: connections, names and TLS sessions are shared by
 * nobody else.  When options change that a connection depends on, the server gets a
 * new pool, and the old one is closed with its last transfer.  curl tells which
 * sockets it waits for and when it wants to be called; all of them are in one epoll
 * descriptor, which is ours to wait on beside the latch.
 *
 * All signals are blocked while curl works, for it starts threads (names are
 * looked up in them), and a signal must come to the process's only thread that knows
 * what to do with it.  Memory does not grow with the number of transfers: handles
 * and their contexts are used again.
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "compat.h"
#include "transport_internal.h"

#define EVENTS_AT_ONCE 256
#define IDLE_MILLISECONDS 60000			/* a pool that nobody uses is closed after that */

struct Pool
{
	Oid			server;
	char	   *policy;					/* what connections depend on; TopMemoryContext */
	bool		stale;					/* takes nothing any more */
	int			place;					/* in pools */
	CURLM	   *multi;
	dlist_head	active;
	dlist_head	idle;
	int			actives;
	int			talkers;				/* of them, whose kind speaks itself now */
	int64		call_at;				/* milliseconds(): curl wants to be called; -1 = no */
	int64		idle_since;				/* milliseconds(), if nothing is active */
	bool		worked;					/* curl was called, so something may have ended */
};

static Pool **pools = NULL;				/* places may be empty; TopMemoryContext */
static int	pool_places = 0;
static int	actives = 0;
static int	descriptor = -1;

static int64
milliseconds(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

/* --- once per process --- */

/* What would change where curl and OpenSSL go, whom they trust, and whom they tell. */
static const char *const environment[] = {
	"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY",
	"SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "CURL_SSL_BACKEND",
	"CURL_HOME", "NETRC", "QLOGDIR", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS"
};

void
wf_transport_init(void)
{
	struct rlimit none = {0, 0};

	if (descriptor >= 0)
		return;
	for (int i = 0; i < lengthof(environment); i++)
		unsetenv(environment[i]);
	/* no image of passwords and keys on disk */
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		ereport(WARNING, errmsg("could not turn core files off: %m"));
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR, errmsg("could not initialize libcurl"));
	descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (descriptor < 0)
		ereport(ERROR, errmsg("could not create an epoll descriptor: %m"));
}

int
wf_transport_descriptor(void)
{
	return descriptor;
}

/* --- what curl tells --- */

/*
 * A connection goes from one transfer to the next, and each time curl would have its
 * socket taken out of the descriptor and put in again.  Instead it stays in there until it
 * is closed, or until something comes that no transfer waits for.  Only sockets whose
 * beginning and end we are told can stay.
 */
typedef struct Watched
{
	bool		stays;
	bool		wanted;					/* by a transfer */
	uint32		events;					/* it is in the descriptor for these; 0 = it is not */
} Watched;

static Watched *watched = NULL;			/* by number of the socket; malloc'd, for callbacks */
static int	nwatched = 0;

/* NULL: one that does not stay. */
static Watched *
staying(int fd)
{
	return fd >= 0 && fd < nwatched && watched[fd].stays ? &watched[fd] : NULL;
}

void
wf_transport_opened(int fd)
{
	if (fd >= nwatched)
	{
		int			n = Max(fd + 1, Max(256, 2 * nwatched));
		Watched    *grown = realloc(watched, n * sizeof(Watched));

		if (grown == NULL)
			return;
		memset(grown + nwatched, 0, (n - nwatched) * sizeof(Watched));
		watched = grown;
		nwatched = n;
	}
	watched[fd] = (Watched) {.stays = true};
}

void
wf_transport_closed(int fd)
{
	if (fd < nwatched)
		watched[fd] = (Watched) {0};
}

static void
no_longer_watched(int fd)
{
	Watched    *known = staying(fd);

	(void) epoll_ctl(descriptor, EPOLL_CTL_DEL, fd, NULL);
	if (known)
		known->events = 0;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *pool_arg, void *arg)
{
	Pool	   *pool = pool_arg;
	Watched    *known = staying(fd);
	struct epoll_event event = {0};

	if (known)
		known->wanted = what != CURL_POLL_REMOVE;
	if (what == CURL_POLL_REMOVE)
	{
		if (known == NULL || known->events != EPOLLIN)
			no_longer_watched(fd);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (known && known->events == event.events && event.events != 0)
		return 0;
	event.data.u64 = ((uint64) pool->place << 32) | (uint32) fd;
	if (known)
		known->events = event.events;
	if (epoll_ctl(descriptor, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return epoll_ctl(descriptor, EPOLL_CTL_ADD, fd, &event);
}

static int
on_timer(CURLM *multi, long after, void *pool_arg)
{
	Pool	   *pool = pool_arg;

	pool->call_at = after < 0 ? -1 : milliseconds() + after;
	return 0;
}

/* --- pools --- */

/* What a connection of the server depends on, in words. */
static char *
policy_of(const Server *server)
{
	bool		trusted = server->trusted;

	/* not its URL: curl itself tells hosts apart, and the path may be secret */
	return psprintf("%d %d %d %d\n%s\n%s\n%s", server->type, trusted && server->allow_private,
					trusted && !server->verify, server->http2,
					trusted && server->ca_file != NULL ? server->ca_file : "",
					trusted && server->client_cert != NULL ? server->client_cert : "",
					trusted && server->client_key != NULL ? server->client_key : "");
}

static int
empty_place(void)
{
	int			place = 0;

	while (place < pool_places && pools[place] != NULL)
		place++;
	if (place == pool_places)
	{
		int			more = Max(16, 2 * pool_places);

		if (pools == NULL)
			pools = MemoryContextAlloc(TopMemoryContext, more * sizeof(Pool *));
		else
			pools = repalloc(pools, more * sizeof(Pool *));
		memset(pools + pool_places, 0, (more - pool_places) * sizeof(Pool *));
		pool_places = more;
	}
	return place;
}

static Pool *
new_pool(const Server *server, const char *policy)
{
	int			place = empty_place();
	Pool	   *pool = MemoryContextAllocZero(TopMemoryContext, sizeof(Pool));

	pool->policy = MemoryContextStrdup(TopMemoryContext, policy);
	pool->multi = curl_multi_init();
	if (pool->multi == NULL)
	{
		pfree(pool->policy);
		pfree(pool);
		return NULL;
	}
	if (server->trusted && !server->verify)
		ereport(WARNING, errmsg("certificates of server \"%s\" are not verified", server->name));
	pool->server = server->oid;
	pool->place = place;
	dlist_init(&pool->active);
	dlist_init(&pool->idle);
	pool->call_at = -1;
	pool->idle_since = milliseconds();
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long) Max(1, server->concurrency));
	pools[place] = pool;
	return pool;
}

/* Of a pool without active transfers: connections are closed, everything is freed. */
static void
close_pool(Pool *pool)
{
	dlist_mutable_iter i;

	Assert(pool->actives == 0);
	dlist_foreach_modify(i, &pool->idle)
	{
		Transfer   *t = dlist_container(Transfer, node, i.cur);

		dlist_delete(&t->node);
		wf_transfer_free(t);
	}
	curl_multi_cleanup(pool->multi);
	pools[pool->place] = NULL;
	pfree(pool->policy);
	pfree(pool);
}

/* NULL: no memory. */
static Pool *
pool_for(const Server *server)
{
	char	   *policy = policy_of(server);
	Pool	   *found = NULL;

	for (int i = 0; i < pool_places; i++)
	{
		Pool	   *pool = pools[i];

		if (pool == NULL || pool->server != server->oid || pool->stale)
			continue;
		if (strcmp(pool->policy, policy) == 0)
			found = pool;
		else
			pool->stale = true;
	}
	if (found == NULL)
		found = new_pool(server, policy);
	pfree(policy);
	return found;
}

static void
close_unused(int64 now)
{
	for (int i = 0; i < pool_places; i++)
	{
		Pool	   *pool = pools[i];

		if (pool != NULL && pool->actives == 0 &&
			(pool->stale || now - pool->idle_since >= IDLE_MILLISECONDS))
			close_pool(pool);
	}
}

/* --- transfers --- */

static void
block_signals(sigset_t *before)
{
	sigset_t	all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, before);
}

static void
restore_signals(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

static Transfer *
idle_transfer(Pool *pool)
{
	if (!dlist_is_empty(&pool->idle))
		return dlist_container(Transfer, node, dlist_pop_head_node(&pool->idle));
	return wf_transfer_new();
}

/* Out of curl's hands, which does not close the connection if it can be used again. */
static void
end_transfer(Pool *pool, Transfer *t)
{
	if (t->talk_socket >= 0)
	{
		no_longer_watched(t->talk_socket);
		/* curl would take leave of the server, and wait for that */
		(void) shutdown(t->talk_socket, SHUT_RDWR);
		pool->talkers--;
	}
	curl_multi_remove_handle(pool->multi, t->easy);
	dlist_delete(&t->node);
	pool->actives--;
	actives--;
	if (pool->actives == 0)
		pool->idle_since = milliseconds();
}

static bool
hand_over(Pool *pool, Transfer *t)
{
	sigset_t	before;
	CURLMcode	added;

	block_signals(&before);
	added = curl_multi_add_handle(pool->multi, t->easy);
	restore_signals(&before);
	if (added != CURLM_OK)
		return false;
	t->pool = pool;
	dlist_push_tail(&pool->active, &t->node);
	pool->actives++;
	actives++;
	return true;
}

bool
wf_transport_begin(const Outgoing *o, int attempt, const Server *server,
				   const Credentials *credentials, TimestampTz now, TransferResult *result)
{
	Pool	   *pool;
	Transfer   *t = NULL;

	memset(result, 0, sizeof(*result));
	result->id = o->id;
	result->attempt = attempt;
	result->end = TRANSFER_NOT_SENT;
	result->code = "no_memory";
	result->retry_after = -1;

	pool = pool_for(server);
	if (pool != NULL)
		t = idle_transfer(pool);
	if (t == NULL)
		return false;
	t->id = o->id;
	t->attempt = attempt;
	if (wf_transfer_prepare(t, o, server, credentials, result))
	{
		if (hand_over(pool, t))
			return true;
		result->end = TRANSFER_NOT_SENT;
		result->code = "no_memory";
	}
	wf_transfer_clean(t);
	dlist_push_head(&pool->idle, &t->node);
	return false;
}

/* Its result; the handle is free for another. */
static List *
finish(Pool *pool, Transfer *t, CURLcode code, List *ended)
{
	end_transfer(pool, t);
	ended = lappend(ended, wf_transfer_judge(t, code));
	wf_transfer_clean(t);
	dlist_push_head(&pool->idle, &t->node);
	return ended;
}

/* A kind that speaks itself goes on as far as it can, and is watched for the rest. */
static List *
talk(Pool *pool, Transfer *t, int64 now, List *ended)
{
	struct epoll_event event = {.events = EPOLLIN};

	t->talk_ready = false;
	if (t->kind->talk(t, now))
		return finish(pool, t, CURLE_OK, ended);
	if (t->talk_writes)
		event.events |= EPOLLOUT;
	event.data.u64 = ((uint64) pool->place << 32) | (uint32) t->talk_socket;
	if (epoll_ctl(descriptor, EPOLL_CTL_MOD, t->talk_socket, &event) != 0)
		(void) epoll_ctl(descriptor, EPOLL_CTL_ADD, t->talk_socket, &event);
	return ended;
}

/* curl has connected and leaves the rest to the kind. */
static bool
begins_to_talk(Pool *pool, Transfer *t, CURLcode code)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code != CURLE_OK || t->kind->talk == NULL ||
		curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
		return false;
	no_longer_watched(fd);				/* it is ours from here on */
	t->talk_socket = fd;
	pool->talkers++;
	return true;
}

/* NULL: the descriptor is curl's. */
static Transfer *
talking_on(Pool *pool, int fd)
{
	dlist_iter	at;

	if (pool->talkers == 0)
		return NULL;
	dlist_foreach(at, &pool->active)
	{
		Transfer   *t = dlist_container(Transfer, node, at.cur);

		if (t->talk_socket == fd)
			return t;
	}
	return NULL;
}

/* Those who have something to hear or to say, and those whose time is over. */
static List *
let_talk(Pool *pool, int64 now, List *ended)
{
	dlist_mutable_iter at;

	if (pool->talkers == 0)
		return ended;
	dlist_foreach_modify(at, &pool->active)
	{
		Transfer   *t = dlist_container(Transfer, node, at.cur);

		if (t->talk_socket >= 0 && (t->talk_ready || t->talk_until <= now))
			ended = talk(pool, t, now, ended);
	}
	return ended;
}

/* Appends the results of those that have ended. */
static List *
collect(Pool *pool, List *ended)
{
	CURLMsg    *message;
	int			left;

	pool->worked = false;
	while ((message = curl_multi_info_read(pool->multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;
		char	   *private;
		Transfer   *t;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		t = (Transfer *) private;
		if (begins_to_talk(pool, t, code))
			ended = talk(pool, t, milliseconds(), ended);
		else
			ended = finish(pool, t, code, ended);
	}
	return ended;
}

static void
act(Pool *pool, curl_socket_t fd, int what)
{
	int			running;

	curl_multi_socket_action(pool->multi, fd, what, &running);
	pool->worked = true;
}

List *
wf_transport_work(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	List	   *ended = NIL;
	sigset_t	before;
	int64		now;
	int			n = epoll_wait(descriptor, events, EVENTS_AT_ONCE, 0);

	block_signals(&before);
	for (int i = 0; i < n; i++)
	{
		uint32		place = (uint32) (events[i].data.u64 >> 32);
		int			what = 0;

		if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			what |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (events[i].events & EPOLLERR)
			what |= CURL_CSELECT_ERR;
		if (place < pool_places && pools[place] != NULL)
		{
			curl_socket_t fd = (curl_socket_t) (events[i].data.u64 & 0xffffffff);
			Transfer   *t = talking_on(pools[place], fd);

			if (t != NULL)
				t->talk_ready = true;
			else if (staying(fd) && !staying(fd)->wanted)
				no_longer_watched(fd);	/* curl sees what it is when it wants to use it again */
			else
				act(pools[place], fd, what);
		}
	}
	now = milliseconds();
	for (int i = 0; i < pool_places; i++)
	{
		if (pools[i] == NULL || pools[i]->call_at < 0 || pools[i]->call_at > now)
			continue;
		pools[i]->call_at = -1;
		act(pools[i], CURL_SOCKET_TIMEOUT, 0);
	}
	restore_signals(&before);

	for (int i = 0; i < pool_places; i++)
	{
		if (pools[i] == NULL)
			continue;
		if (pools[i]->worked)
			ended = collect(pools[i], ended);
		ended = let_talk(pools[i], now, ended);
	}
	close_unused(now);
	return ended;
}

/* When the time of the first who talks is over; -1: nobody does. */
static int64
talk_over_at(Pool *pool)
{
	dlist_iter	at;
	int64		soonest = -1;

	if (pool->talkers == 0)
		return -1;
	dlist_foreach(at, &pool->active)
	{
		Transfer   *t = dlist_container(Transfer, node, at.cur);

		if (t->talk_socket >= 0 && (soonest < 0 || t->talk_until < soonest))
			soonest = t->talk_until;
	}
	return soonest;
}

long
wf_transport_timeout(void)
{
	int64		now = milliseconds();
	int64		soonest = -1;

	for (int i = 0; i < pool_places; i++)
	{
		Pool	   *pool = pools[i];
		int64		at;

		if (pool == NULL)
			continue;
		at = pool->actives == 0 ? pool->idle_since + IDLE_MILLISECONDS : pool->call_at;
		if (at >= 0 && (soonest < 0 || at < soonest))
			soonest = at;
		at = talk_over_at(pool);
		if (at >= 0 && (soonest < 0 || at < soonest))
			soonest = at;
	}
	return soonest < 0 ? -1 : (long) Max(0, soonest - now);
}

void
wf_transport_shutdown(void)
{
	for (int i = 0; i < pool_places; i++)
	{
		Pool	   *pool = pools[i];
		dlist_mutable_iter at;

		if (pool == NULL)
			continue;
		dlist_foreach_modify(at, &pool->active)
		{
			Transfer   *t = dlist_container(Transfer, node, at.cur);

			end_transfer(pool, t);
			wf_transfer_clean(t);
			wf_transfer_free(t);
		}
		close_pool(pool);
	}
	if (descriptor >= 0)
		close(descriptor);
	descriptor = -1;
}
