# scripts/common.sh: what demo/run, bench/run and test/run share; sourced by them.
#
# Finds PostgreSQL (PG_CONFIG or PG_VERSION in the environment choose another than
# the default), installs what a fresh Debian machine lacks, builds and installs
# the extension, and starts private servers. A server never runs as root: root's
# servers belong to the user postgres.

unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE
# The framework of the TAP tests unsets LC_ALL: what their servers are made with is LANG then.
export LC_ALL=C.UTF-8 LANG=C.UTF-8

die()
{
	echo "$0: $*" >&2
	exit 1
}

# as_root COMMAND ...
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root, and no sudo: cannot run: $*"
	fi
}

# as_server COMMAND ...: as the user who owns private servers
as_server()
{
	if [ "$(id -u)" = 0 ]; then
		# runuser would stop, and wait for somebody, when it believes that the
		# command was stopped
		setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
	else
		"$@"
	fi
}

package_missing()
{
	! dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# The version whose development files are here, else the first one that the
# machine's Debian offers.
default_version()
{
	local v
	for v in 15 17 18 16; do
		[ ! -x "/usr/lib/postgresql/$v/bin/pg_config" ] || { echo "$v"; return; }
	done
	for v in 15 17 18 16; do
		apt-cache show "postgresql-server-dev-$v" >/dev/null 2>&1 && { echo "$v"; return; }
	done
	echo 15
}

# Sets PG_CONFIG, PG_BIN, PG_VERSION.
find_postgres()
{
	PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/$PG_VERSION/bin/pg_config}
	PG_BIN=$("$PG_CONFIG" --bindir)
	PG_VERSION=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
	export PG_CONFIG PG_BIN PG_VERSION
}

# The package of pg_cron for the server, whose version PG_CONFIG or PG_VERSION says.
cron_package()
{
	local v=${PG_VERSION:-}
	[ -z "${PG_CONFIG:-}" ] || v=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
	echo "postgresql-$v-cron"
}

# install_packages PACKAGE ...: nothing is removed for them (a machine has one mail server:
# its own stays), and none of their services starts, neither now nor, for mail and nginx, later: what
# runs here is started, and stopped, by us.
install_packages()
{
	local policy=/usr/sbin/policy-rc.d made= status=0
	as_root apt-get -q update
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 755 $policy
		made=1
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-remove --no-install-recommends install "$@" || status=$?
	[ -z "$made" ] || as_root rm -f $policy
	[[ " $* " != *" exim4-daemon-light "* ]] || as_root update-rc.d exim4 disable >/dev/null 2>&1 || true
	[[ " $* " != *" nginx-light "* ]] || as_root update-rc.d nginx disable >/dev/null 2>&1 || true
	return $status
}

# install_missing [PACKAGE ...]: with the packages that every script needs; pg_cron
# stands for the one of the server's version
install_missing()
{
	local wanted=(gcc make libcurl4-openssl-dev "$@") missing=() p i
	if ! command -v dpkg-query >/dev/null; then
		find_postgres
		return
	fi
	if [ -z "${PG_CONFIG:-}" ]; then
		if [ -z "${PG_VERSION:-}" ]; then
			[ -n "$(ls /usr/lib/postgresql/*/bin/pg_config 2>/dev/null)" ] || as_root apt-get -q update
			PG_VERSION=$(default_version)
		fi
		wanted+=("postgresql-$PG_VERSION" "postgresql-server-dev-$PG_VERSION")
	fi
	for i in "${!wanted[@]}"; do
		[ "${wanted[i]}" != pg_cron ] || wanted[i]=$(cron_package)
	done
	for p in "${wanted[@]}"; do
		package_missing "$p" && missing+=("$p")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		echo "installing ${missing[*]}"
		install_packages "${missing[@]}"
	fi
	find_postgres
}

# build TOP: builds the extension and installs it into the server's directories
build()
{
	local top=$1 stamp=$1/.built_for installer=()
	if [ "$(cat "$stamp" 2>/dev/null)" != "$PG_CONFIG $PG_VERSION" ]; then
		make -s -C "$top" PG_CONFIG="$PG_CONFIG" clean >/dev/null
	fi
	make -s -C "$top" -j "$(nproc)" PG_CONFIG="$PG_CONFIG" all
	echo "$PG_CONFIG $PG_VERSION" > "$stamp"
	[ -w "$("$PG_CONFIG" --pkglibdir)" ] || installer=(as_root)
	"${installer[@]}" make -s -C "$top" PG_CONFIG="$PG_CONFIG" install >/dev/null
}

# server_dir DIR: an empty directory that the server's user can reach, with room
# for a socket's name (107 bytes in all). Where the checkout is closed to him (in
# root's home, say), DIR becomes a link to a directory that can be reached.
server_dir()
{
	local dir=$1 real
	server_remove "$dir"
	mkdir -p "$dir"
	[ "$(id -u)" != 0 ] || chown postgres "$dir"
	if [ ${#dir} -lt 85 ] && (cd / && as_server test -w "$dir" -a -x "$dir"); then
		return
	fi
	rmdir "$dir"
	real=$(mktemp -d /tmp/automation.XXXXXX)
	[ "$(id -u)" != 0 ] || chown postgres "$real"
	chmod 755 "$real"
	ln -s "$real" "$dir"
}

# server_remove DIR: DIR and what it links to
server_remove()
{
	local real
	real=$(readlink -f "$1")
	case $real in
		/tmp/automation.*) rm -rf "$real" ;;
	esac
	rm -rf "$1"
}

# server_start DIR [CONFIGURATION]: a new server with its data, log and socket in
# DIR; superuser postgres, who needs no password. The file TEMP_CONFIG of the
# environment is configuration too, as it is to the TAP tests' servers.
server_start()
{
	local dir=$1 conf=${2:-} real
	server_stop "$dir"
	server_dir "$dir"
	real=$(readlink -f "$dir")
	(
		cd "$real"
		as_server "$PG_BIN/initdb" -D "$real/data" -A trust -U postgres --no-locale -E UTF8 > initdb.log
		{
			echo "unix_socket_directories = '$real'"
			echo "unix_socket_permissions = 0700"
			echo "listen_addresses = ''"
			echo "fsync = off"
			echo "max_worker_processes = 24"
			echo "max_prepared_transactions = 10"
			cat "${TEMP_CONFIG:-/dev/null}"
			echo "$conf"
		} >> "$real/data/postgresql.conf"
		as_server "$PG_BIN/pg_ctl" -s -D "$real/data" -l "$real/server.log" -w start
	) || die "the server did not start, see $dir/server.log"
}

# server_stop DIR: its files stay, except for those outside the checkout
server_stop()
{
	local dir=$1 real
	real=$(readlink -f "$dir")
	if [ -f "$real/data/postmaster.pid" ]; then
		(cd / && as_server "$PG_BIN/pg_ctl" -s -D "$real/data" -m fast -w stop) || true
	fi
	if [ -L "$dir" ] && [ -d "$real" ]; then
		rm "$dir"
		mv "$real" "$dir"
	fi
}
