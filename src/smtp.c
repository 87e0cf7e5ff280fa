/*
 * smtp.c -- the conversation in which a mail is handed over.
 *
 * Called by transport_mail.c.  curl makes the connection -- names, addresses, TLS,
 * STARTTLS, login -- and then passes bytes (CURLOPT_CONNECT_ONLY).  MAIL, RCPT and DATA are
 * said here, since curl would wait for the last reply without returning, minutes if
 * need be, and with it every other delivery; and since only who speaks himself knows which
 * command was refused and whether the end of the message may have arrived.
 *
 * Never waits, raises nothing, and takes no memory: what is said is the mail's, or fits
 * the struct; replies of hostile length end it.  Mailboxes and message have been
 * checked: no line break is in an address, no line of the message begins with a dot.
 */
#include "postgres.h"

#include "compat.h"
#include "smtp.h"

#define LAST_REPLY (10 * 60 * 1000)		/* ms: RFC 5321, 4.5.3.2.6 */
#define MAX_ID 100						/* bytes of what the server calls a mail */

static const char end_of_message[] = ".\r\n";

/* --- saying --- */

static void
say(SmtpTalk *talk, TalkState state, const char *text, size_t length, int64 now)
{
	talk->state = state;
	talk->out = text;
	talk->left = length;
	talk->until = now + (state == TALK_END ? Max(LAST_REPLY, talk->timeout) : talk->timeout);
}

static void
ask_recipient(SmtpTalk *talk, int64 now)
{
	int			len = snprintf(talk->command, sizeof(talk->command), "RCPT TO:<%s>\r\n",
							   (char *) list_nth(talk->mail->recipients, talk->recipient));

	say(talk, TALK_RCPT, talk->command, len, now);
}

void
wf_smtp_begin(SmtpTalk *talk, CURL *easy, const Mail *mail, int timeout, bool size_announced, int64 now)
{
	int			len;

	memset(talk, 0, sizeof(*talk));
	talk->easy = easy;
	talk->mail = mail;
	talk->timeout = timeout;
	talk->end = TALK_GOES_ON;
	if (size_announced)
		len = snprintf(talk->command, sizeof(talk->command), "MAIL FROM:<%s> SIZE=%zu\r\n", mail->return_path, mail->length);
	else
		len = snprintf(talk->command, sizeof(talk->command), "MAIL FROM:<%s>\r\n", mail->return_path);
	say(talk, TALK_MAIL, talk->command, len, now);
}

/* False: the rest has to wait, or the connection has ended. */
static bool
send_some(SmtpTalk *talk, int64 now)
{
	while (talk->left > 0)
	{
		size_t		sent = 0;
		CURLcode	code = curl_easy_send(talk->easy, talk->out, talk->left, &sent);

		if (code == CURLE_AGAIN)
			return false;
		if (code != CURLE_OK)
		{
			talk->end = TALK_LOST;
			return false;
		}
		talk->out += sent;
		talk->left -= sent;
		/* a large message may take its time, as long as it moves */
		if (talk->state == TALK_MESSAGE)
			talk->until = now + talk->timeout;
		if (talk->left == 0 && talk->state == TALK_MESSAGE)
			say(talk, TALK_END, end_of_message, strlen(end_of_message), now);
	}
	return true;
}

/* --- hearing --- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A whole reply has come: what to say now, or that it is over. */
static void
answer(SmtpTalk *talk, int status, int64 now)
{
	bool		accepted = status >= 200 && status < 300;

	talk->status = status;
	if (talk->state == TALK_MAIL && accepted)
		ask_recipient(talk, now);
	else if (talk->state == TALK_RCPT && (accepted || talk->recipient > 0))
	{
		/* nobody has the mail if its own recipient is refused; of the copies each stands for itself */
		talk->refused += !accepted;
		if (++talk->recipient < list_length(talk->mail->recipients))
			ask_recipient(talk, now);
		else
			say(talk, TALK_DATA, "DATA\r\n", 6, now);
	}
	else if (talk->state == TALK_DATA && status == 354)
		say(talk, TALK_MESSAGE, talk->mail->data, talk->mail->length, now);
	else
		talk->end = TALK_ANSWERED;
}

