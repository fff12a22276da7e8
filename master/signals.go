package master

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// startSignals posts the signals of operators and init systems until stop is
// called, which returns when the goroutine has ended.
func (m *master) startSignals() (stop func()) {
	sigc := make(chan os.Signal, 16)
	signal.Notify(sigc, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
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
	return func() {
		signal.Stop(sigc)
		close(quitc)
		<-endc
	}
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
		m.log.Error("upgrade is not yet in this version: nothing was changed; use `srvctl stop` and `srvctl start`", "signal", "SIGUSR2")
	}
}
