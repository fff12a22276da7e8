package metrics_test

import (
	"encoding/json"
	"strings"
	"testing"

	"srvctl/shared/metrics"
)

// What one registry exports and another imports makes the same page, whether a
// cell is kept or counts as dead.
func TestTotalsMakeTheSamePage(t *testing.T) {
	l := testLayout()
	for _, keep := range []bool{true, false} {
		first := metrics.NewRegistry("1")
		dead, alive := newCell(l), newCell(l)
		first.Attach(1, 0, 1, 0, l, dead)
		first.Attach(2, 1, 1, 0, l, alive)
		for _, c := range []*metrics.Cell{dead, alive} {
			c.Request(0, 200, 1e6)
			c.Request(-1, 400, 2e6)
			c.Accepted(1)
			c.Refused(metrics.RefusedMemory)
			c.ParseError(1)
			c.Received(10)
			c.Sent(20)
			c.Moved(1)
			c.AccessDropped(2)
		}
		first.Retire(1)
		first.Reloaded(metrics.ReloadSucceeded)
		first.Restarted(metrics.RestartHang)
		first.SetGeneration(7)
		want := gather(t, first)

		text, err := json.Marshal(first.Export(func(id int) bool { return keep }))
		if err != nil {
			t.Fatal(err)
		}
		var totals metrics.Totals
		if err := json.Unmarshal(text, &totals); err != nil {
			t.Fatal(err)
		}
		second := metrics.NewRegistry("1")
		if err := second.Import(totals); err != nil {
			t.Fatal(err)
		}
		if keep {
			second.Attach(2, 1, 1, 0, l, alive)
		}
		got := gather(t, second)
		for name, value := range want {
			if got[name] != value {
				t.Errorf("keep %v: %s is %v after, %v before", keep, name, got[name], value)
			}
		}
	}
}

func TestImportRefusesOtherBuckets(t *testing.T) {
	err := metrics.NewRegistry("1").Import(metrics.Totals{Sites: map[string]metrics.SiteTotals{"a": {Buckets: []uint64{1}}}})
	if err == nil || !strings.Contains(err.Error(), `site "a" has 1 buckets`) {
		t.Errorf("Import = %v, want the site named", err)
	}
}

func TestFingerprintIsOfTheLayout(t *testing.T) {
	a, b := testLayout(), testLayout()
	b.Sites[0] = "other.example.com"
	if a.Fingerprint() != testLayout().Fingerprint() || a.Fingerprint() == b.Fingerprint() {
		t.Error("layouts are not told apart")
	}
}
