package serve

import "sync"

// Pool runs work that may block, on a bounded number of goroutines with a
// bounded queue. It is safe for concurrent use.
type Pool struct {
	queue chan func()
	wg    sync.WaitGroup
	most  int

	mu   sync.Mutex
	open bool
	made int // goroutines
	todo int // pieces of work that have been taken and are not done
}

// NewPool makes a pool of at most workers goroutines, which start when they
// are needed, and a queue of depth entries, at least one.
func NewPool(workers, depth int) *Pool {
	return &Pool{queue: make(chan func(), max(1, depth)), most: workers, open: true}
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
	p.todo++
	if p.todo > p.made && p.made < p.most {
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
	for work := range p.queue {
		work()
		p.mu.Lock()
		p.todo--
		p.mu.Unlock()
	}
}
