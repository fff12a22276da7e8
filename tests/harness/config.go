package harness

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// names are the words in a configuration that stand for something of this
// server: @http@ for an address 127.0.0.1:PORT, @http.port@ for the port alone,
// @dir@ for its folder. Any word may be used; the same word is the same port.
var names = regexp.MustCompile(`@([a-z][a-z0-9_]*)(\.port)?@`)

// fill replaces the names and adds the settings that keep servers apart, each
// unless the text has that key itself. They go to the end, so that lines keep
// their numbers.
func (s *Server) fill(t testing.TB, text string) string {
	t.Helper()
	for _, own := range []struct{ key, value string }{
		{"pid_file", filepath.Join(s.Dir, "srvctl.pid")},
		{"control_socket", s.Socket},
		{"admin", `{address: "@admin@"}`},
	} {
		if !strings.HasPrefix(text, own.key+":") && !strings.Contains(text, "\n"+own.key+":") {
			text = fmt.Sprintf("%s\n%s: %s\n", strings.TrimRight(text, "\n"), own.key, own.value)
		}
	}
	return names.ReplaceAllStringFunc(text, func(word string) string {
		m := names.FindStringSubmatch(word)
		if m[1] == "dir" {
			return s.Dir
		}
		port, ok := s.ports[m[1]]
		if !ok {
			port = Port(t)
			s.ports[m[1]] = port
		}
		if m[2] != "" {
			return strconv.Itoa(port)
		}
		return "127.0.0.1:" + strconv.Itoa(port)
	})
}
