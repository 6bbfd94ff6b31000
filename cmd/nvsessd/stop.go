package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

var errCutShort = errors.New("ended at once by a second signal")

// stop closes every session with 1001, within the deadline. A second signal
// cuts it short, which is an error. Until the sessions are gone whoever else
// comes is told so, but at systemd's sockets, where he waits for the next process.
func (d *daemon) stop(signals <-chan os.Signal) error {
	d.sessions.Drain()
	d.sockets.closeInherited(d.log)
	d.delayStop(signals)
	deadline := d.config().Shutdown.Deadline.Std()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	done := make(chan struct{})
	var cut atomic.Bool
	defer close(done)
	go func() {
		for {
			select {
			case sig := <-signals:
				if !d.hastens(sig) {
					continue
				}
				d.log.Warn("ending at once", zap.Stringer("signal", sig))
				cut.Store(true)
				cancel()
			case <-done:
			}
			return
		}
	}()
	n, began := d.sessions.Len(), time.Now()
	if err := d.sessions.Shutdown(ctx, ws.CloseGoingAway, "server is shutting down"); err != nil {
		d.log.Warn("some sessions did not close in time and were cut", zap.Error(err))
	}
	d.sockets.closePublic(d.log)
	d.reloads.cutFormer() // the connections are gone
	stopRoutes(ctx, d.routes, d.log)
	d.stopScript(ctx)
	stopWebhook(ctx, d.webhook, d.log)
	adminCtx, cancelAdmin := context.WithTimeout(context.Background(), time.Second)
	defer cancelAdmin()
	d.stopMetrics(adminCtx)
	if err := d.admin.Shutdown(adminCtx); err != nil {
		d.log.Warn("some operators' calls were cut", zap.Error(err))
	}
	d.serving.Wait()
	d.keeping.clear(d.log)
	d.log.Info("stopped", zap.Int("sessions", n), zap.Duration("took", time.Since(began)))
	if cut.Load() {
		return errCutShort
	}
	return nil
}

// delayStop leaves the sessions alone for shutdown.delay, or until a signal. Once
// drained, health has said long ago that there is nobody here.
func (d *daemon) delayStop(signals <-chan os.Signal) {
	delay := d.config().Shutdown.Delay.Std()
	if delay == 0 || d.sessions.DrainState().Phase == session.Drained {
		return
	}
	d.log.Info("draining", zap.Duration("delay", delay), zap.Int("sessions", d.sessions.Len()))
	over := time.NewTimer(delay)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return
		case sig := <-signals:
			if !d.hastens(sig) {
				continue
			}
			d.log.Info("closing sessions without further delay", zap.Stringer("signal", sig))
			return
		}
	}
}

// hastens reports whether a signal cuts the stop short; for what others ask it is
// too late.
func (d *daemon) hastens(sig os.Signal) bool {
	if sig == syscall.SIGHUP && !d.hungUp() {
		d.tooLateToReload()
		return false
	}
	return sig != syscall.SIGUSR2
}
