/*
 * sign.c -- signatures of Standard Webhooks: HMAC-SHA-256 over id, time and body.
 *
 * Called by transport_http.c, outside of transactions, and where a secret is
 * entered (wf_secret_valid()).  The key is overwritten after use.  Raises no error
 * but for lack of memory.
 */
#include "postgres.h"

#include "common/base64.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "compat.h"
#include "sign.h"

#define SECRET_PREFIX "whsec_"
#define KEY_MIN 24						/* bytes */
#define KEY_MAX 64
#define KEY_ENCODED_MAX 88				/* base64 of KEY_MAX bytes, with its padding */

/* Length of the key, 0 if the secret is none. */
static int
key_of(const char *secret, uint8 key[KEY_MAX])
{
	const char *encoded;
	size_t		length;
	uint8		bytes[KEY_ENCODED_MAX];
	int			decoded;

	if (secret == NULL || strncmp(secret, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0)
		return 0;
	encoded = secret + strlen(SECRET_PREFIX);
	length = strlen(encoded);
	/* pg_b64_decode() skips white space, which others may not */
	if (length == 0 || length > KEY_ENCODED_MAX || strcspn(encoded, " \t\r\n") != length)
		return 0;
	decoded = pg_b64_decode(encoded, (int) length, (void *) bytes, sizeof(bytes));
	if (decoded < KEY_MIN || decoded > KEY_MAX)
		decoded = 0;
	memcpy(key, bytes, decoded);
	explicit_bzero(bytes, sizeof(bytes));
	return decoded;
}

bool
wf_secret_valid(const char *secret)
{
	uint8		key[KEY_MAX];
	bool		valid = key_of(secret, key) > 0;

	explicit_bzero(key, sizeof(key));
	return valid;
}

/* PostgreSQL's HMAC is remembered by a resource owner, which outside of transactions is not there. */
static ResourceOwner
some_owner(void)
{
	static ResourceOwner ours = NULL;

	if (CurrentResourceOwner != NULL)
		return CurrentResourceOwner;
	if (ours == NULL)
		ours = ResourceOwnerCreate(NULL, "automation signatures");
	return ours;
}

static bool
hmac(const uint8 *key, int key_length, const char *const parts[], const size_t lengths[], int n,
	 uint8 digest[PG_SHA256_DIGEST_LENGTH])
{
	ResourceOwner before = CurrentResourceOwner;
	pg_hmac_ctx *ctx;
	bool		done;

	CurrentResourceOwner = some_owner();
	ctx = pg_hmac_create(PG_SHA256);
	done = ctx != NULL && pg_hmac_init(ctx, key, key_length) >= 0;
	for (int i = 0; done && i < n; i++)
		done = pg_hmac_update(ctx, (const uint8 *) parts[i], lengths[i]) >= 0;
	done = done && pg_hmac_final(ctx, digest, PG_SHA256_DIGEST_LENGTH) >= 0;
	if (ctx != NULL)
		pg_hmac_free(ctx);
	CurrentResourceOwner = before;
	return done;
}

char *
wf_sign(const char *secret, const char *id, int64 timestamp, const char *body, int length)
{
	uint8		key[KEY_MAX];
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char		head[256];
	const char *parts[2] = {head, body};
	size_t		lengths[2];
	int			key_length = key_of(secret, key);
	int			written = snprintf(head, sizeof(head), "%s." INT64_FORMAT ".", id, timestamp);
	int			room = pg_b64_enc_len(sizeof(digest));
	char	   *result = NULL;

	lengths[0] = written;
	lengths[1] = length;
	if (key_length > 0 && written > 0 && written < (int) sizeof(head) &&
		hmac(key, key_length, parts, lengths, 2, digest))
	{
		result = palloc0(strlen("v1,") + room + 1);
		strcpy(result, "v1,");
		if (pg_b64_encode((void *) digest, sizeof(digest), result + strlen("v1,"), room) < 0)
			result = NULL;
	}
	explicit_bzero(key, sizeof(key));
	return result;
}
