package master

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/conf"
	"srvctl/proto/control"
)

func TestLogOutputs(t *testing.T) {
	c := testConfig(1)
	c.Log.Output, c.AccessLog.Output = "stderr", "stdout"
	c.Sites = []conf.Site{
		{Name: "a", AccessLog: &conf.AccessLog{Output: "/log/a"}},
		{Name: "b", AccessLog: &conf.AccessLog{}}, // switched off
		{Name: "c"},
	}
	want := []logOutput{{"log", "stderr"}, {"access", "stdout"}, {"access:a", "/log/a"}}
	if got := logOutputs(c, ""); !slices.Equal(got, want) {
		t.Errorf("logOutputs = %v, want %v", got, want)
	}
	want = []logOutput{{"log", "/run/d.log"}, {"access", "/run/d.log"}, {"access:a", "/log/a"}}
	if got := logOutputs(c, "/run/d.log"); !slices.Equal(got, want) {
		t.Errorf("logOutputs of a daemon = %v, want %v", got, want)
	}
}

func TestOpenLogsFails(t *testing.T) {
	_, err := openLogs(openLog, []logOutput{{"log", "stderr"}, {"access", "/no/such/folder/a.log"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "access: open /no/such/folder/a.log") || !strings.Contains(err.Error(), "make its folder first") {
		t.Errorf("openLogs = %v, want the log, the path and what to do", err)
	}
}

func TestReopenLogs(t *testing.T) {
	dir := t.TempDir()
	c := testConfig(2)
	c.Log.Output, c.AccessLog.Output = filepath.Join(dir, "log"), filepath.Join(dir, "access")
	inBubble(t, c, func(t *testing.T, s *testServer) {
		s.run()
		old := slices.Clone(s.gen.logs.files)
		os.Rename(c.AccessLog.Output, c.AccessLog.Output+".1")
		s.reopen()
		for slot := range 2 {
			if got := heard[control.Logs](s.worker(slot)); len(got) != 2 || !slices.Equal(got[1].Names, []string{"log", "access"}) {
				t.Errorf("slot %d heard %v, want all logs again", slot, got)
			}
		}
		if _, err := os.Stat(c.AccessLog.Output); err != nil {
			t.Error(err)
		}
		for _, f := range old {
			if f.Close() == nil {
				t.Errorf("%s was left open", f.Name())
			}
		}

		// A log that cannot be opened any more goes on as it is.
		kept := s.gen.logs.files[1]
		os.Remove(c.AccessLog.Output)
		os.Mkdir(c.AccessLog.Output, 0o700)
		s.reopen()
		if s.gen.logs.files[1] != kept {
			t.Error("the log that cannot be opened was replaced")
		}
		os.Remove(c.AccessLog.Output)
		s.reopen()
		if s.gen.logs.files[1] == kept || kept.Close() == nil {
			t.Error("the log was not replaced once it could be, or the old file was left open")
		}
		s.stopAndEnd()
		s.gen.logs.close()
		text, _ := os.ReadFile(c.Log.Output)
		if !strings.Contains(string(text), "log could not be reopened") {
			t.Errorf("the log does not tell: %s", text)
		}
	})
}

func (s *testServer) reopen() {
	s.post(signalled{syscall.SIGUSR1})
	synctest.Wait()
	s.ask(time.Second)
}

// A log that is a pipe without a reader must not hold a start or a reload.
func TestOpenLogThatIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openLogs(openLog, []logOutput{{"log", path}}, nil)
	if err == nil || !strings.Contains(err.Error(), "nobody reads this pipe") {
		t.Errorf("openLogs = %v, want that nobody reads it", err)
	}
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("line\n"); err != nil {
		t.Error(err)
	}
}

func TestLogsIntoOwnFiles(t *testing.T) {
	c := testConfig(1)
	c.Files = []string{"/etc/srvctl.yaml"}
	p := Paths{PID: "/run/p.pid", Lock: "/run/p.pid.lock", Socket: "/run/s.sock"}
	for _, path := range []string{"/etc/srvctl.yaml", p.PID, p.Lock, p.Socket} {
		if err := ownFiles([]logOutput{{"log", "stderr"}, {"access", path}}, c, p); err == nil || !strings.Contains(err.Error(), "access: "+path) {
			t.Errorf("%s: %v, want it refused", path, err)
		}
	}
	if err := ownFiles([]logOutput{{"log", "stderr"}, {"access", "/var/log/a"}}, c, p); err != nil {
		t.Error(err)
	}
}
