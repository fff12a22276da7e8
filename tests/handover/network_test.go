package handover

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/tests/harness"
)

// TestMain brings up the loopback network where this process has a network of
// its own, in which it is down at first.
func TestMain(m *testing.M) {
	if os.Getenv(namespaceMark) != "" {
		if err := loopbackUp(); err != nil {
			os.Stderr.WriteString("NOT RUN: lo: " + err.Error() + "\n")
			os.Exit(0)
		}
	}
	harness.Main(m)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
