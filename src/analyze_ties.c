/*
 * analyze_ties.c -- by what a changed row of a table is led to the enrollments
 * whose condition reads it.
 *
 * Called at definition (check_wake.c), at run time (expr_ties.c) and by explain.c, as
 * the workflow's owner.  For each table the condition reads, however deep in
 * views, functions and sub-selects, a way is looked for from a column of it to a value of
 * the enrollment, by equalities that a row which matters meets:
 *
 *   o.contact_id = c.id                              the column itself
 *   o.cart_id = k.id AND k.contact_id = c.id         by way of cart
 *
 * Only equalities by which the types are hashed will do, so that equal values have
 * equal ties.  An equality outside a sub-select in FROM counts inside it
 * unless rows of other values can change its result (LIMIT, window functions
 * ...).  The search is breadth first: as few tables on the way as there can be.
 * Reads the query and the catalog; results are in the current context.
 */
#include "postgres.h"
#include "compat.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "analyze_ties.h"
#include "check_decide.h"
#include "owner.h"
#include "store.h"
#include "tie.h"

/* A column on the way, and how it was come by: from nothing (a column of the
 * changed row), by an equality (its value is the one before), or by a row (another
 * column of the row in which the one before has its value). */
typedef struct Place
{
	Table	   *table;
	int			attno;
	struct Place *from;
	bool		by_row;
	int			rows;					/* looked up so far */
} Place;

/* What a side of an equality is. */
typedef struct Side
{
	Table	   *table;					/* a column of it ... */
	int			attno;
	Node	   *value;					/* ... or a value of the enrollment; neither: something else */
} Side;

typedef struct Search
{
	const Scope *scope;
	Table	   *start;
	List	   *places;					/* of Place, to go on from */
	Place	   *here;					/* whose row's equalities are being followed; NULL: the start's */
	Table	   *table;					/* ... the row's */
	Place	   *end;					/* the best way found */
	Node	   *value;
	bool		array;
	int			rank;
} Search;

#define MAX_ROWS 6						/* tables on the way */
#define MAX_PLACES 500

/* ----------------------------------------------------------------
 * Sides
 * ----------------------------------------------------------------
 */

/* Is the level the start's, or one around it? */
static bool
is_around(const Search *s, const Level *level)
{
	for (Level *l = s->start->level; l; l = l->parent)
	{
		if (l == level)
			return true;
	}
	return false;
}

/* May an equality on the column be asked inside already? */
static bool
can_push_into(const Query *query, int attno)
{
	TargetEntry *target = wf_level_target(query, attno);
	ListCell   *lc;

	if (query->limitCount || query->limitOffset || query->hasWindowFuncs || query->hasDistinctOn ||
		query->hasTargetSRFs || query->groupingSets != NIL || target == NULL)
		return false;
	if (query->setOperations)
		return true;					/* equal rows have equal columns */
	if (query->groupClause == NIL)
		return !query->hasAggs && query->havingQual == NULL;
	foreach(lc, query->groupClause)
	{
		if (target->ressortgroupref != 0 &&
			lfirst_node(SortGroupClause, lc)->tleSortGroupRef == target->ressortgroupref)
			return true;
	}
	return false;
}

/* Does the function only give an integer more room?  The hash stays the same. */
static bool
is_widening(const Node *node)
{
	Oid			function = IsA(node, FuncExpr) ? ((const FuncExpr *) node)->funcid : InvalidOid;

	return function == F_INT8_INT4 || function == F_INT8_INT2 || function == F_INT4_INT2;
}

