package main

import (
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/session"
)

// notifyReady tells systemd that the daemon serves, and from then on, for as
// long as every loop turns, that it is alive, with a status line. The returned
// function ends that. Without systemd it does nothing.
func notifyReady(s *session.Server, log *zap.Logger) (stop func()) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("cannot read the watchdog's interval", zap.Error(err))
	}
	ready := sd.SdNotifyReady + "\n" + status(s)
	if interval > 0 {
		ready += "\n" + sd.SdNotifyWatchdog // in an upgrade the watchdog has not begun anew
	}
	told, err := sd.SdNotify(false, ready)
	if err != nil {
		log.Warn("cannot notify systemd", zap.Error(err))
	}
	if !told {
		return func() {}
	}
	every := statusInterval
	if interval > 0 {
		every = min(every, interval/2)
	}
	s.Healthy() // each look is at what has happened since the one before
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
			}
			state := status(s)
			if interval > 0 && s.Healthy() {
				state += "\n" + sd.SdNotifyWatchdog
			}
			_, _ = sd.SdNotify(false, state)
		}
	}()
	return func() { close(done); <-ended }
}

const statusInterval = 10 * time.Second

func status(s *session.Server) string {
	switch st := s.DrainState(); st.Phase {
	case session.Serving:
	case session.Drained:
		return fmt.Sprintf("STATUS=drained, %d sessions closed", st.Closed)
	default:
		return fmt.Sprintf("STATUS=draining, %d sessions left", st.Left)
	}
	return fmt.Sprintf("STATUS=%d sessions, mode %s", s.Len(), s.Mode())
}

func notifyStopping() { _, _ = sd.SdNotify(false, sd.SdNotifyStopping) }
