/*
 * curl_multi.c -- posts a body n times over so many connections, by libcurl's multi
 * interface and nothing else: the floor of the figure "delivery".
 *
 * Built by bench/run alone; no part of the extension.  Usage: curl_multi URL N
 * CONNECTIONS BODY.  Prints the seconds it took; exit code 1 if an answer was not 200.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

static int	epoll;
static long call_after = -1;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL), 0;
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	event.data.fd = fd;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int
on_timer(CURLM *multi, long after, void *arg)
{
	call_after = after;
	return 0;
}

static size_t
on_data(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

static CURL *
new_handle(const char *url, const char *body, struct curl_slist *headers)
{
	CURL	   *easy = curl_easy_init();

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	return easy;
}

/* Those that have ended begin again while there is something to do; returns how many ended. */
static long
collect(CURLM *multi, long *begun, long n)
{
	CURLMsg    *message;
	int			left;
	long		ended = 0;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL	   *easy = message->easy_handle;
		long		status = 0;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (message->data.result != CURLE_OK || status != 200)
		{
			fprintf(stderr, "answer: %s, %ld\n", curl_easy_strerror(message->data.result), status);
			exit(1);
		}
		ended++;
		curl_multi_remove_handle(multi, easy);
		if (*begun < n)
		{
			(*begun)++;
			curl_multi_add_handle(multi, easy);
		}
		else
			curl_easy_cleanup(easy);
	}
	return ended;
}

int
main(int argc, char **argv)
{
	struct curl_slist *headers = NULL;
	CURLM	   *multi;
	long		n;
	long		begun = 0;
	long		ended = 0;
	double		started;
	int			running;

	if (argc != 5)
		return 2;
	n = atol(argv[2]);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:");
	started = now();
	for (; begun < n && begun < atol(argv[3]); begun++)
		curl_multi_add_handle(multi, new_handle(argv[1], argv[4], headers));
	while (ended < n)
	{
		struct epoll_event events[256];
		int			got = epoll_wait(epoll, events, 256, call_after < 0 ? 1000 : (int) call_after);

		for (int i = 0; i < got; i++)
			curl_multi_socket_action(multi, events[i].data.fd,
									 (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) |
									 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0), &running);
		if (got == 0)
		{
			call_after = -1;
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		ended += collect(multi, &begun, n);
	}
	printf("%.6f\n", now() - started);
	return 0;
}
