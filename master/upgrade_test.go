package master

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"srvctl/shared/limit"
)

func TestEveryUpgradeStageIsDescribed(t *testing.T) {
	for s := range numUpgradeStages {
		if s.String() == "" {
			t.Errorf("stage %d has no name", s)
		}
	}
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "an upgrade cannot go from waiting to leaving") {
			t.Errorf("recovered %v, want the edge named", p)
		}
	}()
	(&upgrade{}).set(upgradeLeaving)
}

// endOf returns the last answer of an operation, which must be there.
func endOf(t *testing.T, op *operation) Answer {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-op.endc:
		return a
	default:
		t.Error("the operation has not ended")
		return Answer{}
	}
}

func TestUpgradeThatFailsChangesNothing(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.run()
		op := newOperation()
		s.post(upgradeRequest{why: "test", op: op})
		if end := endOf(t, op); end.Code() != 1 || end.Error != "upgrade: no other program" || end.Next != "version test goes on, nothing was changed" {
			t.Errorf("answer %+v", end)
		}
		s.post(signalled{syscall.SIGUSR2})
		s.wantStates("nothing has changed", "serving")
		if n := strings.Count(s.log.String(), "upgrade failed"); n != 2 {
			t.Errorf("%d failures in the log, want 2", n)
		}
		s.stopAndEnd()
	})
}

// stageRequest asks the loop how far an upgrade is.
type stageRequest chan string

func (e stageRequest) apply(m *master, _ time.Time) {
	if m.upgrade == nil {
		e <- ""
		return
	}
	e <- m.upgrade.stage.String()
}

func (s *testServer) upgradeStage() string {
	answer := make(stageRequest, 1)
	s.post(answer)
	return <-answer
}

// An upgrade waits for the reload that is under way, and the reload that was
// asked for during an upgrade for its end.
func TestUpgradeAndReloadTakeTurns(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		rehearsing := make(chan error)
		s.rehearse = func() (string, error) { return "", <-rehearsing }
		s.host.behave = stubborn
		s.run()
		// With a worker that never gets ready a reload takes ready_timeout.
		s.host.change(func() { s.host.behave = func(*fakeWorker) {} })
		reload, upgrade, again := newOperation(), newOperation(), newOperation()
		s.post(reloadRequest{why: "test", asker: &asker{op: reload}})
		synctest.Wait()
		s.post(upgradeRequest{why: "test", op: upgrade})
		if stage := s.upgradeStage(); stage != "waiting" {
			t.Errorf("the upgrade is %q during a reload, want it to wait", stage)
		}
		pass(11 * time.Second)
		if end := endOf(t, reload); end.Code() != 1 {
			t.Errorf("reload: %+v", end)
		}
		if stage := s.upgradeStage(); stage != "checking" {
			t.Errorf("the upgrade is %q after the reload, want it to check", stage)
		}
		s.post(reloadRequest{why: "test", asker: &asker{op: again}})
		if st, ok := s.ask(time.Second); !ok || st.Reload != nil {
			t.Errorf("during an upgrade: reload %+v, %v", st.Reload, ok)
		}
		s.host.change(func() { s.host.behave = obey })
		rehearsing <- errors.New("it is broken")
		if end := endOf(t, upgrade); end.Code() != 1 || !strings.Contains(end.Error, "it is broken") {
			t.Errorf("upgrade: %+v", end)
		}
		synctest.Wait()
		pass(5 * time.Second)
		if end := endOf(t, again); end.Code() != 0 {
			t.Errorf("the reload after it: %+v", end)
		}
		s.stopAndEnd()
	})
}

// A process that is being forked is known before the program is left.
func TestUpgradeAwaitsForks(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		s.rehearse = func() (string, error) { return "2", nil }
		s.run()
		forked := make(chan struct{})
		s.host.change(func() {
			s.host.spawnErr = func(birth) error { <-forked; return nil }
		})
		s.worker(0).die(exitCode(1))
		pass(backoffFirst)
		synctest.Wait()
		s.post(upgradeRequest{why: "test"})
		synctest.Wait()
		select {
		case <-s.leapt:
			t.Error("the program was left while a worker was forked")
		default:
		}
		close(forked)
		synctest.Wait()
		select {
		case <-s.leapt:
		default:
			t.Error("the program was not left when the worker was there")
		}
		s.stopAndEnd()
	})
}

