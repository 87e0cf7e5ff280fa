/*
 * seat.c -- the lock that makes one process at a time work for an owner.
 *
 * Called by executor.c and run.c.  The lock is released by the core after the
 * abort of the transaction is visible, so whoever gets it next sees the truth.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lock.h"

#include "compat.h"
#include "ledger.h"
#include "seat.h"
#include "store.h"

static LOCKTAG
tag_of(int owner)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, wf_store_relid("owner"), owner, 0);
	return tag;
}

/*
 * A process that exits outside a transaction would leave its session locks
 * behind for ever: the core releases them with a transaction's end only.  Runs
 * after the abort of the last transaction, before the process's entry is freed.
 */
static void
release_at_exit(int code, Datum arg)
{
	LockReleaseAll(DEFAULT_LOCKMETHOD, true);
}

/* Takes the lock; false: somebody else has it (not with wait). */
bool
wf_seat_lock(int owner, bool wait)
{
	static bool registered = false;
	LOCKTAG		tag = tag_of(owner);

	if (!registered)
		on_shmem_exit(release_at_exit, (Datum) 0);
	registered = true;
	wf_ledger_expect_nothing();			/* somebody else may have worked meanwhile */
	return LockAcquire(&tag, ExclusiveLock, true, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
wf_seat_unlock(int owner)
{
	LOCKTAG		tag = tag_of(owner);

	(void) LockRelease(&tag, ExclusiveLock, true);
}

bool
wf_seat_held(int owner)
{
	LOCKTAG		tag = tag_of(owner);

	return LockHeldByMe(&tag, ExclusiveLock WF_COMPAT_LOCK_HELD_EXACT);
}
