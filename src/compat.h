/*
 * compat.h -- the one place where PostgreSQL versions differ.
 *
 * Included by every file after postgres.h.  Each shim names the version that
 * changed and why; an unsupported version stops the build.
 */
#ifndef WF_COMPAT_H
#define WF_COMPAT_H

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "automation supports PostgreSQL 15 to 18"
#endif

#include "fmgr.h"

/* 16: postgres.h no longer brings what takes values of varying length apart. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * 16: libraries are built with hidden symbols, PGDLLEXPORT shows one, and
 * PG_FUNCTION_INFO_V1 the function.  We hide ours on 15, too, where nothing
 * would show them again.
 */
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname) \
extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record * CppConcat(pg_finfo_,funcname)(void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_,funcname) (void) \
{ \
	static const Pg_finfo_record my_finfo = { 1 }; \
	return &my_finfo; \
} \
extern int no_such_variable
#endif

/*
 * 16: one object_aclcheck() for all kinds of objects.
 * The caller includes utils/acl.h, and catalog/pg_namespace.h or pg_language.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_schema_aclcheck(nspace, role, mode) \
	object_aclcheck(NamespaceRelationId, (nspace), (role), (mode))
#define wf_compat_language_aclcheck(language, role, mode) \
	object_aclcheck(LanguageRelationId, (language), (role), (mode))
#else
#define wf_compat_schema_aclcheck(nspace, role, mode) \
	pg_namespace_aclcheck((nspace), (role), (mode))
#define wf_compat_language_aclcheck(language, role, mode) \
	pg_language_aclcheck((language), (role), (mode))
#endif

/* 18: asks whether a deferrable primary key will do. */
#if PG_VERSION_NUM >= 180000
#define wf_compat_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define wf_compat_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel)
#endif

/*
 * 16: one object_aclcheck() for all kinds of objects.
 * The caller includes utils/acl.h and catalog/pg_proc.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_function_aclcheck(function, role, mode) \
	object_aclcheck(ProcedureRelationId, (function), (role), (mode))
#else
#define wf_compat_function_aclcheck(function, role, mode) \
	pg_proc_aclcheck((function), (role), (mode))
#endif

/*
 * 16: soft errors, which we do not want.  The caller includes utils/regproc.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_name_list(name) stringToQualifiedNameList((name), NULL)
#else
#define wf_compat_name_list(name) stringToQualifiedNameList(name)
#endif

/* 16: CREATEROLE no longer gives power over roles that one does not administer. */
#define WF_COMPAT_CREATEROLE_IS_STRONG (PG_VERSION_NUM < 160000)

/* 18: virtual generated columns; triggers see NULL in them. */
#if PG_VERSION_NUM >= 180000
#define WF_COMPAT_IS_VIRTUAL(generated) ((generated) == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define WF_COMPAT_IS_VIRTUAL(generated) false
#endif

/*
 * 16: relfilenodes are called relfilenumbers.  17: reindex_relation() learned
 * which statement asked.  The caller includes utils/relcache.h, catalog/index.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_new_storage(rel) RelationSetNewRelfilenumber((rel), (rel)->rd_rel->relpersistence)
#else
#define wf_compat_new_storage(rel) RelationSetNewRelfilenode((rel), (rel)->rd_rel->relpersistence)
#endif
#if PG_VERSION_NUM >= 170000
#define wf_compat_reindex_relation(relid, flags, params) reindex_relation(NULL, (relid), (flags), (params))
#else
#define wf_compat_reindex_relation(relid, flags, params) reindex_relation((relid), (flags), (params))
#endif

/*
 * 16: object_aclcheck() and object_ownercheck() for all kinds of objects.
 * The caller includes utils/acl.h, catalog/pg_database.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_database_aclcheck(database, role, mode) \
	object_aclcheck(DatabaseRelationId, (database), (role), (mode))
#define wf_compat_database_ownercheck(database, role) \
	object_ownercheck(DatabaseRelationId, (database), (role))
#else
#define wf_compat_database_aclcheck(database, role, mode) \
	pg_database_aclcheck((database), (role), (mode))
#define wf_compat_database_ownercheck(database, role) \
	pg_database_ownercheck((database), (role))
#endif

/*
 * 17: extensions name what they wait for; and a worker may connect as a role
 * without LOGIN.  The caller includes utils/wait_event.h, postmaster/bgworker.h.
 */
