/*
 * mail_header.c -- the headers of a mail: encoding, folding, and which there are.
 *
 * Called by mail.c, in the worker, outside transactions.  Every line that leaves
 * here was folded here: values come without line breaks (who has one is refused),
 * names and addresses have been checked.  What is not ASCII becomes encoded words
 * of RFC 2047.  Writes into the caller's buffer, raises nothing but out of memory.
 */
#include "postgres.h"

#include "common/base64.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "mail.h"
#include "message.h"

/* Bytes of text in an encoded word: 45 are 60 in base64, and with =?UTF-8?B??= 72. */
#define WORD_BYTES 45

/* May it stand as it is: ASCII, nothing that looks like an encoded word, no word that
 * can't be folded. */
static bool
is_plain(const char *text)
{
	int			word = 0;

	if (strstr(text, "=?") || *text == ' ' || (*text && text[strlen(text) - 1] == ' '))
		return false;
	for (; *text; text++)
	{
		if ((unsigned char) *text < 0x20 || (unsigned char) *text > 0x7e)
			return false;
		word = *text == ' ' ? 0 : word + 1;
		if (word > MAIL_LINE - 2)
			return false;
	}
	return true;
}

/* How much room the last line has taken. */
static int
column_of(StringInfo to)
{
	int			at = to->len;

	while (at > 0 && to->data[at - 1] != '\n')
		at--;
	return to->len - at;
}

/* Another piece, with a space before it, or on a line of its own. */
static void
append_folded(StringInfo to, const char *piece, int len)
{
	if (column_of(to) + 1 + len > MAIL_LINE)
		appendStringInfoString(to, "\r\n");
	appendStringInfoChar(to, ' ');
	appendBinaryStringInfo(to, piece, len);
}

static void
append_plain(StringInfo to, const char *text)
{
	while (*text)
	{
		const char *end = text + 1;

		/* spaces belong to the word after them, so that none is at the end of a line */
		while (*end && (*end != ' ' || end[-1] == ' '))
			end++;
		append_folded(to, text, end - text);
		text = *end ? end + 1 : end;
	}
}

/* Bytes of text in an encoded word, which has 12 more, that fits the line; in a line of its own if hardly any do. */
static int
room_for_word(StringInfo to)
{
	int			room = (MAIL_LINE - column_of(to) - 1 - 12) / 4 * 3;

	return room < WORD_BYTES / 4 ? WORD_BYTES : Min(room, WORD_BYTES);
}

/* As encoded words of whole characters. */
static void
append_encoded(StringInfo to, const char *text)
{
	int			left = strlen(text);

	while (left > 0)
	{
		char		word[WORD_BYTES * 2 + 20];
		int			room = room_for_word(to);
		int			len = 0;
		int			coded;

		while (len < left)
		{
			int			next = Min(pg_encoding_mblen(PG_UTF8, text + len), left - len);

			if (len + next > room)
				break;
			len += next;
		}
		strcpy(word, "=?UTF-8?B?");
		coded = pg_b64_encode((const void *) text, len, word + strlen(word), WORD_BYTES * 2);
		strcpy(word + 10 + coded, "?=");
		append_folded(to, word, strlen(word));
		text += len;
		left -= len;
	}
}

/* "name: value" with the characters that need it encoded, folded. */
static void
write_text(StringInfo to, const char *name, const char *value)
{
	appendStringInfo(to, "%s:", name);
	if (is_plain(value))
		append_plain(to, value);
	else
		append_encoded(to, value);
	appendStringInfoString(to, "\r\n");
}

/* A display name: a quoted string or encoded words. */
static void
append_name(StringInfo to, const char *name)
{
	StringInfoData quoted;

	if (!is_plain(name) || strlen(name) > 50)
	{
		append_encoded(to, name);
		return;
	}
	initStringInfo(&quoted);
	appendStringInfoChar(&quoted, '"');
	for (; *name; name++)
	{
		if (*name == '"' || *name == '\\')
			appendStringInfoChar(&quoted, '\\');
		appendStringInfoChar(&quoted, *name);
	}
	appendStringInfoChar(&quoted, '"');
	append_folded(to, quoted.data, quoted.len);
	pfree(quoted.data);
}

static void
append_mailbox(StringInfo to, const char *name, const char *mailbox, bool last)
{
	char	   *text;

	if (name && *name)
	{
		append_name(to, name);
		text = psprintf("<%s>%s", mailbox, last ? "" : ",");
	}
	else
		text = psprintf("%s%s", mailbox, last ? "" : ",");
	append_folded(to, text, strlen(text));
	pfree(text);
}

static void
write_mailbox(StringInfo to, const char *header, const char *name, const char *mailbox)
{
	appendStringInfo(to, "%s:", header);
	append_mailbox(to, name, mailbox, true);
	appendStringInfoString(to, "\r\n");
}

