/*
 * token.c -- tokens in unsubscribe links and return paths: who shows one has had the message.
 *
 * Called by the delivery worker, which makes them, and by unsubscribe() and
 * record_inbound(), which read them.
 *
 * A token is purpose, key, message and 128 bits of an HMAC-SHA256 over purpose and the
 * fields, each with its length before it, so that no other fields give the same bytes.
 * Signed as well is the message's uid, which is drawn by chance: after a restore
 * the same number may be given to another message, whose tokens these are not.
 *
 * Keys are in automation.token_key, which nobody may read.  The latest signs, all verify,
 * so links work on after a change of keys, and after a restore, since the table is
 * dumped.  The signing key is kept in the process (32 bytes, for its life), because mails
 * are put together outside transactions; it is read again when it may have changed.
 * What is shown as a token is compared in constant time with what it would have to be.
 */
#include "postgres.h"

#include <inttypes.h>

#include "access/table.h"
#include "access/xact.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "inbound.h"
#include "outbox.h"
#include "owner.h"
#include "store.h"
#include "suppression.h"

PG_FUNCTION_INFO_V1(wf_rotate_token_key);
PG_FUNCTION_INFO_V1(wf_delivery_token);

enum
{
	KEY_ID = 1, KEY_KEY, KEY_MADE_AT
};
#define KEY_COLUMNS KEY_MADE_AT

#define KEY_BYTES 32
#define MAC_BYTES 16					/* 128 bits */
#define TOKEN_MAX 60
#define DOMAIN "automation token 1"		/* what else is ever signed with these keys says something else */

typedef struct TokenKey
{
	int			id;						/* 0 = none */
	uint8		key[KEY_BYTES];
	TimestampTz made_at;
} TokenKey;

static TokenKey signing;				/* as read last */
static bool stale = true;				/* may have changed since */
static Oid	key_relid = InvalidOid;
static bool is_registered = false;

static void
invalidated(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(key_relid) || relid == key_relid)
		stale = true;
}

/* --- keys --- */

/* A row of another length is no key: nobody but a superuser has written it. */
static bool
key_of(Relation rel, HeapTuple tuple, TokenKey *key)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	bytea	   *bytes;

	key->id = DatumGetInt32(heap_getattr(tuple, KEY_ID, desc, &isnull));
	key->made_at = DatumGetTimestampTz(heap_getattr(tuple, KEY_MADE_AT, desc, &isnull));
	bytes = DatumGetByteaPP(heap_getattr(tuple, KEY_KEY, desc, &isnull));
	if (VARSIZE_ANY_EXHDR(bytes) != KEY_BYTES || key->id <= 0)
		return false;
	memcpy(key->key, VARDATA_ANY(bytes), KEY_BYTES);
	return true;
}

/* The key of that id, or, id 0, the latest; false if there is none. */
static bool
read_key(int id, TokenKey *found)
{
	Relation	rel = wf_store_open("token_key", AccessShareLock);
	SysScanDesc scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 0, NULL);
	HeapTuple	tuple;
	TokenKey	key;

	found->id = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (!key_of(rel, tuple, &key) || (id != 0 && key.id != id))
			continue;
		if (found->id == 0 || key.made_at > found->made_at ||
			(key.made_at == found->made_at && key.id > found->id))
			*found = key;
	}
	systable_endscan(scan);
	key_relid = RelationGetRelid(rel);
	table_close(rel, NoLock);
	return found->id != 0;
}

/* Ids are drawn by chance: those of a restored dump don't meet those made meanwhile. */
static void
make_key(TimestampTz made_at, TokenKey *key)
{
	Relation	rel = wf_store_open("token_key", RowExclusiveLock);
	bytea	   *bytes = palloc(VARHDRSZ + KEY_BYTES);
	Datum		values[KEY_COLUMNS];
	bool		nulls[KEY_COLUMNS] = {0};

	if (!pg_strong_random(&key->id, sizeof(key->id)) || !pg_strong_random(key->key, KEY_BYTES))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not draw a key by chance")));
	key->id = (key->id & PG_INT32_MAX) | 1;
	key->made_at = made_at;
	SET_VARSIZE(bytes, VARHDRSZ + KEY_BYTES);
	memcpy(VARDATA(bytes), key->key, KEY_BYTES);
	values[KEY_ID - 1] = Int32GetDatum(key->id);
	values[KEY_KEY - 1] = PointerGetDatum(bytes);
	values[KEY_MADE_AT - 1] = TimestampTzGetDatum(made_at);
	wf_store_insert(rel, values, nulls, NULL);
	CacheInvalidateRelcache(rel);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/*
 * In a transaction: reads the signing key if it may have changed.  Where there is none it
 * makes the first; one at a time does, the lock is for that.
 */
void
wf_token_prepare(void)
{
	TokenKey	key;

	if (!is_registered)
		CacheRegisterRelcacheCallback(invalidated, (Datum) 0);
	is_registered = true;
	if (!stale)
		return;
	stale = false;						/* first: it may become so while we read */
	if (!read_key(0, &key))
	{
		table_close(wf_store_open("token_key", ShareRowExclusiveLock), NoLock);
		if (!read_key(0, &key))
			make_key(wf_clock_now(), &key);
		stale = true;					/* one's own is read again once it is committed */
	}
	signing = key;
}

/* rotate_token_key() */
Datum
wf_rotate_token_key(PG_FUNCTION_ARGS)
{
	TokenKey	key;
	TimestampTz now = wf_clock_now();

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to make a new key for tokens")));
	table_close(wf_store_open("token_key", ShareRowExclusiveLock), NoLock);
	if (read_key(0, &key))
		now = Max(now, key.made_at + 1);	/* the virtual clock is not dumped */
	make_key(now, &key);
	PG_RETURN_INT32(key.id);
}

/* --- signing --- */

static void
add(pg_hmac_ctx *hmac, const void *bytes, uint32 length, bool *failed)
{
	uint32		prefix = pg_hton32(length);

	*failed = *failed || pg_hmac_update(hmac, (const uint8 *) &prefix, sizeof(prefix)) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) bytes, length) < 0;
}