func TestStopEndsAnUpgrade(t *testing.T) {
	inBubble(t, testConfig(1), func(t *testing.T, s *testServer) {
		rehearsing := make(chan struct{})
		s.rehearse = func() (string, error) { <-rehearsing; return "2", nil }
		s.run()
		op, late := newOperation(), newOperation()
		s.post(upgradeRequest{why: "test", op: op})
		s.post(stopRequest{why: "test"})
		s.post(upgradeRequest{why: "test", op: late})
		close(rehearsing)
		for _, op := range []*operation{op, late} {
			if end := endOf(t, op); end.Code() != 1 || !strings.Contains(end.Error, "the server stops") {
				t.Errorf("answer %+v", end)
			}
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// Whatever a process is called by, an upgrade looks for a file that somebody can
// replace: /proc/self/exe would be this program again.
func TestProgramPath(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "server")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(link))
	defer func(name string) { os.Args[0] = name }(os.Args[0])
	for name, want := range map[string]string{
		own:                  own,
		link:                 link,
		"server":             link, // found in PATH
		"in-no-folder":       own,
		"":                   own,
		selfImage:            own,
		"/bin/another-one":   own,
		filepath.Dir(link):   own,
		link + "/../unknown": own,
	} {
		os.Args[0] = name
		if got := programPath(); got != want {
			t.Errorf("started as %q: %s, want %s", name, got, want)
		}
	}
}

func TestVersionChange(t *testing.T) {
	for _, tc := range []struct{ from, to, want string }{
		{"1.2", "1.3", "upgraded from 1.2 to 1.3"},
		{"1.9.1", "1.10", "upgraded from 1.9.1 to 1.10"},
		{"v1.3", "v1.2.7", "changed back from v1.3 to v1.2.7, an older version"},
		{"1.2", "1.2", "executed anew, version 1.2"},
		{"1.2-3-gabc", "1.2-4-gdef", "upgraded from 1.2-3-gabc to 1.2-4-gdef"},
		{"devel", "1.0", "upgraded from devel to 1.0"},
	} {
		if got := versionChange(tc.from, tc.to); got != tc.want {
			t.Errorf("versionChange(%s, %s) = %q, want %q", tc.from, tc.to, got, tc.want)
		}
	}
}

// programs that cannot take over, and the words for it.
func TestExamineProgram(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, err := os.ReadFile(selfImage)
	if err != nil {
		t.Fatal(err)
	}
	other := slices.Clone(own[:min(len(own), 1<<20)])
	other[18] ^= 0xff // e_machine
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):            "no program at",
		dir:                                   "is a folder",
		pipe:                                  "is not a regular file",
		write("text", "hello\n", 0o755):       "is not a program of this system",
		write("script", "#!/bin/sh\n", 0o755): "is not a program of this system",
		write("plain", string(own), 0o644):    "may not be executed (mode 0644): chmod a+x",
		write("private", string(own), 0o700):  "may not be executed by somebody, the user of the workers",
		write("other", string(other), 0o755):  "",
		selfImage:                             "",
	} {
		var got string
		fd, err := openProgram(path)
		if err == nil {
			err = examineProgram(path, fd, &credential{uid: 12345, gid: 12345, name: "somebody"})
			closeAll([]int{fd})
		} else {
			err = missing(path, err)
		}
		if err != nil {
			got = err.Error()
		}
		if filepath.Base(path) == "other" {
			// Without its sections it may also be refused as cut off.
			if got == "" {
				t.Error("a program for another machine is not refused")
			}
			continue
		}
		if want == "" && path == selfImage {
			continue // the test's own binary may be private
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	good := `{"program":"srvctl","version":"1.3","format":1}`
	for _, tc := range []struct {
		text   string
		status syscall.WaitStatus
		want   string // "" is none
	}{
		{good, exitZero, ""},
		{good, exitCode(1), "ended with exit code 1"},
		{`{"program":"srvctl","version":"1.3","error":"not me"}`, exitCode(1), "version 1.3 cannot take over: not me"},
		{"", exitZero, "is another program"},
		{"", exitCode(1), "ended with exit code 1 when it was asked"},
		{"", syscall.WaitStatus(11), "crashed when it was asked"},
		{"hello", exitZero, "is another program"},
		{`{"program":"other"}`, exitZero, "is another program"},
	} {
		version, err := judge("/bin/x", []byte(tc.text), tc.status, "")
		if tc.want == "" && (err != nil || version != "1.3") || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("judge(%q, %v) = %q, %v; want %q", tc.text, tc.status, version, err, tc.want)
		}
	}
}

// testState is a state with a little of everything.
func testState(t testing.TB) *saved {
	t.Helper()
	c := testConfig(2)
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	layout := layoutOf(Options{}, c)
	s := &saved{
		Version: "1.2", Host: limit.Size(), LockFD: 3, SocketFD: 4, HostFD: 5, Admin: &savedAdmin{"127.0.0.1:0", 6},
		Sets:      []savedSet{{Spec: specOf(&c.Listeners[0]), FDs: []int{7, 8}}},
		Operators: []savedOperator{{FD: 9, Unread: []byte("{}"), Asked: true}},
		Taken:     []int{5},
		Generations: []savedGeneration{
			{
				Number: 1, Config: text, SealedFD: -1, Layout: layout, Fingerprint: layout.Fingerprint(),
				Slots: []savedSlot{{State: "vacant"}, {State: "draining", Limited: true, Left: time.Second, Worker: &savedWorker{
					PID: 100, Index: 0, LinkFD: 10, CellFD: 11, PipeFD: -1, Heir: 1, Degraded: map[string]string{"a": "b"},
				}}},
			},
			{
				Number: 2, Config: text, SealedFD: 12, Layout: layout, Fingerprint: layout.Fingerprint(),
				Listeners: []savedListener{{Name: "http", Set: 0}},
				Slots: []savedSlot{{State: "waiting"}, {State: "serving", Worker: &savedWorker{
					PID: 101, Index: 1, LinkFD: 13, CellFD: 14, PipeFD: 15, Heir: -1, Accepts: []int{0, 1},
					Outbox: []savedFrame{{[]byte("frame"), []int{16}}}, Tail: savedTail{First: []string{"line"}},
				}}},
			},
		},
	}
	return s
}

func TestStateComesBack(t *testing.T) {
	s := testState(t)
	data, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.encode()
	if err != nil || string(again) != string(data) {
		t.Errorf("encoded again, %v:\n%s\nwant\n%s", err, again, data)
	}
	if err := back.readable(); err != nil {
		t.Errorf("readable = %v", err)
	}
	fds := back.descriptors()
	slices.Sort(fds)
	if want := []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}; !slices.Equal(fds, want) {
		t.Errorf("descriptors %v, want %v", fds, want)
	}
}

