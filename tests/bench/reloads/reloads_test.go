package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"
	"time"
)

// leg measures a stand-in for two seconds with three reloads.
func leg(t *testing.T, f form, s *standin) result {
	t.Helper()
	o := options{duration: 2 * time.Second, every: 500 * time.Millisecond, seed: 1}
	res, err := measure(context.Background(), o, f, "stand-in", s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	writeResult(&out, res, true)
	t.Logf("\n%s%+v", out.String(), res.tally)
	if want := []int{2, 4, 4}; !slices.Equal(s.workers, want) {
		t.Errorf("the reloads were to %v workers, want %v", s.workers, want)
	}
	if n := slices.Max(s.left[:]); n > 0 {
		t.Errorf("the stand-in has not done everything it should: %v are left", s.left)
	}
	return res
}

func wantCount(t *testing.T, what string, got, want int64) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// What clients count is what the server did to them.
func TestCounts(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			left := [misdeeds]int{hangUp: 6, drop: 5, reset: 4, announce: 3, dawdle: 2, lie: 1}
			if f.closes { // every end is asked for
				left[hangUp], left[announce] = 0, 0
			}
			s := start(t, f, left)
			got := leg(t, f, s).tally

			// A silent end crosses a request that is just being sent.
			crossed := got.cutBusy - s.done[drop] - s.done[reset]
			wantCount(t, "connections cut", got.cutIdle+got.cutBusy, s.done[hangUp]+s.done[drop]+s.done[reset])
			wantCount(t, "requests without answer", got.noAnswer, s.lost+crossed*int64(f.batch))
			wantCount(t, "connections reset", got.resets, s.done[reset])
			wantCount(t, "connections announced to end", got.announced, s.done[announce])
			wantCount(t, "requests sent again", got.again, s.behind)
			wantCount(t, "answers that are not the one due", got.other, s.done[lie])
			wantCount(t, "requests answered or not", got.answered+got.noAnswer, got.requests)
			wantCount(t, "refused", got.refused, 0)
			if f.think > 0 && got.cutIdle == 0 {
				t.Error("no silent connection was seen to end")
			}
			if f.closes {
				wantCount(t, "reopened", got.reopened, 0)
			} else {
				wantCount(t, "reopened", got.reopened, got.cutIdle+got.cutBusy+got.announced+got.other)
			}
			if got.longest < dawdled {
				t.Errorf("the longest request took %v, want %v at least", got.longest, dawdled)
			}
		})
	}
}

// The command returns at once and its effect comes later.
func TestTimesOfReloads(t *testing.T) {
	t.Parallel()
	s := start(t, forms[0], [misdeeds]int{})
	s.lag = 150 * time.Millisecond
	res := leg(t, forms[0], s)
	if res.command.n != 3 || res.command.longest > s.lag {
		t.Errorf("commands took %v (%d of them), want 3 of less than %v", res.command, res.command.n, s.lag)
	}
	if res.firstNew.n != 3 || res.firstNew.median < s.lag {
		t.Errorf("the first new answers came after %v (%d of them), want 3 after %v", res.firstNew, res.firstNew.n, s.lag)
	}
	if res.lastOld.n != 3 || res.lastOld.median < s.lag/2 {
		t.Errorf("the last old answers came after %v (%d of them), want 3 shortly before %v", res.lastOld, res.lastOld.n, s.lag)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := forms[1]
	s := start(t, f, [misdeeds]int{})
	s.mute = true
	got := leg(t, f, s).tally
	if got.refused < 3 {
		t.Errorf("%d connects were refused, want some in each of 3 reloads", got.refused)
	}
	wantCount(t, "requests answered or not", got.answered+got.noAnswer, got.requests)
	if got.longest < muted/2 {
		t.Errorf("the longest request took %v, want about as long as nobody listened: %v", got.longest, muted)
	}
}

func TestWorkersAt(t *testing.T) {
	var got []int
	for n := 1; n <= 9; n++ {
		got = append(got, workersAt(n, 9))
	}
	if want := []int{4, 4, 2, 2, 2, 4, 4, 4, 4}; !slices.Equal(got, want) {
		t.Errorf("workers after each of 9 reloads: %v, want %v", got, want)
	}
}

func TestSpans(t *testing.T) {
	if got := newSpans([]time.Duration{9e6, 1e6, 2e6, 4e6}).String(); got != "3/9" {
		t.Errorf("spans = %s, want 3/9", got)
	}
	if got := newSpans(nil).String(); got != "-" {
		t.Errorf("spans of nothing = %s, want -", got)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-contenders", "srvctl:/x,nginx:reuseport", "-forms", "fresh", "-duration", "3s"}, io.Discard)
	if err != nil || len(o.contenders) != 2 || len(o.forms) != 1 || o.reloads() != 2 {
		t.Errorf("parseOptions = %+v, %v", o, err)
	}
	for _, bad := range []string{"-contenders=ngnix", "-forms=kep", "-duration=1s", "-every=1ms", "more"} {
		var complaint bytes.Buffer
		if _, err := parseOptions([]string{bad}, &complaint); err == nil || complaint.Len() == 0 {
			t.Errorf("parseOptions(%s) = %v, said %q; want a refusal that is told", bad, err, &complaint)
		}
	}
}
