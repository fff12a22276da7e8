package loop_test

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"srvctl/worker/loop"
)

// Everything that is posted runs once, in the order in which each goroutine
// posted it.
func TestPostFromManyGoroutines(t *testing.T) {
	r := newRig(t).start()
	const posters, each = 8, 5000
	var next [posters]int
	var wg sync.WaitGroup
	for p := range posters {
		wg.Go(func() {
			for i := range each {
				r.loop.Post(func() {
					if next[p] != i {
						t.Errorf("goroutine %d: %d ran when %d was next", p, i, next[p])
					}
					next[p]++
				})
			}
		})
	}
	wg.Wait()
	r.on(func() {
		for p, n := range next {
			if n != each {
				t.Errorf("goroutine %d: %d ran, want %d", p, n, each)
			}
		}
	})
}

// A loop that sleeps wakes up for each post: nobody waits in vain.
func TestPostWakesUp(t *testing.T) {
	r := newRig(t).start()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				r.on(func() {})
			}
		})
	}
	wg.Wait()
}

// What runs on the loop may post, and does not keep the loop from anything.
func TestPostFromTheLoop(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	on := true
	var again func()
	again = func() {
		if on {
			r.loop.Post(again)
		}
	}
	r.on(func() { c.readable = echo; again() })
	for range 50 {
		says(t, client, "hello")
	}
	r.on(func() { on = false })
}

func TestPostAfterTheEnd(t *testing.T) {
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	l.Stop()
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				l.Post(func() { t.Error("it ran after the end") })
			}
		})
	}
	l.Close()
	wg.Wait()
}

// Stop may be called before Run, and from the loop.
func TestStop(t *testing.T) {
	r := newRig(t).start()
	r.on(r.loop.Stop)
	if err := wait(t, r.donec, "the loop to end"); err != nil {
		t.Error(err)
	}
	r.donec <- nil // for the end of the test
	r.loop.Close()
}

// collects asks for garbage collections, each of which needs the loop's
// goroutine to stop for a moment.
func collects(t *testing.T) {
	t.Helper()
	donec := make(chan struct{})
	go func() {
		defer close(donec)
		for range 10 {
			runtime.GC()
		}
	}()
	wait(t, donec, "ten garbage collections")
}

func TestGarbageCollection(t *testing.T) {
	t.Run("blocked", func(t *testing.T) {
		newRig(t).start()
		collects(t)
	})
	t.Run("spinning", func(t *testing.T) {
		r, addr := serve(t)
		_, c := r.dial(addr)
		r.on(func() {
			c.continued = func(c *link) { c.Requeue() }
			c.Requeue()
		})
		collects(t)
		r.on(func() { c.continued = nil })
	})
	t.Run("busy", func(t *testing.T) { // each event is followed by a raw wait
		r, addr := serve(t)
		client, c := r.dial(addr)
		r.on(func() { c.readable = echo })
		stopc, donec := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(donec)
			for {
				select {
				case <-stopc:
					return
				default:
					says(t, client, "hello")
				}
			}
		}()
		collects(t)
		close(stopc)
		wait(t, donec, "the client to end")
	})
}

// The same without the runtime's signals: then only the loop's own calls give
// the scheduler a place to stop it.
func TestGarbageCollectionWithoutSignals(t *testing.T) {
	again(t, "GODEBUG=asyncpreemptoff=1", func() {
		debug.SetGCPercent(-1)
		TestGarbageCollection(t)
	})
}

func TestTimer(t *testing.T) {
	r := newRig(t).start()
	var at []int64
	begin, donec := int64(0), make(chan struct{})
	r.on(func() {
		begin = r.loop.Now()
		r.loop.Timer(int64(20*time.Millisecond), func() int64 {
			at = append(at, r.loop.Now()-begin)
			if len(at) < 3 {
				return int64(30 * time.Millisecond)
			}
			close(donec)
			return 0
		})
	})
	wait(t, donec, "the timer")
	r.on(func() {
		want := 20 * time.Millisecond
		for i, d := range at {
			if time.Duration(d) < want {
				t.Errorf("call %d came after %v, want %v at least", i, time.Duration(d), want)
			}
			want = time.Duration(d) + 30*time.Millisecond
		}
	})
}

func TestDeadlines(t *testing.T) {
	r, addr := serve(t)
	_, never := r.dial(addr)
	_, moved := r.dial(addr)
	_, closes := r.dial(addr)
	firedc := make(chan int64, 10)
	begin := int64(0)
	r.on(func() {
		begin = r.loop.Now()
		never.SetDeadline(begin + 1e6)
		never.SetDeadline(0)
		moved.expired = func(c *link) { firedc <- r.loop.Now() - begin }
		moved.SetDeadline(begin + 3600e9)
		moved.SetDeadline(begin + 1e6)
		moved.SetDeadline(begin + 100e6)
		closes.expired = func(c *link) { c.Close() }
		closes.SetDeadline(begin + 1e6)
	})
	if d := wait(t, firedc, "the deadline"); d < 100e6 {
		t.Errorf("fired after %v, want 100ms at least", time.Duration(d))
	}
	r.on(func() {
		if never.log != "" || moved.log != "x" || closes.log != "x" {
			t.Errorf("events %q %q %q, want none, one, one", never.log, moved.log, closes.log)
		}
	})
}

func TestClock(t *testing.T) {
	r := newRig(t).start()
	last := int64(0)
	for range 100 {
		r.on(func() {
			if now := r.loop.Now(); now < last {
				t.Errorf("the clock went from %d to %d", last, now)
			} else {
				last = now
			}
		})
	}
}

// A turn that takes long shows.
func TestLag(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	lagc := make(chan int64, 1)
	r.on(func() {
		c.readable = func(c *link) {
			echo(c)
			for begin := time.Now(); time.Since(begin) < 20*time.Millisecond; {
			}
			r.loop.Post(func() { r.loop.Post(func() { lagc <- r.loop.Lag() }) }) // the next turn
		}
	})
	says(t, client, "hello")
	if lag := wait(t, lagc, "the next turn"); lag < int64(20*time.Millisecond) {
		t.Errorf("Lag() = %v after a turn of 20ms", time.Duration(lag))
	}
	r.on(func() { c.readable = echo })
}
