# What the delivery of a backlog costs: messages that wait for a web server (nginx, on
# the same machine) leave, and everything is recorded.
#
# Floor: a bare curl_multi program that sends as many requests to the same server, over
# as many connections, in turns with it. Bar: 0.40 of its throughput. The same beside a
# server that takes connections and never answers, with as many requests to it as it
# may have: not slower by more than a tenth. Memory of the delivery worker after one
# backlog and after many, of the same process. And how soon a request is received, from the commit of the
# row, beside the engine's own way from the commit of a row to that of the action:
# median at most 3 times as long.

delivery_messages=20000
delivery_connections=50
delivery_rounds=$(size 3 5)
delivery_memory=$(size 4 10)		# backlogs
delivery_turns=$(size 200 1000)

delivery_port()
{
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

# Sets port, receiver; ended by finish() of bench/run, as all its jobs
delivery_peers()
{
	port=$(delivery_port)
	mkdir "$host/nginx"
	cat > "$host/nginx/nginx.conf" <<-CONF
		daemon off;
		pid nginx.pid;
		worker_processes 1;
		events { worker_connections 1024; }
		http {
			client_body_temp_path body;
			proxy_temp_path proxy;
			fastcgi_temp_path fastcgi;
			uwsgi_temp_path uwsgi;
			scgi_temp_path scgi;
			keepalive_requests 10000000;
			access_log off;
			server {
				listen 127.0.0.1:$port;
				location / { return 200 ok; }
			}
		}
	CONF
	PATH=$PATH:/usr/sbin nginx -e "$host/nginx/error.log" -p "$host/nginx" -c "$host/nginx/nginx.conf" &
	receiver=$(delivery_port)
	perl -I "$top/test/perl" -MHttpStub -e '$stub = HttpStub->new(dir => shift, port => shift, life => 3600); sleep 3600' "$host" "$receiver" &
	gcc -O2 -o "$host/curl_multi" "$top/bench/curl_multi.c" -lcurl
}

delivery_server()
{
	super -c "CREATE SERVER $1 TYPE 'http' FOREIGN DATA WRAPPER automation
		OPTIONS (url 'http://127.0.0.1:$2', allow_private 'on', rate '0', concurrency '$delivery_connections', timeout '5min', schedule '24h')" \
		-c "GRANT USAGE ON FOREIGN SERVER $1 TO app"
}

delivery_egress()
{
	database=postgres super -c "ALTER SYSTEM SET automation.egress = $1" -c 'SELECT pg_reload_conf()' > /dev/null
}

# delivery_backlog N: that many messages wait
delivery_backlog()
{
	delivery_egress off
	sql -c "INSERT INTO backlog (server, name, email) SELECT 'web', 'Contact ' || i, 'contact' || i || '@example.com' FROM generate_series(1, $1) i"
	await_messages queued "$1"
	super -c CHECKPOINT
}

# await_messages STATE N
await_messages()
{
	local until=$((SECONDS + 300))
	until [ "$(super -Atc "SELECT count(*) FROM automation.outgoing WHERE server = 'web' AND state = '$1' AND id > $delivery_seen")" -ge "$2" ]; do
		[ $SECONDS -lt $until ] || die "not within 300 s: $2 messages $1"
		sleep 0.3
	done
}

# delivery_run VARIANT ROUND: how many of a backlog leave in a second
delivery_run()
{
	local started
	delivery_seen=$(super -Atc 'SELECT coalesce(max(id), 0) FROM automation.outgoing')
	delivery_backlog $delivery_messages
	started=$(super -Atc 'SELECT clock_timestamp()')
	delivery_egress on
	await_messages sent $delivery_messages
	[ -z "$1" ] || super -c "INSERT INTO bench.result SELECT 'delivery', '$1', $2,
		$delivery_messages / extract(epoch FROM max(finished_at) - '$started'), 0
		FROM automation.outgoing WHERE server = 'web' AND id > $delivery_seen"
}

delivery_throughput()
{
	local round
	for ((round = 0; round <= delivery_rounds; round++)); do
		sql -c "INSERT INTO result VALUES ('delivery', 'curl', $round, $delivery_messages / $("$host/curl_multi" "http://127.0.0.1:$port/" $delivery_messages $delivery_connections \
			'{"type": "contact.created", "timestamp": "2026-01-01T00:00:00.000000Z", "data": {"id": 1000, "name": "Contact 1000", "email": "contact1000@example.com"}}'), 0)"
		delivery_run sent $round
	done
}

delivery_beside_hanging()
{
	local round hanging pid
	for ((round = 1; round <= delivery_rounds; round++)); do
		delivery_run alone $round
		# a server of its own each time: it will be known for failing
		hanging=$(delivery_port)
		perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 512) or die; sleep 600' "$hanging" &
		pid=$!
		delivery_server "hanging$round" "$hanging"
		sql -c "INSERT INTO backlog (server, name, email) SELECT 'hanging$round', 'h', 'h' FROM generate_series(1, $delivery_connections)"
		await 60 "SELECT count(*) = $delivery_connections FROM automation.deliveries WHERE server = 'hanging$round' AND state = 'started'"
		delivery_run beside $round
		kill $pid
		wait $pid 2>/dev/null || true
	done
}

# Without the pages of shared buffers it has touched, which VmRSS has as well
delivery_rss()
{
	awk '/^RssAnon/ { print $2 }' "/proc/$(worker 'automation delivery%')/status"
}

delivery_memory()
{
	local i
	for ((i = 1; i <= delivery_memory; i++)); do
		delivery_run '' 0
		sql -c "INSERT INTO result VALUES ('delivery memory', 'kB', $i, $(delivery_rss), 0)"
	done
	sql -c "INSERT INTO result VALUES ('delivery memory', 'messages', 1, $delivery_messages, 0)"
}

delivery_latency()
{
	sql -c "CALL take_turns(1, 20)" -c "CALL take_turns(1001, $delivery_turns)"
	await 60 "SELECT count(*) = 20 + $delivery_turns FROM act_done"
	local until=$((SECONDS + 60))
	until [ "$(wc -l < "$host/http_stub_$receiver.log")" -ge $((20 + delivery_turns)) ]; do
		[ $SECONDS -lt $until ] || die 'requests are missing'
		sleep 0.2
	done
	perl -MJSON::PP -ne '$r = decode_json($_); printf "%d\t%.6f\n", substr($r->{path}, 1), $r->{at}' "$host/http_stub_$receiver.log" > "$host/received.tsv"
	sql -c "\copy received FROM '$host/received.tsv'" -c "
		INSERT INTO result SELECT 'delivery latency', 'action', a.id,
			extract(epoch FROM pg_xact_commit_timestamp(d.xmin) - pg_xact_commit_timestamp(a.xmin)), 0
			FROM act_contact a JOIN act_done d USING (id) WHERE a.id > 1000;
		INSERT INTO result SELECT 'delivery latency', 'request', c.id, r.at - extract(epoch FROM pg_xact_commit_timestamp(c.xmin)), 0
			FROM send_contact c JOIN received r USING (id) WHERE c.id > 1000"
}

figure_delivery()
{
	local port receiver delivery_seen=0
	delivery_peers
	delivery_server web "$port"
	delivery_server receiver "$receiver"
	delivery_latency
	delivery_throughput
	delivery_memory
	delivery_beside_hanging
	database=postgres super -c 'ALTER SYSTEM RESET automation.egress' -c 'SELECT pg_reload_conf()' > /dev/null
	kill $(jobs -p) 2>/dev/null || true
}
