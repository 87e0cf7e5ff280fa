/*
 * settings.c -- the settings automation.*, and the settings of our workers.
 *
 * _PG_init() defines the settings once per process; every background worker
 * calls wf_settings_harden() right after it connected.  The variables are read
 * by all rooms; values are checked by the core.  Nothing here allocates but
 * what the core's settings machinery keeps for itself.
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "compat.h"
#include "settings.h"

#define MS_PER_SECOND 1000
#define MS_PER_DAY (24 * 60 * 60 * MS_PER_SECOND)

bool		wf_capture_enabled = true;
int			wf_batch_time = 20;
int			wf_step_timeout = 30 * MS_PER_SECOND;
int			wf_max_attempts = 5;
int			wf_retry_delay = MS_PER_SECOND;
int			wf_recheck_interval = 600 * MS_PER_SECOND;
int			wf_max_executors = 4;
int			wf_executor_idle = 3600 * MS_PER_SECOND;
int			wf_event_segment_size = 64 * 1024;
int			wf_reader_limit = 100000;
bool		wf_synchronous_commit = true;
bool		wf_require_safe_path = true;
int			wf_history_level = HISTORY_TRANSITIONS;
char	   *wf_mail_server = NULL;
int			wf_shutdown_wait = 5 * MS_PER_SECOND;
int			wf_delivery_limit = 200;
int			wf_keep_messages = 90;
int			wf_egress = EGRESS_GUARDED;

static const struct config_enum_entry history_levels[] = {
	{"transitions", HISTORY_TRANSITIONS, false},
	{"statements", HISTORY_STATEMENTS, false},
	{NULL, 0, false}
};

static const struct config_enum_entry egress_switches[] = {
	{"off", EGRESS_OFF, false},
	{"guarded", EGRESS_GUARDED, false},
	{"on", EGRESS_ON, false},
	{NULL, 0, false}
};

/*
 * What a database owner may have set by ALTER DATABASE or ALTER ROLE and what
 * would steer, stop or blind a worker.  Time zone and output formats are not
 * here: stored texts are written under formats of their own.  Row security
 * stays on: it means nothing to the coordinator, and for an executor "off"
 * would turn every policy of its owner's tables into an error.
 */
static const struct
{
	const char *name;
	const char *value;
}			hardened[] = {
	{"role", "none"},
	{"search_path", "pg_catalog, pg_temp"},
	{"statement_timeout", "0"},
	{"lock_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"transaction_timeout", "0"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_deferrable", "off"},
	{"check_function_bodies", "on"},
	{"row_security", "on"},
	{"session_replication_role", "origin"},
	{"exit_on_error", "off"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"xmlbinary", "base64"},
	{"default_table_access_method", "heap"},
	{"default_tablespace", ""},
	{"restrict_nonsystem_relation_kind", ""},
	{"automation.capture", "on"},
};

/* description: what it is; details: when to change it, and what then. */
static void
define_bool(const char *name, const char *description, const char *details, bool *variable, GucContext context)
{
	DefineCustomBoolVariable(name, description, details, variable, *variable, context, 0, NULL, NULL, NULL);
}

static void
define_int(const char *name, const char *description, const char *details, int *variable, int min, int max,
		   GucContext context, int unit)
{
	DefineCustomIntVariable(name, description, details, variable, *variable, min, max, context, unit,
							NULL, NULL, NULL);
}

