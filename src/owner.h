/*
 * owner.h -- the only file that switches users, and the ids of owners and
 * watched tables.
 */
#ifndef WF_OWNER_H
#define WF_OWNER_H

#include "utils/array.h"

typedef struct UserScope
{
	Oid			user;
	int			context;
	int			guc_level;
} UserScope;

/*
 * Runs as the workflow's owner: user text is parsed, planned, evaluated here
 * and nowhere else.  path (may be NULL) and config (proconfig, may be NULL)
 * are applied after the switch.  RESTRICTED, in a GUC nest level.  An ERROR
 * between enter and leave is undone by the (sub)transaction's abort, so enter
 * it inside the subtransaction that shall catch the error.
 */
extern void wf_owner_enter(UserScope *scope, Oid role, const char *path, ArrayType *config);
extern void wf_owner_leave(UserScope *scope);

/*
 * Engine scope: the bootstrap superuser with search_path = pg_catalog, pg_temp
 * and standard settings, for SPI in cold commands.  No user code inside.
 */
extern void wf_engine_enter(UserScope *scope);
extern void wf_engine_leave(UserScope *scope);

/* Applies path and proconfig in a nest level of their own, without switching
 * (executor: already the owner).  Returns the nest level for wf_config_leave. */
extern int	wf_config_enter(const char *path, ArrayType *config);
extern void wf_config_leave(int level);

/* Between keep and drop, or forget after a rollback, the path of the last item
 * stays in force for the next one.  No user code runs there but in the items. */
extern void wf_config_keep(void);
extern void wf_config_drop(void);
extern void wf_config_forget(void);

/* automation.owner: id of a role (0 if unknown and !create), role of an id
 * (InvalidOid if unknown). */
extern int	wf_owner_id(Oid role, bool create);
extern Oid	wf_owner_role(int id);

/* automation.source: id of a table (root of a partition tree; 0 if unknown
 * and !create), table of an id (InvalidOid if gone). */
extern int	wf_source_id(Oid relation, bool create);
extern Oid	wf_source_relation(int id);

/* Topmost partitioned ancestor, or the relation itself. */
extern Oid	wf_root_relation(Oid relation);

#endif