/* HMAC of purpose, key id, message and uid. */
static bool
sign_fields(const TokenKey *key, char purpose, int64 message, const char *uid, uint8 *digest)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	uint32		id = pg_hton32((uint32) key->id);
	uint64		number = pg_hton64((uint64) message);
	bool		failed;

	if (hmac == NULL)
		return false;
	failed = pg_hmac_init(hmac, key->key, KEY_BYTES) < 0;
	add(hmac, DOMAIN, strlen(DOMAIN), &failed);
	add(hmac, &purpose, 1, &failed);
	add(hmac, &id, sizeof(id), &failed);
	add(hmac, &number, sizeof(number), &failed);
	add(hmac, uid, strlen(uid), &failed);
	failed = failed || pg_hmac_final(hmac, digest, PG_SHA256_DIGEST_LENGTH) < 0;
	pg_hmac_free(hmac);
	return !failed;
}

/*
 * The text; NULL: it can't be computed.  The core enters what it takes of OpenSSL with the
 * resource owner, and outside transactions there is none.
 */
static char *
token_text(const TokenKey *key, char purpose, int64 message, const char *uid)
{
	ResourceOwner old = CurrentResourceOwner;
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char		mac[2 * MAC_BYTES + 1];
	bool		ok;

	if (old == NULL)
		CurrentResourceOwner = ResourceOwnerCreate(NULL, "automation token");
	ok = sign_fields(key, purpose, message, uid, digest);
	if (old == NULL)
	{
		ResourceOwner mine = CurrentResourceOwner;

		CurrentResourceOwner = NULL;
		ResourceOwnerRelease(mine, RESOURCE_RELEASE_BEFORE_LOCKS, false, true);
		ResourceOwnerDelete(mine);
	}
	if (!ok)
		return NULL;
	mac[hex_encode((const char *) digest, MAC_BYTES, mac)] = '\0';
	return psprintf("%c%x-%" PRIx64 "-%s", purpose, (uint32) key->id, (uint64) message, mac);
}

char *
wf_token_make(char purpose, int64 message, const char *uid)
{
	if (IsTransactionState())
		wf_token_prepare();
	return signing.id == 0 ? NULL : token_text(&signing, purpose, message, uid);
}

/*
 * delivery_token(delivery, purpose): for who may suppress the recipient anyway.  The same
 * error for what there is not and what is not his.
 */
Datum
wf_delivery_token(PG_FUNCTION_ARGS)
{
	int64		message = PG_GETARG_INT64(0);
	char	   *purpose = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Outgoing   *o = wf_outgoing_load(message);
	Oid			owner = o ? wf_owner_role(o->owner) : InvalidOid;
	char	   *token;

	if (strcmp(purpose, "unsubscribe") != 0 && strcmp(purpose, "return") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown purpose of a token"),
				 errhint("Purposes are unsubscribe and return.")));
	if (!superuser() && (!OidIsValid(owner) || !has_privs_of_role(GetUserId(), owner)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("no message " INT64_FORMAT " of a role of yours", message)));
	if (o == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no message " INT64_FORMAT, message)));
	token = wf_token_make(purpose[0] == 'u' ? 'u' : 'v', o->id, o->uid);
	if (token == NULL)
		elog(ERROR, "could not compute a token");
	PG_RETURN_TEXT_P(cstring_to_text(token));
}

/* --- reading --- */

/* Parses "<purpose><key>-<message>-..."; what follows is compared as a whole. */
static bool
parse(char purpose, const char *token, uint32 *key, uint64 *message)
{
	char	   *end;

	if (token[0] != purpose || strspn(token, "0123456789abcdefuv-") != strlen(token))
		return false;
	*key = strtoul(token + 1, &end, 16);
	if (*end != '-')
		return false;
	*message = strtou64(end + 1, &end, 16);
	return *end == '-';
}

/* The message's uid; an empty one, which nobody has, for a message nobody knows. */
static char *
uid_of(int64 message)
{
	Outgoing   *o = wf_sent_link_load(message);

	return o == NULL ? "" : o->uid;
}

/* Relays may change the case of a local part. */
static bool
lower_case(const char *token, char *copy)
{
	size_t		length = strlen(token);

	if (length == 0 || length > TOKEN_MAX)
		return false;
	for (size_t i = 0; i <= length; i++)
		copy[i] = token[i] >= 'A' && token[i] <= 'Z' ? token[i] + ('a' - 'A') : token[i];
	return true;
}

/* Takes as long whatever the first wrong byte is; how long a token is, is no secret. */
static bool
is_same(const char *a, const char *b)
{
	size_t		length = strlen(a);

	return length == strlen(b) && timingsafe_bcmp(a, b, length) == 0;
}

bool
wf_token_read(char purpose, const char *token, int64 *message)
{
	char		shown[TOKEN_MAX + 1];
	uint32		id;
	uint64		number;
	TokenKey	key;
	char	   *uid;
	char	   *expected;

	if (!lower_case(token, shown) || !parse(purpose, shown, &id, &number) || id == 0 || id > PG_INT32_MAX)
		return false;
	if (!read_key((int) id, &key))
		return false;
	uid = uid_of((int64) number);
	expected = token_text(&key, purpose, (int64) number, uid);
	if (expected == NULL || !is_same(expected, shown) || uid[0] == '\0')
		return false;
	*message = (int64) number;
	return true;
}
