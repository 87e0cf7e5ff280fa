EXTENSION = automation
EXTVERSION = 0.1
MODULE_big = automation

# Rooms, in the order of their dependencies (src/README.md).
ROOMS = settings clock board store sequence owner enginesql key image \
	scanner parser parser_clause parser_statement parser_flow describe \
	signature analyze analyze_source analyze_names analyze_clock analyze_deps \
	check check_clause check_change check_call check_statement check_rule check_schedule check_path \
	event event_read event_rotate rule rule_trigger workflow \
	enrollment ledger timer wait parked history \
	program expr subject jump interp ready enroll resume start rekey item \
	capture capture_match capture_cache capture_born \
	register unregister adopt validate reconcile ddl commands handler \
	watchdog blame seat batch executor run guard coordinator launcher automation
OBJS = $(addprefix src/,$(addsuffix .o,$(ROOMS)))

DATA_built = sql/automation--$(EXTVERSION).sql
EXTRA_CLEAN = sql/automation--$(EXTVERSION).sql

PG_CFLAGS = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers

PG_CONFIG ?= pg_config
# Not there yet on a fresh machine: then only the targets below work.
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
include $(PGXS)

sql/automation--$(EXTVERSION).sql: sql/automation.sql
	cp $< $@

$(OBJS): $(wildcard src/*.h)

# What people type.  Each installs what is missing and starts servers of its own.
.PHONY: demo test test-all bench
demo:
	@demo/run
test:
	@test/run
test-all:
	@test/run-all
bench:
	@bench/run
