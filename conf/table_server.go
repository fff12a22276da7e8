package conf

import "time"

const (
	kib = 1 << 10
	mib = 1 << 20
	tib = 1 << 40

	ms  = int64(time.Millisecond)
	sec = int64(time.Second)
	hr  = int64(time.Hour)
)

// serverKeys are the keys at the top of a file. The order is the one they are
// shown in.
func serverKeys() []*key {
	return []*key{
		{name: "include", kind: list, trait: fileOnly, max: 64,
			elem: &key{kind: name},
			doc:  "further files to read; patterns start at the folder of the file they stand in"},
		{name: "workers", kind: number, def: "auto", words: []string{"auto"}, min: 1, max: 256,
			doc: "worker processes; auto is one for each CPU this process may use"},
		{name: "user", kind: name, def: "auto",
			doc: "workers run as user[:group] when the master is root; auto is www-data or nobody"},
		{name: "pid_file", kind: path, words: []string{""}, trait: restart,
			doc: `file with the master's process id; "" is srvctl.pid in the runtime folder`},
		{name: "control_socket", kind: path, words: []string{""}, trait: restart,
			doc: `the operators' socket; "" is srvctl.sock in the runtime folder`},
		{name: "ready_timeout", kind: duration, def: "10s", min: 100 * ms, max: hr,
			doc: "how long a worker may take to become ready"},
		{name: "heartbeat", kind: section, keys: heartbeatKeys(), doc: "how a hung worker is found"},
		{name: "drain", kind: section, keys: drainKeys(), doc: "how workers finish on reload and stop"},
		{name: "reload", kind: section, doc: "when the configuration is read again", keys: []*key{
			{name: "watch", kind: flag, def: "false", doc: "reload when the content of a configuration file changes"},
		}},
		{name: "admin", kind: section, doc: "metrics, health and status pages", keys: []*key{
			{name: "address", kind: name, def: "127.0.0.1:9180",
				doc: `address of /metrics, /healthz, /readyz and /status; "" is off`},
		}},
		{name: "log", kind: section, keys: logKeys(), doc: "what the server tells about itself"},
		{name: "access_log", kind: section, doc: "a line for each request", keys: accessLogKeys("")},
		{name: "limits", kind: section, keys: limitKeys(), doc: "what clients may use, for the whole host"},
		{name: "trusted_proxies", kind: list, stage: inert, max: 1000, elem: &key{kind: name},
			doc: "networks whose X-Forwarded-For, Forwarded or PROXY line is believed"},
		{name: "mime_types", kind: named, max: 1000, elem: &key{kind: name},
			doc: `further file types: {".foo": "application/x-foo"}`},
		{name: "listeners", kind: named, max: 64, elem: listenerKey(),
			doc: "addresses to serve at; without any, http at :8080"},
		{name: "middleware", kind: named, stage: later, elem: middlewareKey(),
			doc: "named steps that sites and routes use"},
		{name: "sites", kind: list, trait: appends, max: 10_000, elem: siteKey(),
			doc: "what is served; without any, ./public or a welcome page"},
		{name: "upstreams", kind: named, stage: later, elem: upstreamKey(), doc: "servers behind this one"},
		{name: "cache", kind: section, stage: later, doc: "the response cache", keys: []*key{
			{name: "memory", kind: size, def: "64MiB", doc: "memory for the whole host"},
		}},
		{name: "sandbox", kind: section, stage: later, doc: "what workers may not do", keys: []*key{
			{name: "mode", kind: word, def: "auto", words: []string{"auto", "on", "off"}, doc: "auto uses what the kernel has"},
		}},
		{name: "tls", kind: section, stage: later, doc: "what holds for all certificates", keys: []*key{
			{name: "min_version", kind: word, def: "1.2", words: []string{"1.2", "1.3"}, doc: "oldest version of TLS"},
			{name: "ticket_rotation", kind: duration, def: "12h", doc: "age at which ticket keys are replaced"},
		}},
	}
}

func heartbeatKeys() []*key {
	return []*key{
		{name: "interval", kind: duration, def: "1s", min: 100 * ms, max: 60 * sec,
			doc: "how often a worker shows that its loop turns"},
		{name: "timeout", kind: duration, def: "10s", min: sec, max: hr,
			doc: "silence after which a worker counts as hung; at least two intervals"},
	}
}

