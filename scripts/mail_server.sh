#!/bin/bash
# scripts/mail_server.sh: a private SMTP server, Exim as Debian has it, that delivers to a
# directory and nowhere else.
#
#   scripts/mail_server.sh start DIR PORT [TLS_PORT]    on 127.0.0.1; STARTTLS and AUTH on PORT,
#                                                       TLS from the beginning on TLS_PORT
#   scripts/mail_server.sh stop DIR
#
# Started as the user who is to own it, never as root.  Into DIR, which is made anew:
#   mail/new        a file for every recipient of every mail: Maildir, with the envelope in the
#                   headers Return-path and Envelope-to
#   ca.pem          who has signed the certificate, which is for localhost and 127.0.0.1
#   log/mainlog     what it did
# It takes mail from who logs in as "sender" with the password "secret" (CERT_NAME=host in the
# environment: the certificate is for that name instead), and without login mail to the domain
# example.test.  There the mailbox "nobody" is unknown.
set -euo pipefail

die()
{
	echo "$0: $*" >&2
	exit 1
}

make_certificates()
{
	local dir=$1 name=${CERT_NAME:-}
	local names="DNS:localhost,IP:127.0.0.1"
	[ -z "$name" ] || names="DNS:$name"
	openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=Test authority" \
		-addext "basicConstraints=critical,CA:TRUE" -keyout "$dir/ca_key.pem" -out "$dir/ca.pem"
	openssl req -newkey rsa:2048 -nodes -subj "/CN=${name:-localhost}" -keyout "$dir/key.pem" -out "$dir/request.pem"
	openssl x509 -req -in "$dir/request.pem" -CA "$dir/ca.pem" -CAkey "$dir/ca_key.pem" -CAcreateserial -days 3650 \
		-extfile <(echo "subjectAltName=$names") -out "$dir/cert.pem"
}

write_configuration()
{
	local dir=$1 port=$2 tls_port=$3
	cat <<CONF
primary_hostname = mail.example.test
spool_directory = $dir/spool
log_file_path = $dir/log/%slog
pid_file_path = $dir/exim.pid
# who started it may run it
exim_user = $(id -un)
exim_group = $(id -gn)
admin_groups = $(id -gn)
keep_environment =
local_interfaces = <; 127.0.0.1.$port${tls_port:+ ; 127.0.0.1.$tls_port}
tls_advertise_hosts = *
tls_certificate = $dir/cert.pem
tls_privatekey = $dir/key.pem
${tls_port:+tls_on_connect_ports = $tls_port}
# a password is not asked for in the open
auth_advertise_hosts = \${if def:tls_in_cipher {*}{}}
host_lookup =
rfc1413_query_timeout = 0s
message_size_limit = 30M
# it runs as one user, and is nobody's way to any other
deliver_drop_privilege = true
acl_smtp_rcpt = check_recipient
smtp_accept_max = 100
smtp_accept_max_per_connection = 1000
smtp_enforce_sync = true
bounce_return_message = false

begin acl
check_recipient:
  deny message = 5.1.1 no such mailbox
       local_parts = nobody
  accept authenticated = *
  accept domains = example.test
  deny message = 5.7.1 relay not permitted

begin routers
everything:
  driver = accept
  transport = directory

begin transports
directory:
  driver = appendfile
  directory = $dir/mail
  maildir_format = true
  create_directory = true
  return_path_add = true
  envelope_to_add = true

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq {\$auth2}{sender}}{eq {\$auth3}{secret}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and {{eq {\$auth1}{sender}}{eq {\$auth2}{secret}}}}
  server_set_id = \$auth1
CONF
}

start()
{
	local dir=$1 port=$2 tls_port=${3:-} i
	[ "$(id -u)" != 0 ] || die "not as root"
	rm -rf "$dir"
	mkdir -p "$dir"/{spool,log,mail/new,mail/tmp,mail/cur}
	make_certificates "$dir" > "$dir/log/openssl" 2>&1 || die "no certificates, see $dir/log/openssl"
	write_configuration "$dir" "$port" "$tls_port" > "$dir/exim.conf"
	# in the foreground of a process of ours, so that its id is known whatever happens to its files
	/usr/sbin/exim4 -C "$dir/exim.conf" -bdf > "$dir/log/daemon" 2>&1 &
	echo $! > "$dir/pid"
	for ((i = 0; i < 200; i++)); do
		kill -0 "$(cat "$dir/pid")" 2>/dev/null || die "it did not start: $(cat "$dir"/log/*)"
		! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
		sleep 0.05
	done
	die "it does not listen: $(cat "$dir"/log/*)"
}

stop()
{
	[ ! -f "$1/pid" ] || kill "$(cat "$1/pid")" 2>/dev/null || true
	rm -f "$1/pid"
}

case "${1:-}" in
	start) start "$2" "$3" "${4:-}" ;;
	stop) stop "$2" ;;
	*) die "start DIR PORT [TLS_PORT], or stop DIR" ;;
esac
