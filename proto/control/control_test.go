package control_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"srvctl/proto/control"
	"srvctl/tests/codec"
)

// samples has at least one message of every type: plain, empty and at the
// edge of what is allowed.
var samples = []control.Message{
	control.Begin{Slot: 3, Generation: 7, Index: 12, Workers: 4, Instance: "srvctl-main"},
	control.Begin{Slot: control.MaxSlots - 1, Generation: 1<<31 - 1, Workers: control.MaxSlots},
	control.Listener{Number: 1, Name: "http", Address: "[::]:8080", First: 0, Count: 4},
	control.Listener{Name: "local", Address: "unix:/run/srvctl/http.sock", Shared: true, Count: 1},
	control.Listener{Number: control.MaxListeners - 1, Name: "was sliced", Address: "[::]:8443", Shared: true, First: 2, Count: 6},
	control.Listener{First: control.MaxSlots - control.MaxDescriptors, Count: control.MaxDescriptors},
	control.Logs{Names: []string{"log", "access", "access:example.com"}},
	control.Logs{},
	control.Prepare{},
	control.Commit{Accept: []int{3}},
	control.Commit{},
	control.Accept{Slots: []int{0, 1, control.MaxSlots - 1}},
	control.Accept{},
	control.Drain{Timeout: 30 * time.Second, Idle: 10 * time.Second, Delay: time.Nanosecond, Why: control.WhyReload},
	control.Drain{Timeout: 1<<63 - 1, Why: control.WhyStop, Empty: []int{0, 2, control.MaxListeners - 1}},
	control.Drain{Timeout: time.Second, Why: control.WhyReload},
	control.Give{Listeners: []control.Pair{{Old: 0, New: 1}, {Old: control.MaxListeners - 1, New: 0}}},
	control.Take{Slot: 3, Generation: 6},
	control.Take{Slot: control.MaxSlots - 1, Generation: 1<<31 - 1},
	control.Ready{Checksum: 0xfedcba9876543210},
	control.Failed{Reason: "route /a: open /srv: no such file or directory\nsecond line"},
	control.Serving{},
	control.Drained{Finished: 1000, Moved: 9000, Cut: 2},
	control.Degraded{Key: "descriptors", Text: "9,990 of 10,000 in use"},
	control.Degraded{Key: "descriptors"},
	control.Left{},
}

var tested = codec.Format[control.Message]{Append: control.Append, Decode: control.Decode, Samples: samples}

func TestEveryMessageComesBackAsItWas(t *testing.T) { tested.ComeBack(t) }

// The source is the list of all types: a frame that is added without a sample
// here, or without a row in the table of kinds, is found.
func TestSamplesAreComplete(t *testing.T) {
	sampled := map[string]bool{}
	for _, m := range samples {
		sampled[fmt.Sprintf("%T", m)] = true
	}
	for _, name := range typesInSource(t) {
		if !sampled["control."+name] {
			t.Errorf("no sample of %s", name)
		}
	}
	names := map[string]bool{}
	for n := range 256 {
		if s := control.Type(n).String(); s != fmt.Sprintf("type %d", n) {
			names[s] = true
		}
	}
	if len(names) != len(sampled) {
		t.Errorf("%d named types, %d types of samples", len(names), len(sampled))
	}
}

// typesInSource returns X for every constant TypeX.
func typesInSource(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "frame.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, id := range spec.Names {
				if name, ok := strings.CutPrefix(id.Name, "Type"); ok {
					names = append(names, name)
				}
			}
		}
		return true
	})
	if len(names) < 12 {
		t.Fatalf("found only %v in frame.go", names)
	}
	return names
}

// Master and workers are one binary today. The golden file is here so that a
// change of the format is a decision, made together with Version.
func TestFramesOnTheWire(t *testing.T) { tested.OnTheWire(t) }

func TestDescriptorsThatTravel(t *testing.T) {
	for _, c := range []struct {
		m    control.Message
		want int
	}{
		{control.Begin{}, 1},
		{control.Listener{Count: 5}, 5},
		{control.Logs{Names: []string{"log", "access"}}, 2},
		{control.Prepare{}, 0},
		{control.Give{}, 1},
		{control.Take{}, 1},
		{control.Ready{}, 0},
	} {
		if got := control.Descriptors(c.m); got != c.want {
			t.Errorf("Descriptors(%#v) = %d, want %d", c.m, got, c.want)
		}
	}
}

func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	for pad := range 3 { // so that the cut falls on each byte of a character
		long := strings.Repeat("x", pad) + strings.Repeat("€", control.MaxText)
		m, err := control.Decode(tested.Encode(t, control.Failed{Reason: long}))
		if err != nil {
			t.Fatal(err)
		}
		got := m.(control.Failed).Reason
		if !strings.HasSuffix(got, " [cut]") || !utf8.ValidString(got) || len(got) > control.MaxText || len(got) < control.MaxText-3 {
			t.Errorf("pad %d: reason has %d bytes and ends in %q, want at most %d ending in [cut]", pad, len(got), got[len(got)-12:], control.MaxText)
		}
	}
}
