package master

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"srvctl/conf"
)

// credential is the user that workers run as.
type credential struct {
	uid, gid uint32
	name     string
}

// userAuto stands for the first of autoUsers that exists.
const userAuto = "auto"

var autoUsers = []string{"www-data", "nobody"}

// nobody is the user of a system that names none, such as an empty container.
var nobody = credential{uid: 65534, gid: 65534, name: "65534"}

// workerUser finds the user for the workers. Only root can change the user:
// for everybody else it is nil, with a note when something else was asked for.
func workerUser(setting string) (c *credential, note string, err error) {
	if os.Geteuid() != 0 {
		if setting != userAuto && setting != "" {
			note = fmt.Sprintf("user %q is not used: only root can start workers as another user", setting)
		}
		return nil, note, nil
	}
	if setting == userAuto || setting == "" {
		for _, name := range autoUsers {
			if c, err := lookupUser(name, ""); err == nil {
				return c, "", nil
			}
		}
		c := nobody
		return &c, "", nil
	}
	name, group, _ := strings.Cut(setting, ":")
	c, err = lookupUser(name, group)
	if err != nil {
		return nil, "", fmt.Errorf("user %q: %w: name an existing user, or leave `user: auto`", setting, err)
	}
	return c, "", nil
}

// lookupUser resolves names and numbers. A number needs no entry anywhere.
func lookupUser(name, group string) (*credential, error) {
	c := &credential{name: name}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		c.uid, c.gid = uint32(n), uint32(n)
		if u, err := user.LookupId(name); err == nil {
			c.gid = number(u.Gid)
		}
	} else {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, err
		}
		c.uid, c.gid = number(u.Uid), number(u.Gid)
	}
	if group == "" {
		return c, nil
	}
	if n, err := strconv.ParseUint(group, 10, 32); err == nil {
		c.gid = uint32(n)
		return c, nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return nil, err
	}
	c.gid = number(g.Gid)
	return c, nil
}

func number(id string) uint32 {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return nobody.uid // a database with other than numbers: give no rights
	}
	return uint32(n)
}

// CheckHost says what of a configuration this host does not allow: err is what
// would keep the server from starting, warnings what would be less than
// configured. It changes nothing.
func CheckHost(c *conf.Config) (warnings []string, err error) {
	user, note, err := workerUser(c.User)
	for _, w := range []string{FilesNote(c), note} {
		if w != "" {
			warnings = append(warnings, w)
		}
	}
	return append(warnings, unreachable(c, user)...), err
}
