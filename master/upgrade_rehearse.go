package master

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"srvctl/proto/control"
	"srvctl/shared/sock"
)

// Before this process becomes another program, that program shows in a child
// that it can: it reads the state and the configuration, and says so.

// RehearseVerb is the hidden verb of that child. The arguments that the server
// was started with follow.
const RehearseVerb = "__rehearse"

const (
	// rehearseTime is what the new program gets to read the state and the
	// configuration.
	rehearseTime = 5 * time.Second

	// rehearseFD is the descriptor of the state in the child.
	rehearseFD = 3

	// maxRehearsal bounds what is read of its answer.
	maxRehearsal = 256 << 10
)

// rehearsal is the answer of a new program.
type rehearsal struct {
	Program string `json:"program"` // programName
	Version string `json:"version"`
	Format  int    `json:"format"` // of the states it reads
	Error   string `json:"error,omitempty"`
}

// programName tells this program from others that write JSON.
const programName = "srvctl"

// rehearser is env.rehearse.
type rehearser struct {
	children *children
	null     *os.File
}

// rehearse checks the program at a path. What it returns is open, and the
// caller's.
func (r *rehearser) rehearse(path string, user *credential, s *saved, stopc <-chan struct{}) (image int, version string, err error) {
	image, err = openProgram(path)
	if err != nil {
		return -1, "", missing(path, err)
	}
	if err = examineProgram(path, image, user); err == nil {
		version, err = r.perform(path, image, s, stopc)
	}
	if err != nil {
		closeAll([]int{image})
		return -1, "", err
	}
	return image, version, nil
}

func missing(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no program at %s, where this server was started from: install the new one there", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let this user reach the program", err)
	}
	return err
}

