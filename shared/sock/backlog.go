package sock

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// fallbackBacklog is net.core.somaxconn's default since Linux 5.4.
const fallbackBacklog = 4096

// backlog is the length of the accept queue to ask for: 0 asks for all that
// the kernel allows. An entry costs memory only while a connection waits in it.
func backlog(asked int) int {
	if asked > 0 {
		return asked
	}
	return somaxconn()
}

// backlogNote tells that the kernel cuts a backlog, which it does in silence.
func backlogNote(asked int) string {
	if most := somaxconn(); asked > most {
		return fmt.Sprintf("backlog %d is cut to %d by the sysctl net.core.somaxconn", asked, most)
	}
	return ""
}

func somaxconn() int {
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
