package conf

import (
	"errors"
	"os/user"
	"path/filepath"
	"strings"
)

// builder turns the items into a Config. Every value is the right type by now;
// what is checked here is what values mean together and on this host.
type builder struct {
	*loader
	root   *item
	config *Config
	dirs   map[string]error // folders that were looked at
	bound  []bound          // addresses that are spoken for
}

func (b *builder) build() {
	b.dirs = make(map[string]error)
	c, r := b.config, b.root
	if c.Workers = r.int("workers"); r.str("workers") == "auto" {
		c.Workers = min(max(b.sys.cpus, 1), int(schema.child("workers").max))
	}
	c.User = b.user(r.at("user"))
	c.PIDFile = b.file(r.at("pid_file"))
	c.ControlSocket = b.file(r.at("control_socket"))
	b.socketPath(r.at("control_socket"), c.ControlSocket)
	c.ReadyTimeout = r.duration("ready_timeout")
	c.Reload.Watch = r.at("reload").flag("watch")
	c.Log = Log{
		Level:  r.at("log").str("level"),
		Format: r.at("log").str("format"),
		Output: b.output(r.at("log")),
	}
	c.AccessLog = b.accessLog(r.at("access_log"))
	b.heartbeat(r.at("heartbeat"))
	b.drain(r.at("drain"))
	b.mimeTypes(r.at("mime_types"))
	b.buildListeners(r.get("listeners"))
	b.buildAdmin(r.at("admin").at("address"))
	b.buildLimits(r.at("limits"))
	b.buildSites(r.get("sites"))
}

func (b *builder) heartbeat(it *item) {
	h := Heartbeat{it.duration("interval"), it.duration("timeout")}
	if h.Timeout < 2*h.Interval {
		b.fault(it.at("timeout"), formatDuration(h.Timeout)+" is less than two intervals of "+formatDuration(h.Interval),
			"wanted: at least "+formatDuration(2*h.Interval), "")
	}
	b.config.Heartbeat = h
}

func (b *builder) drain(it *item) {
	b.config.Drain = Drain{
		Timeout: it.duration("timeout"), Idle: it.duration("idle"), Upgraded: it.duration("upgraded"),
		Delay: it.duration("delay"), Generations: it.int("generations"),
	}
}

func (b *builder) buildLimits(it *item) {
	slow := it.at("min_rate")
	l := Limits{
		Connections: it.int("connections"), ConnectionsPerIP: it.int("connections_per_ip"),
		HeaderTimeout: it.duration("header_timeout"),
		HeaderBytes:   it.int("header_bytes"), HeaderCount: it.int("header_count"), RequestLine: it.int("request_line"),
		BodyBytes:        it.at("body_bytes").num,
		MinRate:          MinRate{slow.int("bytes_per_second"), slow.duration("grace")},
		KeepaliveTimeout: it.duration("keepalive_timeout"), KeepaliveRequests: it.int("keepalive_requests"),
		HandshakeTimeout: it.duration("handshake_timeout"), OpenFiles: it.int("open_files"),
	}
	b.config.Limits = l
	// The kernel may give every connection of the host to one worker.
	need := l.Connections + len(b.config.Listeners)*b.config.Workers + descriptorReserve
	if files := it.get("open_files"); files != nil && l.OpenFiles > 0 && l.OpenFiles < need {
		b.warn(files, itoa(l.OpenFiles)+" open files cannot hold limits.connections: "+itoa(l.Connections),
			"wanted: at least "+itoa(need)+", or auto", "")
	}
}

// descriptorReserve is what a worker opens besides connections: logs, files,
// shared memory, spare ones.
const descriptorReserve = 512

// user checks who the workers shall be.
func (b *builder) user(it *item) string {
	if it.text == "auto" {
		return it.text
	}
	if it.text == "" {
		b.fault(it, "no user is named", "wanted: auto, or user[:group]", "")
		return ""
	}
	b.owner(it, false)
	if !b.sys.root {
		b.warn(it, "only root can run workers as another user; they run as whoever starts the server", "", "")
	}
	return it.text
}