// examineProgram says in words what the kernel would say in a number.
func examineProgram(path string, image int, user *credential) error {
	at := descriptorPath(image)
	var st syscall.Stat_t
	if err := syscall.Stat(at, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	const executable = 1 // X_OK
	switch {
	case st.Mode&syscall.S_IFMT == syscall.S_IFDIR:
		return fmt.Errorf("%s is a folder, not a program", path)
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return fmt.Errorf("%s is not a regular file", path)
	case syscall.Access(at, executable) != nil:
		return fmt.Errorf("%s may not be executed (mode %04o): chmod a+x %s", path, st.Mode&0o7777, path)
	case user != nil && user.uid != 0 && st.Mode&entryBit(&st, user) == 0:
		return fmt.Errorf("%s may not be executed by %s, the user of the workers (mode %04o): chmod a+x %s", path, user.name, st.Mode&0o7777, path)
	}
	f, err := elf.Open(at)
	if errors.Is(err, fs.ErrPermission) {
		return nil // executable and not readable: the kernel will tell
	}
	if err != nil {
		return fmt.Errorf("%s is not a program of this system: %v", path, err)
	}
	defer f.Close()
	own, err := elf.Open(selfImage)
	if err != nil {
		return nil
	}
	defer own.Close()
	if f.Machine != own.Machine || f.Class != own.Class {
		return fmt.Errorf("%s is a program for another machine (%v, this is %v)", path, f.Machine, own.Machine)
	}
	return nil
}

// perform runs the rehearsal and returns the version of the program.
func (r *rehearser) perform(path string, image int, s *saved, stopc <-chan struct{}) (string, error) {
	data, err := s.encode()
	if err != nil {
		return "", err
	}
	state, err := sock.Sealed("srvctl-rehearsal", data)
	if err != nil {
		return "", err
	}
	defer closeAll([]int{state})
	answer, say, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer answer.Close()
	words, complain, err := os.Pipe()
	if err != nil {
		say.Close()
		return "", err
	}
	argv := append([]string{os.Args[0], RehearseVerb}, os.Args[min(2, len(os.Args)):]...)
	files := []uintptr{r.null.Fd(), say.Fd(), complain.Fd(), uintptr(state)}
	p, err := r.children.startImage(descriptorPath(image), argv, os.Environ(), files, &syscall.SysProcAttr{Setpgid: true})
	say.Close()
	complain.Close()
	last := newTail()
	go last.read(words) // ends with the process, which is ended below
	if err != nil {
		return "", startHint(path, err)
	}
	text, err := r.attend(p, answer, stopc)
	if err != nil {
		return "", fmt.Errorf("%s %w%s", path, err, lastWordsOf(last))
	}
	return judge(path, text, p.status(), lastWordsOf(last))
}

// attend reads the answer and waits for the end of the child, which it ends
// when the time is up or the server stops.
func (r *rehearser) attend(p *child, answer *os.File, stopc <-chan struct{}) (text []byte, err error) {
	timer := time.NewTimer(rehearseTime)
	defer timer.Stop()
	answer.SetReadDeadline(time.Now().Add(rehearseTime))
	readc := make(chan struct{})
	go func() { // ends with the deadline at the latest
		defer close(readc)
		text, _ = io.ReadAll(io.LimitReader(answer, maxRehearsal)) // a broken answer cannot be understood either
	}()
	select {
	case <-p.gone():
	case <-timer.C:
		err = fmt.Errorf("did not answer within %v when it was asked whether it can take over", rehearseTime)
	case <-stopc:
		err = errors.New("was not needed any more")
	}
	if err != nil {
		p.signal(syscall.SIGKILL)
		answer.SetReadDeadline(time.Now())
	}
	// A child of the child may hold the pipe open.
	answer.SetReadDeadline(time.Now().Add(lastWordsGrace))
	<-readc
	select {
	case <-p.gone():
	case <-time.After(unkillableAfter):
	}
	return text, err
}

// judge makes a version or an error of what a program has answered.
func judge(path string, text []byte, status syscall.WaitStatus, words string) (string, error) {
	var a rehearsal
	if err := json.Unmarshal(text, &a); err != nil || a.Program != programName {
		switch {
		case status.Signaled():
			return "", fmt.Errorf("%s crashed when it was asked whether it can take over (%s)%s", path, exitText(status), words)
		case len(text) == 0 && status != 0:
			return "", fmt.Errorf("%s ended with %s when it was asked whether it can take over%s", path, exitText(status), words)
		}
		return "", fmt.Errorf("%s is another program, or a version that cannot upgrade: it did not answer whether it can take over%s", path, words)
	}
	switch {
	case a.Error != "":
		return "", fmt.Errorf("version %s cannot take over: %s", a.Version, a.Error)
	case status != 0:
		return "", fmt.Errorf("version %s can take over, it says, but ended with %s%s", a.Version, exitText(status), words)
	}
	return a.Version, nil
}

func lastWordsOf(t *tail) string {
	select {
	case <-t.donec:
	case <-time.After(lastWordsGrace):
	}
	if text := t.Text(); text != "" {
		return ": " + strings.ReplaceAll(text, "\n", "; ")
	}
	return ""
}

func startHint(path string, err error) error {
	if errors.Is(err, syscall.ENOEXEC) {
		return fmt.Errorf("%s is not a program for this machine: %w", path, err)
	}
	if errors.Is(err, syscall.ETXTBSY) {
		return fmt.Errorf("%s is still being written: %w: try again, or put it there by renaming", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Rehearse is what the child does: it answers on w whether this program could
// take the place of the one that started it, and reports whether it could.
func Rehearse(o Options, w io.Writer) bool {
	a := rehearsal{Program: programName, Version: o.Version, Format: stateFormat}
	if err := rehearse(o); err != nil {
		a.Error = err.Error()
	}
	raw, err := json.Marshal(a)
	if err == nil {
		_, err = w.Write(append(raw, '\n'))
	}
	return err == nil && a.Error == ""
}

func rehearse(o Options) error {
	if err := faultMaster("check"); err != nil {
		return err
	}
	data, err := sock.ReadSealed(rehearseFD)
	if err != nil {
		return fmt.Errorf("read the running server's state: %w (this verb is for `srvctl upgrade` only)", err)
	}
	s, err := decodeState(data)
	if err != nil {
		return err
	}
	if err := s.readable(); err != nil {
		return err
	}
	c, problems := o.Load(s.File)
	if problems.Failed() {
		var lines []string
		for _, p := range problems.Errors() {
			lines = append(lines, p.Error())
		}
		return fmt.Errorf("it refuses the configuration: %s", strings.Join(lines[:min(len(lines), 10)], "; "))
	}
	if n := c.Workers; n < 1 || n > maxWorkers {
		return fmt.Errorf("it refuses the configuration: workers: %d: at least 1 and at most %d are possible", n, maxWorkers)
	}
	_, err = CheckHost(c)
	return err
}

// foreign says whether workers that speak this version of the frames cannot be
// talked to by this program.
func foreign(version int) bool { return version != control.Version }
