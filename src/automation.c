/*
 * automation.c -- the library's table of contents: one line per room that has
 * something to set up when PostgreSQL loads us.
 *
 * Settings come first, since the others size and switch themselves by them.
 * Shared memory and the launcher exist only under shared_preload_libraries;
 * without them workflows run by CALL automation.run().
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "analyze.h"
#include "board.h"
#include "call_site.h"
#include "capture.h"
#include "clock.h"
#include "compat.h"
#include "event.h"
#include "launcher.h"
#include "sequence.h"
#include "settings.h"
#include "stat.h"
#include "store.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	wf_settings_init();
	wf_store_init();
	wf_sequence_init();
	wf_clock_init();
	if (process_shared_preload_libraries_in_progress)
	{
		wf_board_init();
		wf_stat_init();
	}
	wf_analyze_init();
	wf_event_init();
	wf_capture_init();
	wf_call_site_init();
	if (process_shared_preload_libraries_in_progress)
		wf_launcher_init();
}
