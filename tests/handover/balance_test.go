package handover

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"srvctl/tests/harness"
)

// Whatever number of workers there was before, new connections are spread over
// those that serve now: the sockets of slots that are gone have no owner, and
// their connections must not all go to one worker.
//
// A burst is over within some 20 ms. Where all workers take from one queue, each
// gets of it what it had of the CPUs in that time: several bursts are added up,
// and one that shares its CPU with the clients may still have half of what
// another has. Where each has a queue of its own the kernel deals them out.
func TestBalance(t *testing.T) {
	const connections = 1000
	harness.RaiseOpenFiles(t, connections+256)
	for _, form := range forms[:2] {
		t.Run(form.name, func(t *testing.T) {
			bursts, most := 2, 1.5
			if form.name == "shared" {
				bursts, most = 8, 2
			}
			s := setup{workers: 4, http: form.http}.start(t)
			for _, scales := range [][]int{{3}, {2}, {4}, {1, 3}} {
				for _, n := range scales {
					scale(t, s, n)
				}
				n := scales[len(scales)-1]
				share := make([]int, n)
				spread(t, s, oneByOne(t, s.Addr("http"), connections), share)
				wantBalance(t, fmt.Sprint("one after the other, scaled to ", scales), share, 1.5)
				clear(share)
				for range bursts {
					spread(t, s, burst(t, s.Addr("http"), connections), share)
				}
				wantBalance(t, fmt.Sprint("in bursts, scaled to ", scales), share, most)
			}
		})
	}
}

// spread adds up by slot where the connections of a crowd are, which are all
// there are, and closes them.
func spread(t *testing.T, s *harness.Server, crowd []*client, share []int) {
	t.Helper()
	for _, w := range awaitQuiet(t, s, len(crowd)).In("serving") {
		share[w.Slot] += w.Connections
	}
	for _, c := range crowd {
		c.Close()
	}
	awaitQuiet(t, s, 0)
}

// wantBalance wants no worker to have more than so many times what another has,
// more on a machine whose CPUs are wanted by others.
func wantBalance(t *testing.T, what string, share []int, most float64) {
	t.Helper()
	most *= crowding()
	t.Logf("%s: %v", what, share)
	if float64(slices.Max(share)) > most*float64(slices.Min(share)) {
		t.Errorf("%s: connections of the workers: %v; want none with more than %.1f times those of another", what, share, most)
	}
}

// crowding is 1 on a machine that has little more to do than this test. When
// processes wait for a CPU, each worker gets of a queue that all take from what
// it gets of the CPUs.
func crowding() float64 {
	raw, err := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(raw), " ")
	average, err2 := strconv.ParseFloat(load, 64)
	if err != nil || err2 != nil {
		return 1
	}
	return max(1, average/float64(2*runtime.NumCPU()))
}

// oneByOne opens connections, each when the one before has been answered.
func oneByOne(t *testing.T, addr string, n int) []*client {
	t.Helper()
	crowd := make([]*client, n)
	for i := range crowd {
		crowd[i] = connect(t, addr)
		must(t, crowd[i].ask("/version", "one\n"))
	}
	return crowd
}

// burst opens connections all at once.
func burst(t *testing.T, addr string, n int) []*client {
	t.Helper()
	crowd, errs := make([]*client, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { crowd[i], errs[i] = dial(addr) })
	}
	wg.Wait()
	for _, c := range crowd {
		if c != nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	must(t, errors.Join(errs...))
	return crowd
}
