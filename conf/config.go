package conf

import "time"

// Config is a checked configuration. Every value is final: defaults are
// applied, paths are absolute, "auto" is resolved where that is possible before
// the server runs. It must not be changed after Load.
type Config struct {
	File  string   // absolute path of the main file; "" is the embedded default
	Files []string // all files, the main one first
	// Watch is all that was read or looked for, also by a Load that failed.
	// A Config from Decode has none.
	Watch []Watched `json:"-"`
	Given Given

	Workers       int
	User          string // "auto" or "user[:group]"
	PIDFile       string // "" is in the runtime folder
	ControlSocket string // "" is in the runtime folder
	ReadyTimeout  time.Duration
	Heartbeat     Heartbeat
	Drain         Drain
	Reload        Reload
	Admin         Admin
	Log           Log
	AccessLog     AccessLog
	Limits        Limits
	MIMETypes     map[string]string // ".foo" -> "application/x-foo"; additions only

	Listeners []Listener // in the order they were written
	Sites     []Site     // in the order they were written

	// root is where every value came from; nil in a Config from Decode.
	root *item
}

// Heartbeat says how often a worker's loop shows that it lives.
type Heartbeat struct{ Interval, Timeout time.Duration }

// Drain bounds how workers finish.
type Drain struct {
	Timeout, Idle, Upgraded, Delay time.Duration
	Generations                    int
}

// Reload says when the configuration is read again on its own.
type Reload struct{ Watch bool }

// Admin is the address of the metrics, health and status pages; "" is off.
type Admin struct{ Address string }

// Log is where and how events are told. Output is "stderr", "stdout" or an
// absolute path.
type Log struct{ Level, Format, Output string }

// AccessLog is where and how requests are told. Output is "" (off), "stdout",
// "stderr" or an absolute path.
type AccessLog struct{ Output, Format string }

// Limits hold for the whole host.
type Limits struct {
	Connections      int
	ConnectionsPerIP int // 0 is no limit
	HeaderTimeout    time.Duration
	HeaderBytes      int
	HeaderCount      int
	RequestLine      int
	BodyBytes        int64
	MinRate          MinRate
	KeepaliveTimeout time.Duration
	// KeepaliveRequests is how many requests a connection may carry; 0 is no
	// limit.
	KeepaliveRequests int
	HandshakeTimeout  time.Duration
	OpenFiles         int // 0 is as many as can be had
}

// MinRate is the slowest a client may send a body or take a response, once the
// grace is over. 0 bytes per second is no limit.
type MinRate struct {
	BytesPerSecond int
	Grace          time.Duration
}

// Listener is one address to serve at.
type Listener struct {
	Name      string
	Address   string // ":8080", "127.0.0.1:0", "[::1]:80", "unix:/path"
	Backlog   int
	ReusePort bool   // false for unix sockets
	Mode      uint32 // of a unix socket
	Owner     string // "user[:group]" of a unix socket; "" is whoever starts it
	Pos       Pos
}

// Site is a set of hosts and what they answer. Without hosts it answers for
// every host no other site has.
type Site struct {
	Name      string     // first host, or "default"; unique
	Hosts     []string   // lower case; "*.example.com" has any number of labels in place of the star
	Listeners []string   // never empty: all listeners when none were named
	AccessLog *AccessLog // nil is the server's
	Routes    []Route
	Pos       Pos
}

// Route is one match and its handler: exactly one of the pointers is set.
type Route struct {
	Match   string   // as written
	Methods []string // nil is any
	Pattern string   // "/a/{id}/b", "/p/*"
	Pos     Pos

	Respond  *Respond
	Redirect *Redirect
	Files    *Files
	Health   *Health
	Echo     *Echo
}

// Respond answers with a fixed status and text.
type Respond struct {
	Status  int
	Body    string // {name} and {*} are replaced
	Headers []Header
}

// Header is one field of a response.
type Header struct{ Name, Value string }

// Redirect sends the client elsewhere.
type Redirect struct {
	To     string // {name} and {*} are replaced
	Status int
}

// Files serves a folder.
type Files struct {
	Root         string
	Index        []string
	CacheControl string
}

// Health answers probes. Kind is "live" or "ready".
type Health struct{ Kind string }

// Echo answers with what was received. What is "body", "headers", "cookies" or
// "request".
type Echo struct{ What string }
