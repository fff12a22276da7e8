package conf

import (
	"path/filepath"
)

// bound is an address that is already spoken for.
type bound struct {
	address
	by   string // "listeners.http"
	item *item
}

func (b *builder) buildListeners(it *item) {
	if len(it.kids) == 0 && !it.bad && !it.damaged {
		b.fault(it, "there is no listener", `leave listeners away for http at ":8080", or name one`, "")
	}
	var taken []bound
	if s := b.config.ControlSocket; s != "" {
		taken = append(taken, bound{address{path: s}, "control_socket", b.root.at("control_socket")})
	}
	for _, kid := range it.kids {
		if kid.bad {
			continue
		}
		b.checkName(kid)
		if at := kid.get("address"); at != nil && !at.bad {
			taken = b.listener(kid, at, taken)
		}
	}
	b.bound = taken
}

// checkName keeps names in the shape that metrics, logs and variables can
// carry.
func (b *builder) checkName(it *item) {
	ok := it.name != "" && len(it.name) <= 64
	for _, c := range []byte(it.name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		ok = ok && (letter || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !ok {
		b.add(Problem{Pos: it.keyPos(), Key: it.path(), Message: quote(it.name) + " is no name for a listener",
			Allowed: "wanted: 1 to 64 letters, digits, - and _"})
	}
}

func (b *builder) listener(it, at *item, taken []bound) []bound {
	a, wrong := parseAddress(at.text)
	if wrong.message != "" {
		b.fault(at, wrong.message, wantAddress, wrong.suggest)
		return taken
	}
	l := Listener{
		Name: it.name, Address: at.text, Backlog: it.int("backlog"), ReusePort: it.flag("reuseport"), Pos: it.pos(),
	}
	if a.path != "" {
		b.unixListener(it, at, &a, &l)
	} else {
		for _, name := range []string{"mode", "owner"} {
			if opt := it.get(name); opt != nil {
				b.fault(opt, "only a unix socket has "+name, "leave it away, or use an address such as unix:/run/web.sock", "")
			}
		}
	}
	taken = b.claim(taken, bound{a, it.path(), at})
	b.config.Listeners = append(b.config.Listeners, l)
	return taken
}

func (b *builder) unixListener(it, at *item, a *address, l *Listener) {
	if at.from != nil {
		a.path = at.from.absolute(a.path)
	}
	a.path = filepath.Clean(a.path)
	l.Address = "unix:" + a.path
	at.text = l.Address
	l.ReusePort = false
	l.Mode = uint32(it.at("mode").num)
	b.socketPath(at, a.path)
	if info, err := b.sys.stat(filepath.Dir(a.path)); err != nil || !info.IsDir() {
		b.fault(at, "there is no folder "+filepath.Dir(a.path), "make it, or name another path", "")
	}
	if owner := it.at("owner"); owner.text != "" {
		l.Owner = owner.text
		b.owner(owner, true)
	}
}

// claim takes an address, or says who has it. Of two of which one is a default,
// the other one is what the operator can find.
func (b *builder) claim(taken []bound, want bound) []bound {
	for _, has := range taken {
		if !want.overlaps(has.address) {
			continue
		}
		told := want
		if told.item.from == nil {
			told, has = has, want
		}
		message := "the address " + told.item.text + " is taken by " + has.by
		if told.item.text != has.item.text {
			message = "the address " + told.item.text + " cannot be bound beside " + has.item.text + " of " + has.by
		}
		b.fault(told.item, message+" ("+has.item.origin()+")", "give each its own address", "")
		return taken
	}
	return append(taken, want)
}

func (b *builder) buildAdmin(it *item) {
	b.config.Admin.Address = it.text
	if it.text == "" {
		return
	}
	a, wrong := parseAddress(it.text)
	switch {
	case wrong.message != "":
		b.fault(it, wrong.message, wantAddress+`, or "" for off`, wrong.suggest)
		return
	case a.path != "" && it.from != nil:
		a.path = it.from.absolute(a.path)
		it.text = "unix:" + a.path
		b.config.Admin.Address = it.text
		b.socketPath(it, a.path)
	}
	b.claim(b.bound, bound{a, "admin.address", it})
}
