/*
 * egress.c -- may messages leave this node?
 *
 * A copy of a database has the messages of the original, too, and must not send
 * them again.  What tells the two apart is not in the data: a fingerprint of the
 * machine, of the place of the data directory, of the cluster and of the database.
 * automation.egress_node, which is not dumped, holds those that may send.
 *
 * Called by the delivery worker before each claim and before each transfer, by the
 * commands below and by a restore, which disarms.  In a transaction; allocates in
 * the current context.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/table.h"
#include "access/xlog.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "clock.h"
#include "compat.h"
#include "delivery.h"
#include "enginesql.h"
#include "register.h"
#include "settings.h"
#include "store.h"

#define NODE_FINGERPRINT 1
#define MACHINE_ID "/etc/machine-id"
#define MACHINE_ID_SIZE 64

PG_FUNCTION_INFO_V1(wf_egress_fingerprint);
PG_FUNCTION_INFO_V1(wf_arm_egress);
PG_FUNCTION_INFO_V1(wf_disarm_egress);

/* What the machine calls itself; "" if it has no such name. */
static void
machine_id(char *id)
{
	FILE	   *file = AllocateFile(MACHINE_ID, "r");

	memset(id, 0, MACHINE_ID_SIZE);
	if (file == NULL)
		return;
	if (fgets(id, MACHINE_ID_SIZE, file) == NULL)
		id[0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	(void) FreeFile(file);
}

static char *
sha256(const char *text)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *hex = palloc(2 * sizeof(digest) + 1);

	if (hash == NULL || pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) text, strlen(text)) < 0 ||
		pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256 hash")));
	pg_cryptohash_free(hash);
	hex[hex_encode((const char *) digest, sizeof(digest), hex)] = '\0';
	return hex;
}

/* Of this machine, data directory, cluster and database; kept for the life of the
 * process: none of the four changes meanwhile. */
static const char *
fingerprint(void)
{
	static char kept[2 * PG_SHA256_DIGEST_LENGTH + 1] = "";
	char		machine[MACHINE_ID_SIZE];
	struct stat directory;

	if (kept[0] != '\0')
		return kept;
	machine_id(machine);
	if (stat(DataDir, &directory) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read the data directory: %m")));
	strlcpy(kept, sha256(psprintf("%s|" UINT64_FORMAT "|" UINT64_FORMAT "|" UINT64_FORMAT "|%u", machine,
								  (uint64) directory.st_dev, (uint64) directory.st_ino,
								  GetSystemIdentifier(), MyDatabaseId)), sizeof(kept));
	return kept;
}

static bool
is_armed(void)
{
	Relation	rel = wf_store_open("egress_node", AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, NODE_FINGERPRINT, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(fingerprint()));
	/* some rows at most: the index is no shorter way */
	scan = wf_store_scan(rel, NULL, wf_store_snapshot(), 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

const char *
wf_egress_obstacle(void)
{
	if (wf_egress == EGRESS_OFF)
		return "egress_off";
	if (!wf_engine_armed())
		return "disarmed";
	if (wf_egress == EGRESS_GUARDED && !is_armed())
		return "egress_unarmed";
	return NULL;
}

void
wf_egress_disarm(void)
{
	(void) wf_engine_sql("DELETE FROM automation.egress_node", "");
}

/* automation.egress_fingerprint(): also on a standby. */
Datum
wf_egress_fingerprint(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(fingerprint()));
}

static void
require_superuser(const char *command)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for automation.%s()", command),
				 errhint("A superuser decides which nodes send messages.")));
}

/* The node an argument means; NULL = this one. */
static const char *
node_of(FunctionCallInfo fcinfo)
{
	char	   *node = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (node && (strlen(node) != 2 * PG_SHA256_DIGEST_LENGTH || strspn(node, "0123456789abcdef") != strlen(node)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a fingerprint", node),
				 errhint("On the other node: SELECT automation.egress_fingerprint().")));
	return node ? node : fingerprint();
}

/* automation.arm_egress(fingerprint, name) */
Datum
wf_arm_egress(PG_FUNCTION_ARGS)
{
	require_superuser("arm_egress");
	wf_engine_sql("INSERT INTO automation.egress_node (fingerprint, name, armed_at) VALUES ($1, $2, $3)"
				  " ON CONFLICT (fingerprint) DO UPDATE SET name = coalesce(excluded.name, egress_node.name), armed_at = excluded.armed_at",
				  "ttz", node_of(fcinfo), PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)), wf_clock_now());
	wf_delivery_wake_at_commit();
	PG_RETURN_VOID();
}

/* automation.disarm_egress(fingerprint): was it armed? */
Datum
wf_disarm_egress(PG_FUNCTION_ARGS)
{
	require_superuser("disarm_egress");
	PG_RETURN_BOOL(wf_engine_sql("DELETE FROM automation.egress_node WHERE fingerprint = $1", "t", node_of(fcinfo)) > 0);
}
