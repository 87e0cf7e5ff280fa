/*
 * transport_mail.c -- a mail as a transfer: curl connects and logs in, smtp.c hands it
 * over, and here is judged how that has ended.
 *
 * Called by transfer.c and transport.c.  A login is tried on an encrypted connection
 * only; without one TLS is used where the server offers it.  What is refused before MAIL is
 * about us and not about the message, so it counts as not sent and is tried again,
 * whatever the number: a wrong password must not be the end of every mail.  A
 * connection that is lost after the end of the message was said leaves it open
 * whether the mail was taken: TRANSFER_BROKEN.
 */
#include "postgres.h"

#include <ctype.h>
#include <unistd.h>

#include "portability/instr_time.h"

#include "compat.h"
#include "smtp.h"
#include "transport_internal.h"

typedef struct MailState
{
	Mail	   *mail;
	int			timeout;
	instr_time	began;
	bool		talking;
	SmtpTalk	talk;
} MailState;

/* --- the connection --- */

/* Whom we say we are: this machine, if its name is a whole one, else the sender's domain. */
static char *
greeting_name(const Mail *mail)
{
	char		name[256];

	if (gethostname(name, sizeof(name)) == 0)
	{
		name[sizeof(name) - 1] = '\0';
		if (strchr(name, '.') && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == strlen(name))
			return pstrdup(name);
	}
	return pstrdup(strrchr(mail->return_path, '@') + 1);
}

static bool
set_login(CURL *easy, const Credentials *credentials)
{
	if (credentials == NULL || (credentials->user == NULL && credentials->bearer == NULL))
		return false;
	if (credentials->user)
		curl_easy_setopt(easy, CURLOPT_USERNAME, credentials->user);
	if (credentials->password)
		curl_easy_setopt(easy, CURLOPT_PASSWORD, credentials->password);
	if (credentials->bearer)
		curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, credentials->bearer);
	return true;
}

static bool
prepare_mail(Transfer *t, const Outgoing *o, const Server *server, const Credentials *credentials, TransferResult *result)
{
	MailState  *state = palloc0(sizeof(MailState));
	const char *problem;
	char	   *url;
	bool		login;

	state->mail = wf_mail_build(o, server, &problem);
	if (state->mail == NULL)
	{
		wf_transfer_refuse(result, "invalid_message", problem);
		if (problem == wf_mail_no_key)
			result->end = TRANSFER_NOT_SENT;
		return false;
	}
	state->timeout = server->timeout;
	INSTR_TIME_SET_CURRENT(state->began);
	t->state = state;
	url = psprintf("%s/%s", server->url, greeting_name(state->mail));
	login = set_login(t->easy, credentials);
	if (curl_easy_setopt(t->easy, CURLOPT_URL, url) != CURLE_OK ||
		curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps") != CURLE_OK ||
		curl_easy_setopt(t->easy, CURLOPT_USE_SSL, login ? (long) CURLUSESSL_ALL : (long) CURLUSESSL_TRY) != CURLE_OK ||
		curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK)
		return wf_transfer_refuse(result, "invalid_server", "the server's url can't be used");
	return true;
}

/* Whether the greeting announced an extension: a line of the kind "250-SIZE 1000". */
static bool
is_announced(const Transfer *t, const char *extension)
{
	size_t		length = strlen(extension);

	for (size_t i = 0; i + 4 + length <= t->head.length; i++)
		if ((i == 0 || t->head.data[i - 1] == '\n') && strncmp(t->head.data + i, "250", 3) == 0 &&
			pg_strncasecmp(t->head.data + i + 4, extension, length) == 0)
			return true;
	return false;
}

static bool
talk_mail(Transfer *t, int64 now)
{
	MailState  *state = t->state;
	bool		over;

	if (!state->talking)
	{
		wf_smtp_begin(&state->talk, t->easy, state->mail, state->timeout, is_announced(t, "SIZE"), now);
		state->talking = true;
	}
	over = wf_smtp_go_on(&state->talk, now);
	t->talk_until = state->talk.until;
	t->talk_writes = state->talk.wants_to_write;
	return over;
}

/* --- the end --- */

