EXTENSION = automation
EXTVERSION = 0.1
MODULE_big = automation

# Rooms, in the order of their dependencies (src/README.md).
ROOMS = settings activity zone hours clock next_time cron board store sequence owner stat enginesql key stored image json_member webtext webhook \
	scanner parser parser_clause parser_statement parser_flow describe \
	signature analyze analyze_source analyze_names analyze_clock analyze_deps \
	analyze_expand analyze_level analyze_ties analyze_change \
	check check_clause check_change check_call check_statement check_decide check_rule check_wake check_schedule check_server check_path \
	event event_row event_head event_scan event_read event_rotate rule rule_trigger workflow order \
	opening business lookup enrollment enrollment_json ledger timer tie wait parked history \
	split winner decide again \
	journal program expr expr_ties subject direct jump interp interp_wait goal change ready enroll resume start rekey calendar align crossing migrate \
	url server_option server secret server_check server_ddl \
	address sign transport transfer transport_http mail mail_header mail_body smtp transport_mail \
	message outbox outgoing_stop send settle answer \
	mailbox suppression token sent_link caps inbound \
	pause job job_run keyscan due at backfill every item \
	path tied capture capture_match capture_cache capture_index capture_born \
	html_text template template_context template_filter template_value template_render template_finish template_row email \
	schedule schedule_job register unregister adopt validate reconcile ddl commands kit kit_body explain call_site sight handler \
	watchdog blame seat batch executor run egress delivery_queue limits retry claim outcome delivery_turn delivery delivery_command guard coordinator launcher health automation
OBJS = $(addprefix src/,$(addsuffix .o,$(ROOMS)))

# The CRM that automation.install_crm() makes, in the order of its files' dependencies (doc/crm.md).
KIT = register people work messages behaviour commerce names \
	rules \
	views comments \
	tags lists score notes audience property format \
	account deal task owner create \
	message external \
	trigger \
	pipeline
KIT_FILES = $(addprefix kit/,$(addsuffix .sql,$(KIT)))
ifneq ($(filter-out $(KIT_FILES),$(wildcard kit/*.sql)),)
$(error KIT does not name $(filter-out $(KIT_FILES),$(wildcard kit/*.sql)))
endif

DATA_built = sql/automation--$(EXTVERSION).sql sql/automation_crm.sql
EXTRA_CLEAN = $(DATA_built)

PG_CFLAGS = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers

# HTTP, SMTP, MIME and URLs
SHLIB_LINK = -lcurl

PG_CONFIG ?= pg_config
# Not there yet on a fresh machine: then only the targets below work.
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
include $(PGXS)

sql/automation--$(EXTVERSION).sql: sql/automation.sql sql/goal.sql sql/split.sql sql/calendar.sql sql/job.sql \
	sql/outbox.sql sql/server.sql sql/suppression.sql sql/template.sql sql/adapters.sql sql/transport.sql sql/delivery.sql \
	sql/schedule.sql sql/migrate.sql sql/explain.sql sql/operations.sql sql/kit.sql sql/health.sql sql/rights.sql
	cat $^ > $@

sql/automation_crm.sql: $(KIT_FILES) Makefile
	cat $(filter %.sql,$^) > $@

$(OBJS): $(wildcard src/*.h)

# What people type.  Each installs what is missing and starts servers of its own.
.PHONY: demo test test-all test-sanitize test-models conformance bench
demo:
	@demo/run
test:
	@test/run
test-all:
	@test/run-all
test-sanitize:
	@test/sanitize
test-models:
	@test/models/run
conformance:
	@COVERAGE=doc/coverage.md test/conformance/run
bench:
	@bench/run
