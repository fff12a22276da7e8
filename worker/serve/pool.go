package serve

import "sync"

// Pool runs work that may block, on a bounded number of goroutines with a
// bounded queue. It is safe for concurrent use.
type Pool struct {
	queue chan func()
	wg    sync.WaitGroup
	mu    sync.Mutex
	open  bool
	idle  int // goroutines waiting for work
	made  int
	most  int
}

// NewPool makes a pool of at most workers goroutines, which start when they
// are needed, and a queue of depth entries.
func NewPool(workers, depth int) *Pool {
	return &Pool{queue: make(chan func(), depth), most: workers, open: true}
}

// Submit queues work; false when the queue is full or the pool is closed.
func (p *Pool) Submit(work func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open {
		return false
	}
	select {
	case p.queue <- work:
	default:
		return false
	}
	if len(p.queue) > p.idle && p.made < p.most {
		p.made++
		p.wg.Add(1)
		go p.run()
	}
	return true
}

// Waiting is how many pieces of work wait for a goroutine.
func (p *Pool) Waiting() int { return len(p.queue) }

// Close lets the queued work finish and waits for it.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.open {
		p.open = false
		close(p.queue)
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Pool) run() {
	defer p.wg.Done()
	for {
		p.setIdle(1)
		work, more := <-p.queue
		p.setIdle(-1)
		if !more {
			return
		}
		work()
	}
}

func (p *Pool) setIdle(n int) {
	p.mu.Lock()
	p.idle += n
	p.mu.Unlock()
}
