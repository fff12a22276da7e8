package master

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// reportFD is the descriptor on which a daemon tells the command that started
// it how the start went.
const reportFD = 3

// reportOK is the whole report of a start that worked. Everything else is the
// reason why it did not.
const reportOK = "ok\n"

// reportMax bounds what is read of a report.
const reportMax = 64 << 10

// Reporter returns a function that tells the command that started this daemon
// with Detach how the start went, and lets go of it; only its first call does
// anything. It must be asked for before this process opens any file: the
// descriptor could be another one by then.
func Reporter() func(error) {
	var st syscall.Stat_t
	if syscall.Fstat(reportFD, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return func(error) {} // started by hand: nobody listens
	}
	f := os.NewFile(reportFD, "report")
	return func(err error) {
		defer f.Close()
		text := reportOK
		if err != nil {
			text = err.Error()
		}
		io.WriteString(f, text) // the command may have been interrupted; the daemon goes on
	}
}

func readReport(r *os.File, limit time.Duration) error {
	r.SetReadDeadline(time.Now().Add(limit))
	raw, err := io.ReadAll(io.LimitReader(r, reportMax))
	text := string(raw)
	switch {
	case text == reportOK:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the server did not become ready within %v; it goes on trying: see `srvctl status`", limit)
	case err != nil:
		return fmt.Errorf("wait for the server: %w", err)
	case text == "":
		return errors.New("the server ended while it started, without a word; run `srvctl start` in the foreground to see why")
	}
	return errors.New(strings.TrimSpace(text))
}