static void
write_copies(StringInfo to, const Outgoing *o)
{
	List	   *mailboxes = wf_mail_copies(o, "cc");
	ListCell   *lc;

	if (mailboxes == NIL)
		return;
	appendStringInfoString(to, "Cc:");
	foreach(lc, mailboxes)
		append_mailbox(to, NULL, lfirst(lc), lnext(mailboxes, lc) == NULL);
	appendStringInfoString(to, "\r\n");
}

/* Of the first attempt, and so of all: when the message was made. */
static void
write_date(StringInfo to, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		return;
	appendStringInfo(to, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n",
					 pnstrdup(days[j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday))], 3),
					 tm.tm_mday, months[tm.tm_mon - 1], tm.tm_year, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* <id> <id>: anything else was not written by us. */
static bool
is_id_list(const char *text)
{
	while (*text)
	{
		int			len = text[0] == '<' ? strcspn(text, ">") : 0;

		if (len < 4 || text[len] != '>' || len > MAIL_LINE - 2)
			return false;
		for (int i = 1; i < len; i++)
			if ((unsigned char) text[i] <= 0x20 || (unsigned char) text[i] > 0x7e || text[i] == '<')
				return false;
		text += len + 1;
		if (*text == ' ' && text[1] == '<')
			text++;
		else if (*text)
			return false;
	}
	return true;
}

static bool
write_thread(StringInfo to, const Outgoing *o, const char **problem)
{
	static const char *const options[] = {"in_reply_to", "references"};
	static const char *const headers[] = {"In-Reply-To", "References"};

	for (int i = 0; i < lengthof(options); i++)
	{
		char	   *ids = wf_message_option(o->options, options[i]);

		if (ids == NULL)
			continue;
		if (!is_id_list(ids))
		{
			*problem = "the ids of the thread are none";
			return false;
		}
		appendStringInfo(to, "%s:", headers[i]);
		append_plain(to, ids);
		appendStringInfoString(to, "\r\n");
	}
	return true;
}

/* RFC 2369 and 8058: the link is for a POST by the recipient's mail program. */
static void
write_unsubscribe(StringInfo to, const MailLinks *links)
{
	char	   *url = links->url ? psprintf("<%s>%s", links->url, links->mailto ? "," : "") : NULL;
	char	   *mailto = links->mailto ? psprintf("<%s>", links->mailto) : NULL;

	if (url == NULL && mailto == NULL)
		return;
	appendStringInfoString(to, "List-Unsubscribe:");
	if (url)
		append_folded(to, url, strlen(url));
	if (mailto)
		append_folded(to, mailto, strlen(mailto));
	appendStringInfoString(to, "\r\n");
	if (url)
		appendStringInfoString(to, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
}

/* The message's own headers.  Their names have been checked, but one line can't be folded by its name. */
static bool
write_own(StringInfo to, const Outgoing *o, const char **problem)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (o->headers == NULL)
		return true;
	iterator = JsonbIteratorInit(&o->headers->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		char	   *text;

		if (token != WJB_KEY && token != WJB_VALUE)
			continue;
		if (value.type != jbvString)
		{
			*problem = "headers are an object of strings";
			return false;
		}
		text = pnstrdup(value.val.string.val, value.val.string.len);
		if (wf_has_control(text) || (token == WJB_KEY && (!is_plain(text) || strpbrk(text, " :") || *text == '\0' || *text == '.')))
		{
			*problem = "a header has characters that are not allowed there";
			return false;
		}
		if (token == WJB_KEY)
			name = text;
		else
			write_text(to, name, text);
	}
	return true;
}

bool
wf_mail_write_headers(StringInfo to, const Outgoing *o, const Server *server, const MailLinks *links,
					  const char **problem)
{
	char	   *sender = wf_mail_sender(o, server);
	char	   *reply_to = wf_message_option(o->options, "reply_to");
	char	   *from_name = wf_message_option(o->options, "from_name");
	char	   *to_name = wf_message_option(o->options, "to_name");

	if ((o->subject && wf_has_control(o->subject)) || (from_name && wf_has_control(from_name)) || (to_name && wf_has_control(to_name)))
	{
		*problem = "a header has characters that are not allowed there";
		return false;
	}
	write_date(to, o->created_at);
	write_mailbox(to, "From", from_name, sender);
	write_mailbox(to, "To", to_name, o->target);
	write_copies(to, o);
	if (reply_to)
		write_mailbox(to, "Reply-To", NULL, reply_to);
	write_text(to, "Subject", o->subject ? o->subject : "");
	appendStringInfo(to, "Message-ID: %s\r\n", wf_mail_message_id(o->uid, sender));
	if (!write_thread(to, o, problem))
		return false;
	write_unsubscribe(to, links);
	if (strcmp(o->class, "internal") == 0)
		appendStringInfoString(to, "Auto-Submitted: auto-generated\r\n");
	return write_own(to, o, problem);
}