func drainKeys() []*key {
	return []*key{
		{name: "timeout", kind: duration, def: "30s", min: 0, max: 24 * hr,
			doc: "requests in flight get this long, then they are cut"},
		{name: "idle", kind: duration, def: "10s", min: 0, max: hr,
			doc: "idle connections that cannot be moved are kept this long"},
		{name: "upgraded", kind: duration, def: "1h", min: 0, max: 168 * hr,
			doc: "WebSockets get this long on reload and scale"},
		{name: "delay", kind: duration, def: "0s", min: 0, max: hr,
			doc: "readiness turns false this long before a stop begins to drain"},
		{name: "generations", kind: number, def: "3", min: 1, max: 16,
			doc: "draining generations at the same time; the oldest is cut first"},
	}
}

func logKeys() []*key {
	return []*key{
		{name: "level", kind: word, def: "info", words: []string{"error", "warn", "info", "debug"},
			doc: "the least important events that are still told"},
		{name: "format", kind: word, def: "json", words: []string{"json", "text"}, doc: "json or text"},
		{name: "output", kind: path, def: "stderr", words: []string{"stderr", "stdout"},
			doc: "stderr, stdout or a file"},
	}
}

func accessLogKeys(doc string) []*key {
	return []*key{
		{name: "output", kind: path, words: []string{"", "stderr", "stdout"},
			doc: doc + `stderr, stdout or a file; "" is off`},
		{name: "format", kind: word, def: "json", words: []string{"json", "combined"}, doc: "json or combined"},
	}
}

// The bounds of request_line and header_bytes come from the codec: a head must
// fit a buffer of 64 KiB, and both are counted apart.
const (
	maxRequestLine = 15 * kib
	maxHeaderBytes = 48 * kib

	headBound = "request line and header lines together have to fit 64KiB"
)

func limitKeys() []*key {
	return []*key{
		{name: "connections", kind: number, def: "10000", min: 1, max: 10_000_000, doc: "connections at the same time"},
		{name: "connections_per_ip", kind: number, def: "0", min: 0, max: 10_000_000, stage: inert,
			doc: "connections of one client address; 0 is no limit"},
		{name: "header_timeout", kind: duration, def: "10s", min: 10 * ms, max: hr,
			doc: "from the first byte to the end of the head"},
		{name: "header_bytes", kind: size, def: "32KiB", min: 256, max: maxHeaderBytes, because: headBound,
			doc: "all header lines together, else 431"},
		{name: "header_count", kind: number, def: "100", min: 1, max: 1000, doc: "header lines, else 431"},
		{name: "request_line", kind: size, def: "8KiB", min: 64, max: maxRequestLine, because: headBound,
			doc: "the request line, else 414"},
		{name: "body_bytes", kind: size, def: "1MiB", min: 1, max: tib, doc: "request body, else 413"},
		{name: "min_rate", kind: section, doc: "the slowest a client may send or take a body", keys: []*key{
			{name: "bytes_per_second", kind: number, def: "240", min: 0, max: 1 << 30, doc: "0 is no limit"},
			{name: "grace", kind: duration, def: "5s", min: 0, max: hr, doc: "the rate counts after this long"},
		}},
		{name: "keepalive_timeout", kind: duration, def: "75s", min: 10 * ms, max: 24 * hr,
			doc: "how long a connection may wait for its next request"},
		{name: "keepalive_requests", kind: number, def: "0", min: 0, max: 1 << 30,
			doc: "requests on one connection; 0 is no limit"},
		{name: "handshake_timeout", kind: duration, def: "10s", min: 10 * ms, max: hr,
			doc: "how long a TLS handshake may take"},
		{name: "open_files", kind: number, def: "auto", words: []string{"auto"}, min: 64, max: 1 << 30,
			doc: "descriptors of a worker; auto is as many as can be had"},
	}
}

func listenerKey() *key {
	return &key{kind: section, keys: []*key{
		{name: "address", kind: name, trait: required,
			doc: `":8080", "127.0.0.1:8080", "[::1]:8080" or "unix:/path"; port 0 is any free one`},
		{name: "backlog", kind: number, def: "4096", min: 1, max: 65535,
			doc: "connections that may wait to be accepted; the kernel may allow fewer"},
		{name: "reuseport", kind: flag, def: "true", doc: "a socket for each worker; unix sockets are always shared"},
		{name: "mode", kind: octal, def: "0660", min: 0, max: 0o777, doc: "permission bits of a unix socket"},
		{name: "owner", kind: name, doc: `user[:group] of a unix socket; "" is whoever starts the server`},
		{name: "proxy_protocol", kind: flag, def: "false", stage: inert, doc: "connections begin with a PROXY line"},
		{name: "tls", kind: flag, def: "false", stage: inert, doc: "connections are encrypted"},
	}}
}
