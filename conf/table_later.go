package conf

// The groups in this file belong to later versions. They are in the table so
// that a file written for one of those is told so at the right place, and so
// that the annotated reference can show what is to come.

func middlewareKey() *key {
	return &key{kind: section, keys: []*key{
		{name: "basic_auth", kind: section, trait: optional, doc: "asks for a name and a password", keys: []*key{
			{name: "realm", kind: name, def: "restricted", doc: "what the browser shows"},
			{name: "users_file", kind: path, words: []string{""}, doc: "htpasswd file"},
			{name: "users", kind: named, elem: &key{kind: name}, doc: `names and hashed passwords: {name: "$2y$..."}`},
		}},
		{name: "rate_limit", kind: section, trait: optional, doc: "429 with Retry-After past a rate", keys: []*key{
			{name: "rate", kind: rate, trait: required, min: 1, doc: "requests that are let through"},
			{name: "burst", kind: number, def: "0", doc: "how many may come at once"},
			{name: "by", kind: name, def: "client", doc: "client, site or header:NAME"},
			{name: "on_unavailable", kind: word, def: "deny", words: []string{"deny", "allow"}, doc: "while the master does not answer"},
		}},
		{name: "ip_filter", kind: section, trait: optional, doc: "403 for others", keys: []*key{
			{name: "allow", kind: list, elem: &key{kind: name}, doc: "networks that are let in"},
			{name: "deny", kind: list, elem: &key{kind: name}, doc: "networks that are not"},
		}},
		{name: "headers", kind: section, trait: optional, doc: "changes the response's fields", keys: []*key{
			{name: "set", kind: named, elem: &key{kind: text}, doc: "fields to set"},
			{name: "remove", kind: list, elem: &key{kind: name}, doc: "fields to remove"},
		}},
		{name: "compress", kind: section, trait: optional, doc: "compresses responses", keys: []*key{
			{name: "encodings", kind: list, defList: []string{"zstd", "br", "gzip"}, elem: &key{kind: name}, doc: "in order of preference"},
			{name: "min_bytes", kind: size, def: "1KiB", doc: "smaller bodies stay as they are"},
		}},
		{name: "cache", kind: section, trait: optional, doc: "keeps responses", keys: []*key{
			{name: "ttl", kind: duration, def: "0s", doc: "how long"},
			{name: "stale", kind: duration, def: "0s", doc: "how much longer while a new one is fetched"},
			{name: "max_object", kind: size, def: "1MiB", doc: "larger responses are not kept"},
			{name: "tags_header", kind: name, doc: "field with the tags to purge by"},
		}},
		{name: "rewrite", kind: section, trait: optional, doc: "changes the path"},
		{name: "cors", kind: section, trait: optional, doc: "lets other origins in"},
		{name: "limits", kind: section, trait: optional, doc: "limits in place of the site's"},
		{name: "request_id", kind: section, trait: optional, doc: "gives each request an id"},
		{name: "trace", kind: section, trait: optional, doc: "traces requests"},
		{name: "plugin", kind: section, trait: optional, doc: "runs a plugin"},
	}}
}

func upstreamKey() *key {
	return &key{kind: section, keys: []*key{
		{name: "servers", kind: list, elem: &key{kind: name}, doc: `"http://127.0.0.1:9001 weight=2"`},
		{name: "balance", kind: word, def: "round_robin",
			words: []string{"round_robin", "least_connections", "client_hash", "random_two"}, doc: "how a server is chosen"},
		{name: "health_check", kind: section, trait: optional, doc: "asks the servers how they are", keys: []*key{
			{name: "path", kind: name, def: "/healthz", doc: "what is asked for"},
			{name: "interval", kind: duration, def: "5s", doc: "how often"},
			{name: "timeout", kind: duration, def: "2s", doc: "how long an answer may take"},
			{name: "rise", kind: number, def: "2", doc: "good answers until a server is used again"},
			{name: "fall", kind: number, def: "3", doc: "bad answers until it is not"},
		}},
		{name: "keepalive", kind: number, def: "64", doc: "idle connections kept"},
		{name: "timeouts", kind: section, doc: "how long a server may take", keys: []*key{
			{name: "connect", kind: duration, def: "3s", doc: "to accept"},
			{name: "response", kind: duration, def: "60s", doc: "to begin its answer"},
			{name: "idle", kind: duration, def: "60s", doc: "between two requests"},
		}},
		{name: "retries", kind: section, doc: "when another server is asked", keys: []*key{
			{name: "attempts", kind: number, def: "2", doc: "servers to try"},
			{name: "on", kind: list, defList: []string{"connect_error", "502", "503"}, elem: &key{kind: name}, doc: "what counts as a failure"},
		}},
	}}
}