/* Before MAIL: curl's own error says where, the last reply why. */
static void
judge_connection(Transfer *t, CURLcode ended, TransferResult *result)
{
	long		status = 0;

	wf_transfer_failed(t, ended, false, result);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 400 || status > 599)
		return;
	result->status = (int) status;
	switch (ended)
	{
		case CURLE_WEIRD_SERVER_REPLY:
			result->code = "at_connect";
			result->error = psprintf("the server takes no mail now (%ld)", status);
			break;
		case CURLE_REMOTE_ACCESS_DENIED:
			result->code = "at_ehlo";
			result->error = psprintf("the server refused the greeting (%ld)", status);
			break;
		case CURLE_USE_SSL_FAILED:
			result->code = "tls";
			result->error = psprintf("the server refused STARTTLS (%ld)", status);
			break;
		case CURLE_LOGIN_DENIED:
			result->code = "login_denied";
			result->error = psprintf("the server did not accept user and password (%ld)", status);
			break;
		default:
			result->status = 0;
	}
}

static const struct
{
	const char *code;
	const char *words;
}			stations[] =
{
	[TALK_MAIL] = {"at_mail", "the sender"},
	[TALK_RCPT] = {"at_rcpt", "the recipient"},
	[TALK_DATA] = {"at_data", "to take the message"},
	[TALK_MESSAGE] = {"at_message", "the message while it was sent"},
	[TALK_END] = {"at_end", "the message"}
};

static void
judge_reply(const SmtpTalk *talk, TransferResult *result)
{
	size_t		length = talk->heard;

	while (length > 0 && isspace((unsigned char) talk->reply[length - 1]))
		length--;
	result->end = TRANSFER_ANSWERED;
	result->status = talk->status;
	result->answer = wf_remote_text(talk->reply, length, 0);
	if (talk->status < 300 && talk->state == TALK_END)
	{
		result->provider_id = wf_smtp_provider_id(result->answer);
		if (talk->refused > 0)
			result->error = psprintf("%d of %d copies were refused", talk->refused, list_length(talk->mail->recipients) - 1);
		return;
	}
	if (talk->status < 400)
	{
		/* nobody says 2xx to half a message, or 3xx to a recipient; said to a whole one it means neither yes nor no */
		result->end = talk->state == TALK_END ? TRANSFER_BROKEN : TRANSFER_NOT_SENT;
		result->code = "invalid_answer";
		result->error = psprintf("an answer out of place (%d)", talk->status);
		return;
	}
	result->code = stations[talk->state].code;
	result->error = psprintf("the server refused %s (%d)", stations[talk->state].words, talk->status);
	result->bad_recipient = talk->state == TALK_RCPT && wf_smtp_is_bad_recipient(talk->status, result->answer);
	/* login or encryption is wanted first: about us */
	if (talk->status == 530 || talk->status == 538)
		result->end = TRANSFER_NOT_SENT;
}

static void
judge_talk(const SmtpTalk *talk, TransferResult *result)
{
	if (talk->end == TALK_ANSWERED)
	{
		judge_reply(talk, result);
		return;
	}
	result->end = talk->state == TALK_END ? TRANSFER_BROKEN : TRANSFER_NOT_SENT;
	switch (talk->end)
	{
		case TALK_TIMEOUT:
			result->code = "timeout";
			result->error = pstrdup("it took too long");
			break;
		case TALK_NONSENSE:
			result->code = "invalid_answer";
			result->error = pstrdup("the answer could not be understood");
			break;
		default:
			result->code = "reset";
			result->error = pstrdup(talk->state == TALK_END ? "the connection ended after the message and before the answer" :
									"the connection ended before the message was sent");
	}
}

static void
judge_mail(Transfer *t, CURLcode ended, TransferResult *result)
{
	MailState  *state = t->state;
	instr_time	time;

	INSTR_TIME_SET_CURRENT(time);
	INSTR_TIME_SUBTRACT(time, state->began);
	result->milliseconds = (int) INSTR_TIME_GET_MILLISEC(time);
	if (state->talking)
		judge_talk(&state->talk, result);
	else
		judge_connection(t, ended, result);
}

static void
release_mail(Transfer *t)
{
	/* all of it is in the transfer's context */
}

const TransferKind wf_transfer_mail = {
	.prepare = prepare_mail,
	.talk = talk_mail,
	.judge = judge_mail,
	.release = release_mail
};
