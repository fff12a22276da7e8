package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// workersUsual is how many workers a server has but for a third of a leg, when
// it has workersFew.
const workersUsual, workersFew = 4, 2

// server is what is reloaded.
type server interface {
	address() string
	// configure writes the configuration of that version, which is not used before reload.
	configure(version, workers int) error
	reload(ctx context.Context) error
}

// result is one server under one form of load.
type result struct {
	form    form
	name    string // of the server
	reloads int
	tally   tally
	// what reloads took: the command, to the first new answer, to the last old one
	command, firstNew, lastOld spans
}

// measure puts a server, which serves version 0, under load and reloads it
// meanwhile.
func measure(ctx context.Context, o options, f form, name string, s server) (result, error) {
	seen := newHistory()
	l := startLoad(o, f, s.address(), seen)
	reloadErr := reloadOften(ctx, o, s, seen)
	total, err := l.stop()
	if err := errors.Join(reloadErr, err); err != nil {
		return result{}, fmt.Errorf("%s, form %s: %w", name, f.name, err)
	}
	res := result{form: f, name: name, reloads: o.reloads(), tally: total}
	res.command, res.firstNew, res.lastOld = seen.summary()
	return res, nil
}

// load is the clients that run.
type load struct {
	clients []*client
	errs    []error // of each client; readable after wg
	stopc   chan struct{}
	wg      sync.WaitGroup
}

func startLoad(o options, f form, addr string, seen *history) *load {
	l := &load{stopc: make(chan struct{}), errs: make([]error, f.clients)}
	for i := range f.clients {
		c := &client{form: f, addr: addr, seen: seen, stopc: l.stopc, in: bufio.NewReaderSize(nil, 4096),
			random: rand.New(rand.NewPCG(o.seed, uint64(i)))}
		l.clients = append(l.clients, c)
		l.wg.Go(func() { l.errs[i] = c.run() })
	}
	return l
}

// stop waits until every client has its answers and adds up what they noticed.
func (l *load) stop() (tally, error) {
	close(l.stopc)
	l.wg.Wait()
	var total tally
	for _, c := range l.clients {
		total.add(c.tally)
	}
	return total, errors.Join(l.errs...)
}

// reloadOften reloads through the whole of a leg and returns at its end.
func reloadOften(ctx context.Context, o options, s server, seen *history) error {
	end := time.NewTimer(o.duration)
	defer end.Stop()
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for n := 1; n <= o.reloads(); n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.configure(n, workersAt(n, o.reloads())); err != nil {
			return err
		}
		seen.ask(time.Now())
		if err := s.reload(ctx); err != nil {
			return fmt.Errorf("reload %d: %w", n, err)
		}
		seen.returned(time.Now())
	}
	select {
	case <-end.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// workersAt is the number of workers after the nth of so many reloads.
func workersAt(n, of int) int {
	if 3*n >= of && 3*n < 2*of {
		return workersFew
	}
	return workersUsual
}