/* Times of one item: batch, step, attempts. */
static void
define_execution(void)
{
	define_int("automation.batch_time", "Time after which a transaction of an executor takes no further item.",
			   "Longer transactions cost less in all, but hold their locks longer. It is also the time an executor waits for a lock.",
			   &wf_batch_time, 1, 10 * MS_PER_SECOND, PGC_SIGHUP, GUC_UNIT_MS);
	/* the watchdog counts to three times this value */
	define_int("automation.step_timeout", "Time after which a statement of a workflow is cancelled.",
			   "One that takes long in company runs again alone first. One that does not let itself be cancelled ends its executor after three times this time.",
			   &wf_step_timeout, 100, INT_MAX / 4, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("automation.max_attempts", "Attempts after which an enrollment has failed.",
			   "automation.retry() lets it go on then. Attempts that met somebody's lock do not count.",
			   &wf_max_attempts, 1, 100, PGC_SIGHUP, 0);
	define_int("automation.retry_delay", "Time to the second attempt; each further one waits four times longer.",
			   "Each pause is up to a fifth longer or shorter than that, so that not all come back at once.",
			   &wf_retry_delay, 1, MS_PER_DAY, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("automation.recheck_interval", "Time between two looks at conditions that no change announces.",
			   "Such as conditions with now(), and events that wait for a workflow that is held.",
			   &wf_recheck_interval, MS_PER_SECOND, MS_PER_DAY, PGC_SIGHUP, GUC_UNIT_MS);
	define_bool("automation.synchronous_commit", "Executors wait until their commits are on disk.",
				"When it is off, what was committed last before a crash is done again after it; only NOTIFY and other databases can tell the difference.",
				&wf_synchronous_commit, PGC_SIGHUP);
}

/* Processes and the space they use.  A server without preload reads the same
 * configuration file, but only a preloaded library may define a setting that
 * is fixed at server start. */
static void
define_processes(void)
{
	define_int("automation.max_executors", "Executors per database at the same time.",
			   "With more owners at work than this they take turns. Each counts against max_worker_processes.",
			   &wf_max_executors, 1, 64,
			   process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, 0);
	define_int("automation.executor_idle", "Time without work after which an executor ends.",
			   "Starting one anew takes some milliseconds; until then it keeps its memory and its seat.",
			   &wf_executor_idle, MS_PER_SECOND, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("automation.event_segment_size", "Size at which the event log goes to its next segment.",
			   "It grows beyond that as long as an old snapshot needs what is in the other one.",
			   &wf_event_segment_size, 1024, INT_MAX, PGC_SIGHUP, GUC_UNIT_KB);
	define_int("automation.reader_limit", "Events an executor keeps in mind at the same time.",
			   "Those beyond it are read when these are done; each takes a little memory.",
			   &wf_reader_limit, 1000, 10000000, PGC_SIGHUP, 0);
}

/* What leaves, how much of it at a time, and how long it is remembered. */
static void
define_delivery(void)
{
	DefineCustomEnumVariable("automation.egress", "Whether messages leave this server.",
							 "guarded: only from a node that automation.arm_egress() was called for, so that a copy sends nothing; on: from any; off: nothing leaves, messages wait.",
							 &wf_egress, wf_egress, egress_switches, PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_int("automation.delivery_limit", "Transfers of a database at the same time.",
			   "Beside it each server has a limit of its own, its option concurrency.",
			   &wf_delivery_limit, 1, 10000, PGC_SIGHUP, 0);
	define_int("automation.shutdown_wait", "Time a delivery worker that is asked to end waits for its transfers.",
			   "What has not ended by then is sent again later, or is of unknown outcome.",
			   &wf_shutdown_wait, 0, 10 * 60 * MS_PER_SECOND, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("automation.keep_messages", "Days after which messages that are over are removed; 0 keeps them.",
			   "Dead ones, and those of unknown outcome, stay until they are sent again, settled or discarded.",
			   &wf_keep_messages, 0, 36500, PGC_SIGHUP, 0);
}

/* Defines all settings; from _PG_init(). */
void
wf_settings_init(void)
{
	define_bool("automation.capture", "Changes are seen by workflows.",
				"Off in a session, for example while data is loaded: its changes start nothing and wake nobody. That counts only for tables of the current user, and for superusers.",
				&wf_capture_enabled, PGC_USERSET);
	define_bool("automation.require_safe_path", "Workflows are refused if everybody can create objects in their search_path.",
				"Such objects could be called in the name of the workflow's owner.",
				&wf_require_safe_path, PGC_SUSET);
	DefineCustomEnumVariable("automation.history", "How much of what workflows do is recorded.",
							 "transitions: entries, waits, ends, errors; statements: a line for each statement that was run, too.",
							 &wf_history_level, wf_history_level, history_levels, PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("automation.mail_server", "Foreign server of mails that name none.",
							   "Each role may set its own, for itself or for a workflow; who sends needs USAGE on the server.",
							   &wf_mail_server, "", PGC_USERSET, 0, NULL, NULL, NULL);
	define_execution();
	define_processes();
	define_delivery();
	MarkGUCPrefixReserved("automation");
}

static void
override(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * The worker's own settings, out of reach of ALTER DATABASE and ALTER ROLE; as
 * overrides they outlive RESET and a reload.  Not in a transaction.
 */
void
wf_settings_harden(void)
{
	StartTransactionCommand();
	/* a database's session_authorization took the coordinator's identity */
	if (GetSessionUserId() != GetAuthenticatedUserId())
		override("session_authorization", GetUserNameFromId(GetAuthenticatedUserId(), false));
	for (int i = 0; i < lengthof(hardened); i++)
	{
		/* some settings exist only in newer servers */
		if (GetConfigOption(hardened[i].name, true, false) != NULL)
			override(hardened[i].name, hardened[i].value);
	}
	/* stronger than "on" may stay: the server's standbys are its own affair */
	if (!wf_synchronous_commit)
		override("synchronous_commit", "off");
	else if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		override("synchronous_commit", "on");
	CommitTransactionCommand();
}
