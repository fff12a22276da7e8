package conf

// httpMethods are the methods a match is likely to name. Others are taken as
// well when they are no misspelling of these.
var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"}

func siteKey() *key {
	return &key{kind: section, keys: []*key{
		{name: "hosts", kind: list, max: 1000, elem: &key{kind: name},
			doc: `host names, also "*.example.com"; none is the default site`},
		{name: "listeners", kind: list, max: 64, elem: &key{kind: name},
			doc: "names of the listeners it is served at; none is all of them"},
		{name: "tls", kind: section, stage: later, trait: optional, doc: "the site's certificates", keys: []*key{
			{name: "certificates", kind: list, elem: &key{kind: section, keys: []*key{
				{name: "cert", kind: path, trait: required, doc: "certificate chain, PEM"},
				{name: "key", kind: path, trait: required, doc: "private key, PEM"},
			}}, doc: "certificate and key, as files"},
		}},
		{name: "use", kind: list, stage: inert, elem: &key{kind: name}, doc: "middleware for every route, before the routes' own"},
		{name: "access_log", kind: section, trait: optional, keys: accessLogKeys("the site's own log: "),
			doc: "the site's own log in place of the server's"},
		{name: "limits", kind: section, stage: later, trait: optional, doc: "limits of this site in place of the server's"},
		{name: "routes", kind: list, max: 200_000, elem: routeKey(),
			doc: "what answers; the most specific match wins, whatever the order"},
		{name: "errors", kind: named, stage: later, elem: &key{kind: path}, doc: "pages for error statuses: {404: 404.html}"},
	}}
}

func routeKey() *key {
	return &key{kind: section, keys: []*key{
		{name: "match", kind: name, trait: required,
			doc: `"/path", "/users/{id}", "/files/*", with methods in front: "GET,HEAD /path"`},
		{name: "use", kind: list, stage: inert, elem: &key{kind: name}, doc: "middleware for this route"},
		{name: "limits", kind: section, stage: later, trait: optional, doc: "limits of this route in place of the site's"},
		{name: "respond", kind: section, trait: handler | optional, keys: respondKeys(), doc: "a fixed text"},
		{name: "redirect", kind: section, trait: handler | optional, keys: redirectKeys(), doc: "sends the client elsewhere"},
		{name: "files", kind: section, trait: handler | optional, keys: filesKeys(), doc: "the files of a folder"},
		{name: "proxy", kind: section, stage: later, trait: handler | optional, doc: "an upstream answers", keys: []*key{
			{name: "upstream", kind: name, trait: required, doc: "name under upstreams"},
			{name: "strip_prefix", kind: name, doc: "taken off the path"},
		}},
		{name: "websocket", kind: section, stage: later, trait: handler | optional, doc: "a WebSocket", keys: []*key{
			{name: "handler", kind: word, trait: required, words: []string{"echo", "hub"}, doc: "echo, or hub: publish and subscribe"},
		}},
		{name: "health", kind: section, trait: handler | optional, doc: "answers probes as JSON", keys: []*key{
			{name: "kind", kind: word, def: "live", words: []string{"live", "ready"},
				doc: "live: the worker turns; ready: it also takes new work"},
		}},
		{name: "echo", kind: section, trait: handler | optional, doc: "answers with what was received", keys: []*key{
			{name: "what", kind: word, def: "body", words: []string{"body", "headers", "cookies", "request"},
				doc: "which part of the request is sent back"},
		}},
	}}
}

func respondKeys() []*key {
	return []*key{
		{name: "status", kind: number, def: "200", min: 200, max: 599, doc: "status code"},
		{name: "body", kind: text, doc: "the text; {name} and {*} stand for what the match found"},
		{name: "headers", kind: named, max: 64, elem: &key{kind: text}, doc: "further header fields"},
	}
}

// redirectStatuses are those whose Location a client follows (RFC 9110,
// section 15.4).
var redirectStatuses = []string{"301", "302", "303", "307", "308"}

func redirectKeys() []*key {
	return []*key{
		{name: "to", kind: name, trait: required,
			doc: "path or URL; {name} and {*} stand for what the match found"},
		{name: "status", kind: word, def: "302", words: redirectStatuses, doc: "301 and 308 are kept by clients for good"},
	}
}

func filesKeys() []*key {
	return []*key{
		{name: "root", kind: path, trait: required, doc: "the folder"},
		{name: "index", kind: list, defList: []string{"index.html"}, max: 16, elem: &key{kind: name},
			doc: "files that answer for a folder"},
		{name: "cache_control", kind: name, doc: `the Cache-Control field; "" is none`},
		{name: "list", kind: flag, def: "false", stage: inert, doc: "lists folders without an index"},
		{name: "precompressed", kind: list, stage: inert, elem: &key{kind: name}, doc: "files beside the file: zst, br, gz"},
		{name: "try", kind: list, stage: inert, elem: &key{kind: name}, doc: "what to look for, in this order"},
	}
}
