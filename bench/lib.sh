# bench/lib.sh: what the figures share; sourced by bench/run.
#
# A figure is bench/figures/NAME.sh: it defines figure_NAME, which measures, and
# may have NAME.sql (its tables) and NAME.report.sql (its table in the report).
# It runs in a database of its own, as the owner of tables and workflows; what it
# puts into the table "result" comes into the report.

# sql [argument of psql ...]: as the owner of tables and workflows
sql()
{
	"$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$host" -U app -d "$database" "$@"
}

# super [argument of psql ...]
super()
{
	"$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$host" -U postgres -d "$database" "$@"
}

# size SMALL FULL: what counts in this run
size()
{
	if [ -n "$full" ]; then echo "$2"; else echo "$1"; fi
}

# make_database NAME: with the extension, and what every figure finds
make_database()
{
	database=postgres super -c "CREATE DATABASE $1 OWNER app"
	database=$1
	super <<-SQL
		CREATE EXTENSION automation;
		GRANT USAGE ON LANGUAGE workflow TO app;
		CREATE SCHEMA bench AUTHORIZATION app;
		ALTER ROLE app SET search_path = bench;
		CREATE FUNCTION bench.noop() RETURNS trigger LANGUAGE c AS '$host/lib/noop', 'bench_noop';
		CREATE FUNCTION bench.cpu() RETURNS float8 LANGUAGE c AS '$host/lib/cpu', 'bench_cpu';
	SQL
	sql -f "$top/bench/common.sql"
}

# timed FIGURE VARIANT ROUND STATEMENT: SQL that measures a statement
timed()
{
	cat <<-SQL
		SELECT clock_timestamp() AS started, cpu() AS cpu \gset
		$4;
		SELECT extract(epoch FROM clock_timestamp() - :'started') AS seconds, cpu() - :cpu AS cpu \gset
		INSERT INTO result VALUES ('$1', '$2', $3, :seconds, :cpu);
	SQL
}

# CPU of all backends that have ended, in seconds; waits for those of this database
ended_cpu()
{
	local pid line
	pid=$(head -n 1 "$host/data/postmaster.pid")
	while ps -o args= --ppid "$pid" | grep -q "^postgres: app $database "; do
		sleep 0.02
	done
	line=$(cat "/proc/$pid/stat")
	set -- ${line##*) }
	awk -v ticks="$((${14} + ${15}))" -v hertz="$(getconf CLK_TCK)" 'BEGIN { print ticks / hertz }'
}

# bench FIGURE VARIANT ROUND SCRIPT [argument of pgbench ...]: transactions per
# second, and CPU of the sessions per transaction
bench()
{
	local figure=$1 variant=$2 round=$3 script=$4 before after out
	shift 4
	before=$(ended_cpu)
	out=$("$PG_BIN/pgbench" -n -h "$host" -U app -M prepared -f "$script" "$@" "$database")
	after=$(ended_cpu)
	sed -n -e 's/^tps = \([0-9.]*\).*/tps \1/p' -e 's/^number of transactions actually processed: \([0-9]*\).*/n \1/p' <<< "$out" |
		awk -v before="$before" -v after="$after" -v row="'$figure', '$variant', $round" '
			$1 == "tps" { tps = $2 } $1 == "n" { n = $2 }
			END { printf "INSERT INTO result VALUES (%s, %s, %s);\n", row, tps, (after - before) / n }' | sql
}

# await SECONDS QUERY: until the query says t
await()
{
	local query=$2 until=$((SECONDS + $1))
	until [ "$(sql -Atc "$query")" = t ]; do
		[ $SECONDS -lt $until ] || die "not within $1 s: $query"
		sleep 0.2
	done
}

# restart [CONFIGURATION]: the server, with lines added to its configuration
restart()
{
	[ -z "${1:-}" ] || echo "$1" >> "$host/data/postgresql.conf"
	(cd / && as_server "$PG_BIN/pg_ctl" -s -D "$host/data" -l "$host/server.log" -m fast -w restart)
}

# CPU of a process, in microseconds
cpu_of()
{
	awk '{ printf "%d\n", $1 / 1000 }' "/proc/$1/schedstat"
}

# sample_cpu PID FILE: its CPU every second, in the background, until it is killed
sample_cpu()
{
	while sleep 1; do
		echo "$(date +%s.%N) $(cpu_of "$1")"
	done > "$2" &
	sampler=$!
}

# worker LIKE: process id of a background worker
worker()
{
	database=postgres super -Atc "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '$1'"
}
