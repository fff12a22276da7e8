package sock

import (
	"os"
	"strconv"
	"strings"
)

// fallbackBacklog is net.core.somaxconn's default since Linux 5.4.
const fallbackBacklog = 4096

// backlog is the length of the accept queue to ask for. The kernel cuts it to
// net.core.somaxconn; 0 asks for all of that. An entry costs memory only while
// a connection waits in it.
func backlog(asked int) int {
	if asked > 0 {
		return asked
	}
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return fallbackBacklog
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 1 {
		return fallbackBacklog
	}
	return n
}
