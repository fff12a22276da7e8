package site

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// begun asks for a file and reads the start of the answer, so that the rest is
// under way.
func begun(t *testing.T, s *harness.Server, path string) *client {
	t.Helper()
	c := connect(t, "tcp", s.Addr("http"))
	must(t, c.smallBuffer())
	must(t, c.send(get(path)))
	if _, err := c.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	return c
}

// A download never mixes two states of a file, and never fills up what is
// missing: it gets the whole file as it was, or is visibly cut.
func TestFileChangesDuringDownload(t *testing.T) {
	t.Parallel()
	const size = 12 << 20 // more than the kernel takes at once
	old, young := letters('o', size), letters('y', size)
	s := harness.Start(t, harness.Options{
		Config: strings.Replace(tree, "ROOT", ".", 1),
		Files:  map[string]string{"replaced": old, "truncated": old, "emptied": old, "grown": old, "removed": old, "rewritten": old},
	})
	path := func(name string) string { return filepath.Join(s.Dir, name) }
	whole := func(t *testing.T, c *client, want string) {
		t.Helper()
		if a, err := c.receive(); err != nil || a.code != 200 || a.body != want {
			t.Errorf("%d, %d bytes, %v; want the whole file as it was", a.code, len(a.body), err)
		}
	}
	cut := func(t *testing.T, c *client) {
		t.Helper()
		a, err := c.receive()
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%d, %d bytes, %v; want the connection to break", a.code, len(a.body), err)
		}
		if !strings.HasPrefix(old, a.body) {
			t.Errorf("the %d bytes that came are not those of the file", len(a.body))
		}
	}
	t.Run("replaced", func(t *testing.T) {
		t.Parallel()
		c := begun(t, s, "/replaced")
		s.WriteFile("new", young)
		must(t, os.Rename(path("new"), path("replaced")))
		whole(t, c, old)
		// The new one shows soon.
		if !harness.Poll(patience, func() bool {
			a, err := connect(t, "tcp", s.Addr("http")).ask("/replaced")
			must(t, err)
			if a.body != old && a.body != young {
				t.Fatalf("a mixture of %d bytes", len(a.body))
			}
			return a.body == young
		}) {
			t.Error("the old file is served for ever")
		}
	})
	t.Run("removed", func(t *testing.T) {
		t.Parallel()
		c := begun(t, s, "/removed")
		must(t, os.Remove(path("removed")))
		whole(t, c, old)
	})
	t.Run("grown", func(t *testing.T) {
		t.Parallel()
		c := begun(t, s, "/grown")
		f, err := os.OpenFile(path("grown"), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = f.WriteString(young)
		must(t, errors.Join(err, f.Close()))
		whole(t, c, old)
	})
	t.Run("truncated", func(t *testing.T) {
		t.Parallel()
		c := begun(t, s, "/truncated")
		must(t, os.Truncate(path("truncated"), size-size/4))
		cut(t, c)
	})
	t.Run("rewritten", func(t *testing.T) {
		t.Parallel()
		c := begun(t, s, "/rewritten")
		s.WriteFile("rewritten", young) // truncates the file, then fills it again
		cut(t, c)
	})
	t.Run("emptied", func(t *testing.T) {
		t.Parallel()
		c := begun(t, s, "/emptied")
		must(t, os.Truncate(path("emptied"), 0))
		cut(t, c)
	})
}

// Files that are rewritten all the time are always served in one of their
// states.
func TestFileChangesAllTheTime(t *testing.T) {
	t.Parallel()
	const names = 20 // each is looked at on the disk about once a second
	files := map[string]string{}
	for i := range names {
		files[fmt.Sprint("renamed", i)], files[fmt.Sprint("rewritten", i)] = "a", "a"
	}
	s := harness.Start(t, harness.Options{Config: strings.Replace(tree, "ROOT", ".", 1), Files: files})
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			// Of one letter each, of a length that goes with the letter: on
			// both sides of what is held in memory, but what is rewritten in
			// its place, which may change under a larger file that is sent.
			suffix := fmt.Sprint(i % names)
			err := errors.Join(
				os.WriteFile(filepath.Join(s.Dir, ".new"), ofLetter(i/names%20), 0o644),
				os.Rename(filepath.Join(s.Dir, ".new"), filepath.Join(s.Dir, "renamed"+suffix)),
				os.WriteFile(filepath.Join(s.Dir, "rewritten"+suffix), ofLetter(i/names%12), 0o644)) // truncates, then writes
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	seen := map[string]bool{}
	end := time.Now().Add(time.Duration(times(2500, 60_000)) * time.Millisecond) // at least two looks at the disk
	for time.Now().Before(end) {
		for name := range files {
			state, err := oneState(s, name)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			seen[name+" "+state] = true
		}
	}
	t.Logf("%d states of %d files seen", len(seen), len(files))
}

// ofLetter is the content of a file: the longer, the later in the alphabet.
func ofLetter(n int) []byte { return bytes.Repeat([]byte{'a' + byte(n)}, 1+n*5000) }

// oneState asks for a file over a new connection and returns the state that came.
func oneState(s *harness.Server, name string) (string, error) {
	c, err := dial("tcp", s.Addr("http"))
	if err != nil {
		return "", err
	}
	defer c.Close()
	a, err := c.ask("/" + name)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		if strings.HasPrefix(name, "rewritten") {
			return "cut", nil // it was emptied while it was sent
		}
		return "", err
	case err != nil:
		return "", err
	case a.code != 200:
		return "", fmt.Errorf("status %d", a.code)
	case a.body == "":
		return "empty", nil
	}
	if letter := a.body[:1]; strings.Trim(a.body, letter) != "" {
		return "", fmt.Errorf("a mixture: %d bytes, %.20q...%.20q", len(a.body), a.body, a.body[max(0, len(a.body)-20):])
	}
	if want := len(ofLetter(int(a.body[0] - 'a'))); strings.HasPrefix(name, "renamed") && len(a.body) != want {
		return "", fmt.Errorf("%d bytes of %q, want %d", len(a.body), a.body[0], want)
	}
	return a.body[:1], nil
}