/* Of what was heard the lines that are whole; the last one of a reply has a space behind its number. */
static void
take_lines(SmtpTalk *talk, int64 now)
{
	char	   *end;

	while (talk->end == TALK_GOES_ON &&
		   (end = memchr(talk->reply + talk->line, '\n', talk->heard - talk->line)) != NULL)
	{
		const char *line = talk->reply + talk->line;
		bool		more = end + 1 < talk->reply + talk->heard;

		if (end - line < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]) ||
			strchr(" -\r\n", line[3]) == NULL)
		{
			talk->end = TALK_NONSENSE;
			return;
		}
		talk->line = end + 1 - talk->reply;
		if (line[3] == '-')
			continue;
		/* what was not asked for: another reply behind this one, or one in the middle of a command */
		if (talk->state < TALK_MESSAGE && (more || talk->left > 0))
		{
			talk->end = TALK_NONSENSE;
			return;
		}
		answer(talk, (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'), now);
		if (talk->end == TALK_GOES_ON)
			talk->heard = talk->line = 0;
	}
}

/* False: nothing more to hear now. */
static bool
receive_some(SmtpTalk *talk, int64 now)
{
	size_t		got = 0;
	CURLcode	code;

	/* one byte is for the terminator */
	if (talk->heard >= sizeof(talk->reply) - 1)
	{
		talk->end = TALK_NONSENSE;
		return false;
	}
	code = curl_easy_recv(talk->easy, talk->reply + talk->heard, sizeof(talk->reply) - 1 - talk->heard, &got);
	if (code == CURLE_AGAIN)
		return false;
	if (code != CURLE_OK || got == 0)
	{
		talk->end = TALK_LOST;
		return false;
	}
	talk->heard += got;
	take_lines(talk, now);
	return talk->end == TALK_GOES_ON;
}

/* Of good manners; whether it arrives makes no difference. */
static void
take_leave(SmtpTalk *talk)
{
	size_t		sent;

	if (talk->end == TALK_ANSWERED && talk->left == 0)
		(void) curl_easy_send(talk->easy, "QUIT\r\n", 6, &sent);
}

bool
wf_smtp_go_on(SmtpTalk *talk, int64 now)
{
	/* bounded: each round hears bytes, and a conversation has few replies */
	do
	{
		(void) send_some(talk, now);
		/* a server that hangs up while it is spoken to may have said why */
	} while (receive_some(talk, now));
	if (talk->end == TALK_GOES_ON && now >= talk->until)
		talk->end = TALK_TIMEOUT;
	talk->wants_to_write = talk->left > 0;
	talk->reply[talk->heard] = '\0';
	if (talk->end == TALK_GOES_ON)
		return false;
	take_leave(talk);
	return true;
}

/* --- reading replies --- */

static bool
is_id_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || (c != '\0' && strchr("-_.@+=/", c));
}

static char *
id_at(const char *text)
{
	int			len = 0;

	text += strspn(text, " <");
	while (is_id_byte(text[len]))
		len++;
	/* the end of a sentence is none of the id */
	while (len > 0 && text[len - 1] == '.')
		len--;
	return len >= 4 && len <= MAX_ID ? pnstrdup(text, len) : NULL;
}

char *
wf_smtp_provider_id(const char *reply)
{
	/* Postfix and those like it, Exim, SES; then what is left of them */
	static const char *const before[] = {"queued as ", "queued mail for delivery ", " id=", " Ok ", " OK ", " ok "};

	for (int i = 0; i < lengthof(before); i++)
	{
		const char *found = strstr(reply, before[i]);
		char	   *id = found ? id_at(found + strlen(before[i])) : NULL;

		/* a word is none */
		if (id && strpbrk(id, "0123456789"))
			return id;
	}
	return NULL;
}

bool
wf_smtp_is_bad_recipient(int status, const char *reply)
{
	const char *enhanced = strlen(reply) > 4 ? reply + 4 : "";

	if (status < 500)
		return false;
	if (strncmp(enhanced, "5.", 2) == 0)
		return strncmp(enhanced, "5.1.", 4) == 0 ? strncmp(enhanced, "5.1.7", 5) != 0 && strncmp(enhanced, "5.1.8", 5) != 0 :
			strncmp(enhanced, "5.2.1", 5) == 0;
	/* without a code of its own: a server that would not relay says the same number as one that knows nobody of the name */
	for (const char *c = reply; *c; c++)
		if (pg_strncasecmp(c, "relay", 5) == 0 || pg_strncasecmp(c, "authenticat", 11) == 0)
			return false;
	return status == 550 || status == 551 || status == 553;
}
