package codec

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Format is a format under test, with at least one message of every type:
// plain, empty and at the edge of what is allowed.
type Format[M any] struct {
	Append  func(dst []byte, m M) ([]byte, error)
	Decode  func(frame []byte) (M, error)
	Samples []M
}

// Encode is Append of a message that must be fine.
func (f *Format[M]) Encode(t testing.TB, m M) []byte {
	t.Helper()
	frame, err := f.Append(nil, m)
	if err != nil {
		t.Fatalf("Append(%#v): %v", m, err)
	}
	return frame
}

var update = flag.Bool("update", false, "write the golden file")

// OnTheWire tests that the samples stand on the wire as a golden file says, so
// that a change of the format is a decision, made together with its version.
func (f *Format[M]) OnTheWire(t *testing.T) {
	const golden = "testdata/frames.golden"
	got := f.dump(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("frames changed; if that is meant, raise Version and run with -update (-want +got):\n%s", diff)
	}
}

func (f *Format[M]) dump(t *testing.T) string {
	var b strings.Builder
	for _, m := range f.Samples {
		_, name, _ := strings.Cut(strings.ToLower(fmt.Sprintf("%T", m)), ".")
		fmt.Fprintf(&b, "%s %+v\n", name, m)
		for p := f.Encode(t, m); len(p) > 0; p = p[min(32, len(p)):] {
			fmt.Fprintf(&b, "    %s\n", hex.EncodeToString(p[:min(32, len(p))]))
		}
	}
	return b.String()
}

// ComeBack tests that every sample comes back as it was, and does not depend
// on the frame.
func (f *Format[M]) ComeBack(t *testing.T) {
	for _, m := range f.Samples {
		before := []byte("before")
		frame, err := f.Append(before, m)
		if err != nil {
			t.Errorf("Append(%#v): %v", m, err)
			continue
		}
		frame, ok := bytes.CutPrefix(frame, before)
		if !ok {
			t.Errorf("Append(%#v) did not keep what was there", m)
		}
		got, err := f.Decode(frame)
		clear(frame)
		if err != nil {
			t.Errorf("Decode(Append(%#v)): %v", m, err)
			continue
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%T came back changed (-want +got):\n%s", m, diff)
		}
	}
}

// RefuseParts tests that no part of a sample's frame is taken for a whole one.
func (f *Format[M]) RefuseParts(t *testing.T) {
	for _, m := range f.Samples {
		frame := f.Encode(t, m)
		for n := range frame {
			if got, err := f.Decode(frame[:n:n]); err == nil {
				t.Errorf("%T: the first %d of %d bytes decode to %#v", m, n, len(frame), got)
			}
			// A receiver's buffer that cut the frame would make the length right.
			if n >= 8 {
				short := bytes.Clone(frame[:n])
				short[4], short[5] = byte(n), byte(n>>8)
				if got, err := f.Decode(short); err == nil {
					t.Errorf("%T: cut to %d of %d bytes it decodes to %#v", m, n, len(frame), got)
				}
			}
		}
	}
}

// Fuzz tests that whatever is accepted has one spelling: written again, it is
// the same bytes. check looks at what was accepted.
func (f *Format[M]) Fuzz(fz *testing.F, check func(t *testing.T, m M)) {
	for _, m := range f.Samples {
		fz.Add(f.Encode(fz, m))
	}
	fz.Fuzz(func(t *testing.T, frame []byte) {
		m, err := f.Decode(frame)
		if err != nil {
			if err.Error() == "" || any(m) != nil {
				t.Fatalf("refused as %v with message %#v", err, m)
			}
			return
		}
		again, err := f.Append(nil, m)
		if err != nil {
			t.Fatalf("Append refuses what Decode accepts: %v", err)
		}
		if !bytes.Equal(frame, again) {
			t.Fatalf("read  %x\nwrote %x", frame, again)
		}
		check(t, m)
	})
}
