package master

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// startSignals posts the signals of operators and init systems until stop is
// called, which returns when the goroutine has ended.
func (m *master) startSignals() (stop func()) {
	sigc := make(chan os.Signal, 16)
	for _, sig := range heededSignals {
		signal.Notify(sigc, sig)
	}
	// Without this a write to a log whose reader has gone would end the
	// master. Caught and dropped, not ignored: workers would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	quitc, endc := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(endc)
		for {
			select {
			case sig := <-sigc:
				m.post(signalled{sig.(syscall.Signal)})
			case <-quitc:
				return
			}
		}
	}()
	// The signals stay caught: one more in the last moments must not end this
	// process in another way than it is about to.
	quit := sync.OnceFunc(func() {
		close(quitc)
		<-endc
	})
	m.hushSignals = func() []syscall.Signal {
		quit()
		return leftIn(sigc)
	}
	return quit
}

// leftIn returns the signals that were delivered and that nobody has taken.
func leftIn(sigc <-chan os.Signal) (late []syscall.Signal) {
	// When this second channel is given up, everything that was delivered has
	// come through.
	flush := make(chan os.Signal, 1)
	for _, sig := range heededSignals {
		signal.Notify(flush, sig)
	}
	signal.Stop(flush)
	for len(sigc) > 0 {
		late = append(late, (<-sigc).(syscall.Signal))
	}
	return late
}

// signalled is posted for every signal.
type signalled struct{ sig syscall.Signal }

func (e signalled) apply(m *master, now time.Time) {
	switch e.sig {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT:
		// The second one of an impatient operator; SIGQUIT stays graceful.
		again := m.phase == phaseStopping && e.sig != syscall.SIGQUIT
		stopRequest{why: signalNames[e.sig], hard: again}.apply(m, now)
	case syscall.SIGUSR1:
		reopenLogs{}.apply(m, now)
	case syscall.SIGHUP:
		reloadRequest{why: "SIGHUP"}.apply(m, now)
	case syscall.SIGUSR2:
		upgradeRequest{why: "SIGUSR2"}.apply(m, now)
	}
}