#if PG_VERSION_NUM >= 170000
#define wf_compat_wait_event(name) WaitEventExtensionNew(name)
#define WF_COMPAT_NOLOGIN_FLAG BGWORKER_BYPASS_ROLELOGINCHECK
#define WF_COMPAT_NEEDS_LOGIN false
#else
#define wf_compat_wait_event(name) PG_WAIT_EXTENSION
#define WF_COMPAT_NOLOGIN_FLAG 0
#define WF_COMPAT_NEEDS_LOGIN true
#endif

/*
 * 16: one object_ownercheck() for all kinds of objects.
 * The caller includes utils/acl.h and catalog/pg_class.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_table_ownercheck(relation, role) \
	object_ownercheck(RelationRelationId, (relation), (role))
#else
#define wf_compat_table_ownercheck(relation, role) \
	pg_class_ownercheck((relation), (role))
#endif

/* 16: likewise for foreign servers.  The caller includes utils/acl.h, catalog/pg_foreign_server.h. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_server_aclcheck(server, role, mode) \
	object_aclcheck(ForeignServerRelationId, (server), (role), (mode))
#else
#define wf_compat_server_aclcheck(server, role, mode) \
	pg_foreign_server_aclcheck((server), (role), (mode))
#endif

/* 18: a place for instrumentation.  The caller includes access/genam.h. */
#if PG_VERSION_NUM >= 180000
#define wf_compat_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), NULL, (nkeys), 0)
#else
#define wf_compat_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), (nkeys), 0)
#endif

/* 16: the place of a relation's files is called locator.  The caller includes utils/rel.h. */
#if PG_VERSION_NUM >= 160000
#define WfCompatLocator RelFileLocator
#define wf_compat_locator(rel) ((rel)->rd_locator)
#else
#define WfCompatLocator RelFileNode
#define wf_compat_locator(rel) ((rel)->rd_node)
#endif

/* 17: LockHeldByMe asks whether a stronger mode counts too. */
#if PG_VERSION_NUM >= 170000
#define WF_COMPAT_LOCK_HELD_EXACT , false
#else
#define WF_COMPAT_LOCK_HELD_EXACT
#endif

/* 17: intervals may be infinite.  The caller includes utils/timestamp.h. */
#if PG_VERSION_NUM >= 170000
#define WF_COMPAT_INTERVAL_NOT_FINITE(interval) INTERVAL_NOT_FINITE(interval)
#else
#define WF_COMPAT_INTERVAL_NOT_FINITE(interval) false
#endif

/* 16: tells which indexes need an entry.  The caller includes access/heapam.h. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_heap_update(rel, tid, tuple) \
	do { \
		TU_UpdateIndexes update_indexes_; \
		simple_heap_update((rel), (tid), (tuple), &update_indexes_); \
	} while (0)
#else
#define wf_compat_heap_update(rel, tid, tuple) simple_heap_update((rel), (tid), (tuple))
#endif

/* 18: pg_noreturn, in front of the declaration, replaced pg_attribute_noreturn(). */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * 16: rights of a statement's tables are listed apart from them, and only BRIN
 * indexes may need an entry for a HOT update.  17: a matcher for search paths.
 * 18: partitions pruned at start, virtual generated columns.
 * The caller includes executor/executor.h, catalog/namespace.h, access/tableam.h.
 */
#if PG_VERSION_NUM >= 180000
#define wf_compat_init_range_table(estate, stmt) \
	ExecInitRangeTable((estate), (stmt)->rtable, (stmt)->permInfos, (stmt)->unprunableRelids)
#define wf_compat_check_result_rel(result, operation) \
	CheckValidResultRel((result), (operation), ONCONFLICT_NONE, NIL)
#define WF_COMPAT_HAS_VIRTUAL(constraints) ((constraints)->has_generated_virtual)
#else
#if PG_VERSION_NUM >= 160000
#define wf_compat_init_range_table(estate, stmt) \
	ExecInitRangeTable((estate), (stmt)->rtable, (stmt)->permInfos)