// owner checks "user[:group]", and ":group" where that means something.
func (b *builder) owner(it *item, groupAlone bool) {
	name, group, hasGroup := strings.Cut(it.text, ":")
	if name != "" || !hasGroup || !groupAlone {
		b.known(it, "user", name, b.sys.user(name))
	}
	if hasGroup {
		b.known(it, "group", group, b.sys.group(group))
	}
}

func (b *builder) known(it *item, what, name string, err error) {
	const want = "wanted: user[:group], as names or numbers that this host knows"
	var noUser user.UnknownUserError
	var noGroup user.UnknownGroupError
	switch {
	case err == nil && name != "":
	case name == "" || errors.As(err, &noUser) || errors.As(err, &noGroup):
		b.fault(it, "there is no "+what+" "+quote(name)+" on this host", want, "")
	default:
		b.fault(it, "the "+what+" "+quote(name)+" cannot be looked up: "+err.Error(), want, "")
	}
}

// file checks a file that will be written: its folder must be there.
func (b *builder) file(it *item) string {
	if it.text == "" || it.from == nil || it.bad {
		return it.text
	}
	if info, err := b.sys.stat(it.text); err == nil && info.IsDir() {
		b.fault(it, it.text+" is a folder", "wanted: a file", "")
		return it.text
	}
	dir := filepath.Dir(it.text)
	info, err := b.sys.stat(dir)
	switch {
	case err != nil:
		b.fault(it, "the folder "+dir+" cannot be used: "+reason(err), "make it, or name another file", "")
	case !info.IsDir():
		b.fault(it, dir+" is no folder", "name another file", "")
	}
	return it.text
}

// output checks where a log goes.
func (b *builder) output(it *item) string {
	out := it.at("output")
	for _, w := range out.key.words {
		if out.text == w {
			return w
		}
	}
	// "output: stdrr" is a file name as well, but hardly meant as one.
	if near := nearest(filepath.Base(out.text), out.key.words); near != "" {
		b.warn(out, "taken as the file "+out.text, out.key.allowed(), near)
	}
	return b.file(out)
}

func (b *builder) accessLog(it *item) AccessLog {
	return AccessLog{Output: b.output(it), Format: it.str("format")}
}

func (b *builder) mimeTypes(it *item) {
	if len(it.kids) == 0 {
		return
	}
	b.config.MIMETypes = make(map[string]string, len(it.kids))
	for _, kid := range it.kids {
		ext := strings.ToLower(kid.name)
		_, taken := b.config.MIMETypes[ext]
		switch kind, sub, ok := strings.Cut(kid.text, "/"); {
		case kid.bad:
		case len(ext) < 2 || ext[0] != '.' || strings.ContainsAny(ext[1:], "./ "):
			suggest := ""
			if isToken(ext) && !strings.Contains(ext, ".") {
				suggest = "." + ext
			}
			b.fault(kid, quote(kid.name)+" is no file name extension", `wanted: a dot and a word, such as ".foo"`, suggest)
		case !ok || !isToken(kind) || !isToken(strings.TrimSpace(strings.Split(sub, ";")[0])) || !isFieldValue(kid.text):
			b.fault(kid, quote(kid.text)+" is no file type", "wanted: type/subtype, such as application/json", "")
		case taken:
			b.fault(kid, "the extension "+ext+" is there already; case makes no difference", "", "")
		}
		b.config.MIMETypes[ext] = kid.text
	}
}

// fault reports what is wrong with a value, unless that was refused already.
func (b *builder) fault(it *item, message, allowed, suggest string) {
	if !it.bad {
		b.add(Problem{Pos: it.pos(), Key: it.path(), Message: message, Allowed: allowed, Suggest: suggest})
	}
}

func (b *builder) warn(it *item, message, allowed, suggest string) {
	if !it.bad {
		b.add(Problem{Pos: it.pos(), Key: it.path(), Message: message, Allowed: allowed, Suggest: suggest, Warning: true})
	}
}