func TestStateIsRefused(t *testing.T) {
	change := func(f func(*saved)) []byte {
		s := testState(t)
		f(s)
		data, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	good := change(func(*saved) {})
	var format *FormatError
	if _, err := decodeState([]byte(strings.Replace(string(good), `"format":1`, `"format":2`, 1))); !errors.As(err, &format) || format.Format != 2 {
		t.Errorf("format 2: %v", err)
	}
	for want, data := range map[string][]byte{
		"cannot be read":            []byte("{"),
		"unknown field":             []byte(strings.Replace(string(good), `"version":`, `"fashion":"x","version":`, 1)),
		"no generation":             change(func(s *saved) { s.Generations = nil }),
		"has no configuration":      change(func(s *saved) { s.Generations[1].SealedFD = -1 }),
		"descriptor 4":              change(func(s *saved) { s.LockFD = 4 }),
		"descriptor 2":              change(func(s *saved) { s.HostFD = 2 }),
		"process number 1":          change(func(s *saved) { s.Taken = []int{1} }),
		"process number 512":        change(func(s *saved) { s.Taken = []int{512} }),
		"address 1 of 1":            change(func(s *saved) { s.Gone = []int{1} }),
		"has address -1":            change(func(s *saved) { s.Generations[1].Listeners[0].Set = -1 }),
		`slot 0 is "forking"`:       change(func(s *saved) { s.Generations[1].Slots[0].State = "forking" }),
		`slot 0 is "serving"`:       change(func(s *saved) { s.Generations[1].Slots[0].State = "serving" }),
		`slot 0 is "sleeping"`:      change(func(s *saved) { s.Generations[1].Slots[0].State = "sleeping" }),
		"slot 1: pid 100":           change(func(s *saved) { s.Generations[1].Slots[1].Worker.PID = 100 }),
		"slot 1: pid -1":            change(func(s *saved) { s.Generations[1].Slots[1].Worker.PID = -1 }),
		"generation 1 with 2 slots": change(func(s *saved) { s.Generations[1].Number = 1 }),
		"slot 1: too much waits":    change(func(s *saved) { s.Generations[1].Slots[1].Worker.Outbox = make([]savedFrame, maxOutbox+1) }),
	} {
		if _, err := decodeState(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("decodeState = %v, want %q", err, want)
		}
	}
	for want, f := range map[string]func(*saved){
		"count connections in another form": func(s *saved) { s.Host++ },
		"counters in another form":          func(s *saved) { s.Generations[0].Fingerprint++ },
		"the running configuration":         func(s *saved) { s.Generations[1].Config = json.RawMessage(`{"version":99}`) },
	} {
		s := testState(t)
		f(s)
		if err := s.readable(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("readable = %v, want %q", err, want)
		}
	}
}

// Whatever a state says, it is read or refused, and what is read can be asked
// for its descriptors.
func FuzzDecodeState(f *testing.F) {
	good, err := testState(f).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"state":{}}`))
	f.Add([]byte(`{"format":1,"state":{"generations":[{"slots":[{"state":"serving","worker":{}}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeState(data)
		if err != nil {
			return
		}
		for _, fd := range s.descriptors() {
			if fd < 3 {
				t.Errorf("descriptor %d passes", fd)
			}
		}
		if _, err := s.encode(); err != nil {
			t.Error(err)
		}
	})
}
