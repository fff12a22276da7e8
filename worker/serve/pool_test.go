package serve_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"srvctl/worker/serve"
)

func TestPoolRunsEverything(t *testing.T) {
	p := serve.NewPool(3, 100)
	var ran atomic.Int32
	for range 100 {
		if !p.Submit(func() { ran.Add(1) }) {
			t.Fatal("the pool refused work that it has room for")
		}
	}
	p.Close()
	if ran.Load() != 100 {
		t.Errorf("%d pieces of work ran, want 100", ran.Load())
	}
}

// All goroutines of the pool can be at work at the same time: no piece waits
// for another while there may be one goroutine more.
func TestPoolIsAsWideAsItSays(t *testing.T) {
	const wide = 4
	p := serve.NewPool(wide, 10)
	defer p.Close()
	for range 200 {
		var together sync.WaitGroup
		together.Add(wide)
		var done sync.WaitGroup
		done.Add(wide)
		for range wide {
			ok := p.Submit(func() {
				together.Done()
				together.Wait() // for ever if one of them has to wait
				done.Done()
			})
			if !ok {
				t.Fatal("the pool refused work that it has room for")
			}
		}
		done.Wait()
	}
}

func TestPoolIsBounded(t *testing.T) {
	p := serve.NewPool(2, 3)
	block, began := make(chan struct{}), make(chan struct{}, 5)
	work := func() { began <- struct{}{}; <-block }
	for range 2 {
		if !p.Submit(work) {
			t.Fatal("the pool refused work while it is idle")
		}
		<-began
	}
	for i := range 3 {
		if !p.Submit(work) {
			t.Fatalf("the pool refused piece %d of the queue", i)
		}
	}
	if p.Submit(work) {
		t.Error("the pool took more than its queue holds")
	}
	if got := p.Waiting(); got != 3 {
		t.Errorf("Waiting() = %d, want 3", got)
	}
	close(block)
	p.Close()
	if len(began) != 3 {
		t.Errorf("%d pieces of the queue ran, want 3", len(began))
	}
	if p.Submit(work) {
		t.Error("the pool took work after Close")
	}
	p.Close() // again does nothing
}

func TestPoolWithoutDepth(t *testing.T) {
	p := serve.NewPool(1, 0)
	donec := make(chan struct{})
	if !p.Submit(func() { close(donec) }) {
		t.Fatal("a pool without a queue takes nothing")
	}
	<-donec
	p.Close()
}

// Work may bring more work.
func TestPoolSubmitFromWork(t *testing.T) {
	p := serve.NewPool(1, 2)
	donec := make(chan struct{})
	p.Submit(func() {
		if !p.Submit(func() { close(donec) }) {
			t.Error("the pool refused work while its queue is empty")
			close(donec)
		}
	})
	<-donec
	p.Close()
}

func TestPoolFromManyGoroutines(t *testing.T) {
	p := serve.NewPool(4, 50)
	var ran, taken atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if p.Submit(func() { ran.Add(1) }) {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	p.Close()
	if ran.Load() != taken.Load() {
		t.Errorf("%d pieces taken, %d ran", taken.Load(), ran.Load())
	}
}