#else
#define wf_compat_init_range_table(estate, stmt) ExecInitRangeTable((estate), (stmt)->rtable)
#endif
#if PG_VERSION_NUM >= 170000
#define wf_compat_check_result_rel(result, operation) CheckValidResultRel((result), (operation), NIL)
#else
#define wf_compat_check_result_rel(result, operation) CheckValidResultRel((result), (operation))
#endif
#define WF_COMPAT_HAS_VIRTUAL(constraints) false
#endif
/* The file a table is in, and whether this transaction has made it. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_file(rel) ((rel)->rd_locator.relNumber)
#define wf_compat_file_is_new(rel) ((rel)->rd_firstRelfilelocatorSubid != InvalidSubTransactionId)
#else
#define wf_compat_file(rel) ((rel)->rd_node.relNode)
#define wf_compat_file_is_new(rel) ((rel)->rd_firstRelfilenodeSubid != InvalidSubTransactionId)
#endif
#if PG_VERSION_NUM >= 170000
#define wf_compat_search_path_matches(path) SearchPathMatchesCurrentEnvironment(path)
#else
#define wf_compat_search_path_matches(path) OverrideSearchPathMatchesCurrent(path)
#endif
#if PG_VERSION_NUM >= 160000
#define wf_compat_check_permissions(stmt) ExecCheckPermissions((stmt)->rtable, (stmt)->permInfos, true)
#define wf_compat_update_indexes TU_UpdateIndexes
#define wf_compat_insert_index_tuples(result, slot, estate) \
	ExecInsertIndexTuples((result), (slot), (estate), false, false, NULL, NIL, false)
#define wf_compat_update_index_tuples(result, slot, estate, which) \
	((which) == TU_None ? NIL : \
	 ExecInsertIndexTuples((result), (slot), (estate), true, false, NULL, NIL, (which) == TU_Summarizing))
#else
#define wf_compat_check_permissions(stmt) ExecCheckRTPerms((stmt)->rtable, true)
#define wf_compat_update_indexes bool
#define wf_compat_insert_index_tuples(result, slot, estate) \
	ExecInsertIndexTuples((result), (slot), (estate), false, false, NULL, NIL)
#define wf_compat_update_index_tuples(result, slot, estate, which) \
	((which) ? ExecInsertIndexTuples((result), (slot), (estate), true, false, NULL, NIL) : NIL)
#endif

/*
 * 16: aliases of joins are flattened by the planner and by others.  18: columns of
 * GROUP BY are entries of the range table.
 * The caller includes optimizer/optimizer.h, nodes/parsenodes.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_compat_flatten_join_vars(query, node) flatten_join_alias_vars(NULL, (query), (node))
#else
#define wf_compat_flatten_join_vars(query, node) flatten_join_alias_vars((query), (node))
#endif
#if PG_VERSION_NUM >= 180000
#define wf_compat_group_expr(rte, attno) \
	((rte)->rtekind == RTE_GROUP && (attno) > 0 ? (Node *) list_nth((rte)->groupexprs, (attno) - 1) : NULL)
#else
#define wf_compat_group_expr(rte, attno) ((Node *) NULL)
#endif

/*
 * 16: what is called for a part of JSON says whether to go on; 17: the lexer's place may be given.
 * The caller includes utils/jsonfuncs.h.
 */
#if PG_VERSION_NUM >= 160000
#define wf_json_action JsonParseErrorType
#define WF_JSON_ACTION_DONE return JSON_SUCCESS
#else
#define wf_json_action void
#define WF_JSON_ACTION_DONE return
#endif
#if PG_VERSION_NUM >= 170000
#define wf_compat_json_lexer(json) makeJsonLexContext(NULL, (json), true)
#else
#define wf_compat_json_lexer(json) makeJsonLexContext((json), true)
#endif

/*
 * 17: a wait event set belongs to a resource owner; ours to none, so the caller frees it.
 * The caller includes storage/latch.h.
 */
#if PG_VERSION_NUM >= 170000
#define wf_compat_create_wait_event_set(context, n) CreateWaitEventSet(NULL, (n))
#else
#define wf_compat_create_wait_event_set(context, n) CreateWaitEventSet((context), (n))
#endif

#endif
