package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"srvctl/tests/loadtest"
)

func main() {
	n := flag.Int("n", 10_000, "connections")
	idle := flag.Duration("idle", 5*time.Second, "how long they idle between two requests")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "hold [-n CONNECTIONS] [-idle DURATION] URL")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := hold(ctx, flag.Arg(0), *n, *idle)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hold:", err)
		os.Exit(1)
	}
}

func hold(ctx context.Context, target string, n int, idle time.Duration) error {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return fmt.Errorf("%q: want http://ADDRESS:PORT/PATH", target)
	}
	if err := room(uint64(n) + 64); err != nil {
		return err
	}
	addr := net.JoinHostPort(u.Hostname(), u.Port())
	began := time.Now()
	crowd, err := loadtest.Open(ctx, addr, n)
	if err != nil {
		return err
	}
	defer crowd.Close()
	fmt.Printf("%d connections from %d addresses: %v\n", crowd.Len(), crowd.Addresses(), time.Since(began).Round(time.Millisecond))
	path := func(int) string { return u.RequestURI() }
	for round := range 2 {
		if round > 0 {
			select {
			case <-time.After(idle):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		began = time.Now()
		if err := crowd.Ask(ctx, path, nil); err != nil {
			return err
		}
		fmt.Printf("a request on each: %v\n", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// room raises the limit of open files.
func room(n uint64) error {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err == nil && limit.Max < n {
		err = errors.New("the hard limit of open files is too low (ulimit -Hn): " + fmt.Sprint(limit.Max))
	}
	if err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