static Node *
bare(Node *node)
{
	while (node && (IsA(node, RelabelType) || is_widening(node)))
		node = IsA(node, FuncExpr) ? linitial(((FuncExpr *) node)->args) : (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* Column that a sub-select gives; false if it computes it, or may not be asked. */
static bool resolve(const Search *s, Level *level, Node *node, Side *side);

static bool resolve_output(const Search *s, Level *level, int attno, Side *side);

/* The arm of a set operation that the start is in, if the column is there what it
 * is in the whole. */
static bool
resolve_arm(const Search *s, Level *level, int attno, Side *side)
{
	const Node *whole = (Node *) wf_level_target(level->query, attno)->expr;

	for (int i = 1; i <= list_length(level->query->rtable); i++)
	{
		Level	   *arm = level->subs[i];
		TargetEntry *target = arm ? wf_level_target(arm->query, attno) : NULL;

		if (target && is_around(s, arm))
			return exprType((Node *) target->expr) == exprType(whole) && resolve_output(s, arm, attno, side);
	}
	return false;
}

static bool
resolve_output(const Search *s, Level *level, int attno, Side *side)
{
	TargetEntry *target = wf_level_target(level->query, attno);

	if (target == NULL || (level->flags & LEVEL_NO_COLUMNS))
		return false;
	if (is_around(s, level) && !can_push_into(level->query, attno))
		return false;
	if (level->query->setOperations)
		return resolve_arm(s, level, attno, side);
	return resolve(s, level, (Node *) target->expr, side);
}

static bool
resolve_var(const Search *s, Level *level, const Var *var, Side *side)
{
	RangeTblEntry *rte;

	level = wf_level_up(level, var->varlevelsup);
	if (level == NULL || var->varattno <= 0 || var->varno < 1 || var->varno > list_length(level->query->rtable))
		return false;
	rte = rt_fetch(var->varno, level->query->rtable);
	if (rte->rtekind == RTE_RELATION && level->tables[var->varno])
	{
		side->table = level->tables[var->varno];
		side->attno = var->varattno;
		return true;
	}
	if (rte->rtekind == RTE_SUBQUERY && level->subs[var->varno])
		return resolve_output(s, level->subs[var->varno], var->varattno, side);
	if (rte->rtekind == RTE_JOIN)
		return resolve(s, level, list_nth(rte->joinaliasvars, var->varattno - 1), side);
	if (wf_compat_group_expr(rte, var->varattno))
		return resolve(s, level, wf_compat_group_expr(rte, var->varattno), side);
	return false;
}

/* Is anything in it that differs from row to row, or with the time? */
static bool
is_variable(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || IsA(node, SubLink) || IsA(node, Aggref) || IsA(node, WindowFunc) ||
		IsA(node, GroupingFunc) || IsA(node, SQLValueFunction))
		return true;
	if (IsA(node, Param))
	{
		Param	   *param = (Param *) node;

		return param->paramkind != PARAM_EXTERN || param->paramid == PARAM_NOW ||
			param->paramid == PARAM_OLD || param->paramid == PARAM_NEW;
	}
	return expression_tree_walker(node, is_variable, context);
}

static bool
is_value(const Level *level, Node *node)
{
	if (is_variable(node, NULL) || contain_volatile_functions(node))
		return false;
	return !(level->flags & LEVEL_OTHER_SETTINGS) || !contain_mutable_functions(node);
}

static bool
resolve(const Search *s, Level *level, Node *node, Side *side)
{
	node = bare(node);
	if (node == NULL)
		return false;
	check_stack_depth();
	if (IsA(node, Var))
		return resolve_var(s, level, (Var *) node, side);
	if (is_value(level, node))
	{
		side->value = node;
		return true;
	}
	return false;
}

/* ----------------------------------------------------------------
 * Equalities
 * ----------------------------------------------------------------
 */

static Oid
column_type(const Table *table, int attno, Oid *collation)
{
	Oid			type;
	int32		typmod;

	get_atttypetypmodcoll(table->relation, attno, &type, &typmod, collation);
	return type;
}

static Oid
hash_family(Oid type)
{
	return lookup_type_cache(type, TYPECACHE_HASH_OPFAMILY)->hash_opf;
}

static bool
is_deterministic(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

bool
wf_ties_hash_alike(Oid operator, Oid collation, Oid left, Oid left_collation, Oid right, Oid right_collation)
{
	Oid			family = hash_family(left);
	TypeCacheEntry *entry = lookup_type_cache(left, TYPECACHE_HASH_EXTENDED_PROC);

	if (!OidIsValid(family) || !OidIsValid(entry->hash_extended_proc) || hash_family(right) != family ||
		get_op_opfamily_strategy(operator, family) != HTEqualStrategyNumber)
		return false;
	if (is_deterministic(collation) && is_deterministic(left_collation) && is_deterministic(right_collation))
		return true;
	return collation == left_collation && collation == right_collation;
}

/* Collation of the value as it will be hashed. */
static Oid
side_collation(const Side *side)
{
	Oid			collation;

	if (side->table == NULL)
		return exprCollation(side->value);
	(void) column_type(side->table, side->attno, &collation);
	return collation;
}

static Oid
side_type(const Side *side)
{
	Oid			collation;

	return side->table ? column_type(side->table, side->attno, &collation) : exprType(side->value);
}

/* ----------------------------------------------------------------
 * The way
 * ----------------------------------------------------------------
 */

static Place *
make_place(Table *table, int attno, Place *from, bool by_row)
{
	Place	   *place = palloc0(sizeof(Place));

	place->table = table;
	place->attno = attno;
	place->from = from;
	place->by_row = by_row;
	place->rows = (from ? from->rows : 0) + (by_row ? 1 : 0);
	return place;
}

/* Was the column come by already, by no more rows? */
static bool
was_there(const Search *s, const Place *new)
{
	ListCell   *lc;

	foreach(lc, s->places)
	{
		const Place *place = lfirst(lc);

		if (place->table == new->table && place->attno == new->attno && place->rows <= new->rows)
			return true;
	}
	return false;
}

/* Rank of a value that is the same for all enrollments: any way to one of their own
 * is better, however many tables it leads over. */
#define RANK_SHARED 1000

static bool
find_own(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXTERN && ((Param *) node)->paramid != PARAM_NOW;
	return expression_tree_walker(node, find_own, context);
}

/* How good a value is: 0 is the primary key of the first argument. */
static int
rank_of(const Scope *scope, Node *value)
{
	FieldSelect *field = (FieldSelect *) value;
	Param	   *param;
	int			arg;

	if (!find_own(value, NULL))
		return RANK_SHARED;
	if (!IsA(field, FieldSelect) || !IsA(field->arg, Param))
		return 4;
	param = (Param *) field->arg;
	arg = param->paramid - PARAM_ARG(0);
	if (scope->sig == NULL || arg < 0 || arg >= scope->sig->nargs || !scope->sig->args[arg].is_row)
		return 4;
	for (int i = 0; i < scope->sig->args[arg].key.natts; i++)
	{
		if (scope->sig->args[arg].key.attnum[i] == field->fieldnum)
			return arg == 0 ? 0 : 1;
	}
	return 3;
}

static Place *
first_of(Place *place)
{
	while (place->from)
		place = place->from;
	return place;
}

static void
arrive(Search *s, Place *place, Node *value, bool array)
{
	const Place *first = first_of(place);
	Oid			collation;
	Oid			type = column_type(first->table, first->attno, &collation);
	int			rank = place->rows * 20 + rank_of(s->scope, value) + (wf_tie_is_plain(type, collation) ? 0 : 10);

	if (s->end && s->rank <= rank)
		return;
	s->end = place;
	s->value = value;
	s->array = array;
	s->rank = rank;
}

/* May a row be looked up by the column, or the column be read of it? */
static bool
can_look_up(const Table *table, int attno)
{
	Oid			collation;
	Oid			type = column_type(table, attno, &collation);

	return !(table->level->flags & LEVEL_OTHER_RIGHTS) &&
		get_rel_relkind(table->relation) != RELKIND_FOREIGN_TABLE &&
		wf_tie_is_plain(type, collation) &&
		pg_class_aclcheck(table->relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* The place an equality on this column of the row begins at; NULL: none. */
static Place *
place_in_row(Search *s, int attno)
{
	if (s->here == NULL)
		return make_place(s->table, attno, NULL, false);
	if (attno == s->here->attno)
		return s->here;
	if (s->table == s->start || !can_look_up(s->table, s->here->attno) || !can_look_up(s->table, attno))
		return NULL;
	return make_place(s->table, attno, s->here, true);
}

/* An equality of a column of the row with another side. */
static void
follow(Search *s, int attno, const Side *other, bool array)
{
	Place	   *place = place_in_row(s, attno);
	Place	   *next;

	if (place == NULL)
		return;
	if (other->value)
	{
		arrive(s, place, other->value, array);
		return;
	}
	next = make_place(other->table, other->attno, place, false);
	if (next->rows <= MAX_ROWS && !was_there(s, next))
		s->places = lappend(s->places, next);
}

static void
follow_equality(Search *s, Oid operator, Oid collation, const Side *left, const Side *right, bool array, Oid element)
{
	Oid			right_type = array ? element : side_type(right);

	if (!wf_ties_hash_alike(operator, collation, side_type(left), side_collation(left), right_type, side_collation(right)))
		return;
	if (left->table == s->table)
		follow(s, left->attno, right, array);
	if (right->table == s->table && !array)
		follow(s, right->attno, left, false);
}

/* The query of a sub-select, if its rows are rows of its tables. */
static Level *
level_of_link(Level *level, const SubLink *link)
{
	ListCell   *lc;

	foreach(lc, level->sublinks)
	{
		SubLevel   *sub = lfirst(lc);

		if (sub->link == link || equal(sub->link, link))
			return sub->level;
	}
	return NULL;
}

/* The one column of a scalar sub-select, or a column of a row; through the link. */
static bool
resolve_side(const Search *s, Level *level, Node *node, Side *side)
{
	SubLink    *link = (SubLink *) bare(node);
	Level	   *sub;

	memset(side, 0, sizeof(Side));
	if (link == NULL || !IsA(link, SubLink))
		return resolve(s, level, node, side);
	if (link->subLinkType != EXPR_SUBLINK)
		return false;
	sub = level_of_link(level, link);
	return sub && !sub->query->hasAggs && resolve_output(s, sub, 1, side) && side->table;
}

static void
follow_operator(Search *s, Level *level, OpExpr *expr)
{
	Side		left;
	Side		right;

	if (list_length(expr->args) == 2 && resolve_side(s, level, linitial(expr->args), &left) &&
		resolve_side(s, level, lsecond(expr->args), &right))
		follow_equality(s, expr->opno, expr->inputcollid, &left, &right, false, InvalidOid);
}

/* column = ANY (array) */
static void
follow_array(Search *s, Level *level, ScalarArrayOpExpr *expr)
{
	Side		left;
	Side		right;
	Oid			element;

	if (!expr->useOr || !resolve_side(s, level, linitial(expr->args), &left) || left.table == NULL ||
		!resolve_side(s, level, lsecond(expr->args), &right) || right.value == NULL)
		return;
	element = get_element_type(getBaseType(exprType(right.value)));
	if (OidIsValid(element))
		follow_equality(s, expr->opno, expr->inputcollid, &left, &right, true, element);
}

/* column = a column of a sub-select: (a, b) IN (SELECT ...) */
static void
follow_member(Search *s, Level *level, Level *sub, OpExpr *expr)
{
	Side		left;
	Side		right = {0};
	Param	   *param;

	if (!IsA(expr, OpExpr) || list_length(expr->args) != 2)
		return;
	param = (Param *) bare(lsecond(expr->args));
	if (!IsA(param, Param) || param->paramkind != PARAM_SUBLINK || sub->query->hasAggs ||
		!resolve_side(s, level, linitial(expr->args), &left) || !resolve_output(s, sub, param->paramid, &right))
		return;
	follow_equality(s, expr->opno, expr->inputcollid, &left, &right, false, InvalidOid);
}

static void follow_qual(Search *s, Level *level, Node *qual);

/* A sub-select that has to have a row. */
static void
follow_sublink(Search *s, Level *level, SubLink *link)
{
	Level	   *sub = level_of_link(level, link);
	ListCell   *lc;

	if (sub == NULL)
		return;
	if (link->subLinkType == ANY_SUBLINK && link->testexpr)
	{
		foreach(lc, wf_decide_conjuncts(link->testexpr))
			follow_member(s, level, sub, (OpExpr *) lfirst(lc));
	}
	if ((link->subLinkType != ANY_SUBLINK && link->subLinkType != EXISTS_SUBLINK) || sub->query->setOperations ||
		(sub->query->hasAggs && sub->query->groupClause == NIL) || sub->query->groupingSets != NIL)
		return;
	foreach(lc, sub->must)
		follow_qual(s, sub, lfirst(lc));
}

static void
follow_qual(Search *s, Level *level, Node *qual)
{
	check_stack_depth();
	switch (nodeTag(qual))
	{
		case T_OpExpr:
			follow_operator(s, level, (OpExpr *) qual);
			break;
		case T_ScalarArrayOpExpr:
			follow_array(s, level, (ScalarArrayOpExpr *) qual);
			break;
		case T_SubLink:
			follow_sublink(s, level, (SubLink *) qual);
			break;
		default:
			break;
	}
}

static bool
is_not_null(Oid relation, int attno)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(attno));
	bool		result = HeapTupleIsValid(tuple) && ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* Can the column be NULL?  A NULL makes NOT IN unknown. */
static bool
has_nulls(const Side *side)
{
	return !side->table || side->table->optional || !is_not_null(side->table->relation, side->attno);
}

/* value IN (SELECT column ...), from within: a row of another value is none of its. */
static void
follow_membership(Search *s, Level *level)
{
	ListCell   *lc;

	if (level->link == NULL || level->link->subLinkType != ANY_SUBLINK)
		return;
	foreach(lc, wf_decide_conjuncts(level->link->testexpr))
	{
		OpExpr	   *expr = lfirst(lc);
		Side		left;
		Side		right = {0};
		Param	   *param;

		if (!IsA(expr, OpExpr) || list_length(expr->args) != 2)
			continue;
		param = (Param *) bare(lsecond(expr->args));
		if (!IsA(param, Param) || param->paramkind != PARAM_SUBLINK ||
			!resolve_side(s, level->parent, linitial(expr->args), &left) ||
			!resolve_output(s, level, param->paramid, &right))
			continue;
		if (level->positive || !has_nulls(&right))
			follow_equality(s, expr->opno, expr->inputcollid, &left, &right, false, InvalidOid);
	}
}

/* All that a row of the table has to meet: of its query, and of those around
 * whose FROM the query stands in. */
static void
follow_quals(Search *s, const Table *table)
{
	int			entry = table->entry;
	Level	   *level = table->level;
	ListCell   *lc;

	for (;;)
	{
		foreach(lc, level->quals[entry])
			follow_qual(s, level, lfirst(lc));
		entry = level->entry;
		if (entry == 0 || level->parent == NULL)
			break;
		level = level->parent;
	}
	follow_membership(s, level);
}

/* Goes on from all places that took as many rows, those found meanwhile included. */
static void
search_round(Search *s, int rows)
{
	for (int i = 0; i < list_length(s->places) && i < MAX_PLACES; i++)
	{
		Place	   *place = list_nth(s->places, i);

		if (place->rows != rows)
			continue;
		s->here = place;
		s->table = place->table;
		follow_quals(s, s->table);
	}
}

static void
search(Search *s)
{
	s->table = s->start;
	follow_quals(s, s->start);
	for (int rows = 0; rows <= MAX_ROWS; rows++)
	{
		search_round(s, rows);
		if (s->end && s->end->rows <= rows && s->rank < RANK_SHARED)
			return;
	}
}

/* ----------------------------------------------------------------
 * What the trigger can decide
 * ----------------------------------------------------------------
 */

typedef struct Rewrite
{
	const Search *s;
	Level	   *level;
	bool		failed;
} Rewrite;

/* A column of the table as that of the parameter "new". */
static Node *
make_field(const Table *table, int attno)
{
	FieldSelect *field = makeNode(FieldSelect);
	Param	   *row = makeNode(Param);

	row->paramkind = PARAM_EXTERN;
	row->paramid = PARAM_NEW;
	row->paramtype = get_rel_type_id(table->relation);
	row->paramtypmod = -1;
	row->location = -1;
	field->arg = (Expr *) row;
	field->fieldnum = attno;
	get_atttypetypmodcoll(table->relation, attno, &field->resulttype, &field->resulttypmod, &field->resultcollid);
	return (Node *) field;
}

static Node *
rewrite_mutator(Node *node, void *context)
{
	Rewrite    *rewrite = context;
	Side		side = {0};

	if (node == NULL)
		return NULL;
	if (IsA(node, SubLink))
		rewrite->failed = true;
	if (rewrite->failed)
		return node;
	if (IsA(node, Var))
	{
		if (resolve_var(rewrite->s, rewrite->level, (Var *) node, &side) && side.table == rewrite->s->start)
			return make_field(side.table, side.attno);
		rewrite->failed = true;
		return node;
	}
	return expression_tree_mutator(node, rewrite_mutator, context);
}

/* Notes what of the table's quals the trigger can decide.  Where a row may be
 * missing, a condition from outside may ask for just that. */
static char *
conditions_of(const Search *s)
{
	StringInfoData conditions;
	int			entry = s->start->entry;
	ListCell   *lc;

	initStringInfo(&conditions);
	for (Level *level = s->start->level; level && entry != 0; level = level->parent)
	{
		if (level != s->start->level && s->start->optional)
			break;
		foreach(lc, level->quals[entry])
		{
			Rewrite		rewrite = {s, level, false};
			Node	   *qual = rewrite_mutator(lfirst(lc), &rewrite);

			if (!rewrite.failed)
				(void) wf_decide_conjunct(qual, &conditions);
		}
		entry = level->entry;
	}
	return psprintf("[%s]", conditions.data);
}

/* ----------------------------------------------------------------
 * Tables
 * ----------------------------------------------------------------
 */

static bool
has_key(Oid relation)
{
	Relation	rel = table_open(relation, AccessShareLock);
	KeyColumns	key;

	wf_key_columns(rel, &key);
	table_close(rel, NoLock);
	return key.natts > 0;
}

/* Why its changes can't be watched; NULL: they can. */
static const char *
obstacle(const Table *table, Oid root)
{
	const char *name = get_rel_name(table->relation);
	char		relkind = get_rel_relkind(root);
	Oid			owner = GetUserId();

	if (relkind == RELKIND_FOREIGN_TABLE)
		return psprintf("Changes of foreign table %s are not seen here.", name);
	if (relkind == RELKIND_MATVIEW)
		return psprintf("Materialized view %s changes as a whole.", name);
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		return psprintf("%s is not a table.", name);
	if (root < FirstNormalObjectId)
		return psprintf("%s is a system catalog.", name);
	if (get_rel_namespace(root) == wf_store_namespace())
		return psprintf("%s is a table of the engine.", name);
	if (get_rel_persistence(root) == RELPERSISTENCE_TEMP)
		return psprintf("Table %s is temporary.", name);
	if (relkind == RELKIND_RELATION && table->inherits && has_subclass(root))
		return psprintf("Table %s has child tables, whose changes are not its own.", name);
	if (pg_class_aclcheck(root, owner, ACL_TRIGGER) != ACLCHECK_OK || pg_class_aclcheck(root, owner, ACL_SELECT) != ACLCHECK_OK)
		return psprintf("Watching table %s needs the privileges SELECT and TRIGGER on it.", name);
	if (!has_key(root))
		return psprintf("Table %s has no primary key.", name);
	return NULL;
}

/* Policies decide by any column, and perhaps by more than the row. */
static void
look_at_policies(Levels *levels, Table *table)
{
	Relation	rel = table_open(table->relation, AccessShareLock);
	ListCell   *lc;

	if (rel->rd_rel->relrowsecurity && rel->rd_rsdesc &&
		((table->level->flags & LEVEL_OTHER_RIGHTS) || check_enable_rls(table->relation, InvalidOid, true) == RLS_ENABLED))
	{
		table->whole = true;
		foreach(lc, rel->rd_rsdesc->policies)
		{
			RowSecurityPolicy *policy = lfirst(lc);

			if (policy->hassublinks || contain_mutable_functions((Node *) policy->qual))
				levels->untied = wf_untied_add(levels->untied, UNTIED_PART, table->level->location,
											   psprintf("Policies of table %s look at more than the row.",
														RelationGetRelationName(rel)));
		}
	}
	table_close(rel, NoLock);
}

static List *
column_names(const Table *table)
{
	List	   *names = NIL;
	int			attno = -1;

	if (table->whole)
		return list_make1(pstrdup("*"));
	while ((attno = bms_next_member(table->columns, attno)) >= 0)
		names = lappend(names, get_attname(table->relation, attno, false));
	return names;
}

static PathStep *
make_step(Oid relation, char *match, char *column)
{
	PathStep   *step = palloc(sizeof(PathStep));

	step->relation = relation;
	step->match = match;
	step->column = column;
	return step;
}

/* The way found, from the changed row on. */
static void
describe_way(TableRead *read, const Search *s)
{
	Place	   *first = first_of(s->end);
	Oid			collation;
	Oid			type = column_type(first->table, first->attno, &collation);

	read->column = get_attname(first->table->relation, first->attno, false);
	read->end_relation = read->relation;
	read->end_column = read->column;
	read->value = s->value;
	read->array = s->array;
	for (Place *place = s->end; place; place = place->from)
	{
		PathStep   *step;

		if (!place->by_row)
			continue;
		step = make_step(wf_root_relation(place->table->relation),
						 get_attname(place->table->relation, place->from->attno, false),
						 get_attname(place->table->relation, place->attno, false));
		if (read->path == NIL)
		{
			read->end_relation = step->relation;
			read->end_column = step->column;
		}
		read->path = lcons(step, read->path);
	}
	if (read->path != NIL || !wf_tie_is_plain(type, collation))
		read->path = lcons(make_step(InvalidOid, NULL, read->column), read->path);
}

static TableRead *
read_of(Levels *levels, Table *table)
{
	TableRead  *read = palloc0(sizeof(TableRead));
	Search		s = {levels->scope, table};

	read->relation = wf_root_relation(table->relation);
	read->location = table->level->location;
	read->reason = obstacle(table, read->relation);
	if (read->reason == NULL)
	{
		search(&s);
		if (s.end == NULL)
			read->reason = psprintf("No equality ties rows of table %s to this enrollment.", get_rel_name(table->relation));
	}
	look_at_policies(levels, table);
	if (read->reason)
	{
		levels->untied = wf_untied_add(levels->untied, UNTIED_TABLE, read->location, read->reason);
		read->columns = column_names(table);
		return read;
	}
	read->conditions = conditions_of(&s);
	describe_way(read, &s);
	/* the way may begin at a column that is only compared */
	table->columns = bms_add_member(table->columns, get_attnum(table->relation, read->column));
	read->columns = column_names(table);
	return read;
}

Reads *
wf_analyze_reads(Query *query, const Scope *scope)
{
	Reads	   *reads = palloc0(sizeof(Reads));
	Levels		levels = {scope};
	Query	   *expanded;
	ListCell   *lc;

	expanded = wf_expand(query, &levels.untied, &reads->relations);
	reads->deps = wf_analyze_dependencies(expanded, scope);
	wf_levels_walk(&levels, expanded);
	foreach(lc, levels.tables)
	{
		Table	   *table = lfirst(lc);

		reads->relations = list_append_unique_oid(reads->relations, table->relation);
		reads->relations = list_append_unique_oid(reads->relations, wf_root_relation(table->relation));
		reads->tables = lappend(reads->tables, read_of(&levels, table));
	}
	reads->untied = levels.untied;
	return reads;
}

char *
wf_path_text(List *path, bool create)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	appendStringInfoChar(&text, '[');
	foreach(lc, path)
	{
		const PathStep *step = lfirst(lc);

		appendStringInfoString(&text, foreach_current_index(lc) > 0 ? ", {" : "{");
		if (OidIsValid(step->relation))
		{
			appendStringInfo(&text, "\"table\": %d, \"match\": ", wf_source_id(step->relation, create));
			escape_json(&text, step->match);
			appendStringInfoString(&text, ", ");
		}
		appendStringInfoString(&text, "\"column\": ");
		escape_json(&text, step->column);
		appendStringInfoChar(&text, '}');
	}
	appendStringInfoChar(&text, ']');
	return text.data;
}
