package main

import (
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/ws"
)

// takeOver takes over the sessions of the process before, whichever way they
// come, and returns the operators' calls that wait, and their connections.
func (d *daemon) takeOver(from *takenState) ([]admin.SuspendedCall, []int, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it is all to stay
	if from == nil {
		state, err := d.restore()
		if state == nil || err != nil {
			return nil, nil, err
		}
		defer state.close()
		return d.adoptCalls(state.Calls), state.Callers, nil
	}
	d.started, d.upgradeCount = from.Started, from.Upgrades+1
	d.addCounts(&from.Counts)
	if from.SettingsFD >= 0 {
		unix.CloseOnExec(int(from.SettingsFD))
		if d.keeping != nil {
			d.keeping.fd = from.SettingsFD
		}
	}
	if from.LogLevel != from.Configured { // it was changed by hand
		_ = d.level.UnmarshalText([]byte(from.LogLevel))
	}
	d.script.Restore(from.Scripts)
	closeOnExec := func(int) {}
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil { // before Linux 5.11, or filtered
		closeOnExec = unix.CloseOnExec
	}
	done, err := d.sessions.Import(from.sessions, func(fd int, _ uint64) int {
		closeOnExec(fd)
		return fd
	})
	if err != nil {
		return nil, nil, fmt.Errorf("the state of the process before: %w", err)
	}
	if d.keeping != nil {
		d.keeping.store.Adopted()
	}
	d.resumed(&from.passedState, done)
	return d.adoptCalls(from.Calls), from.Callers, nil
}

// without lets a process that takes over go on without what cannot be had: by ending
// it would end all sessions.
func without(from *takenState, log *zap.Logger, what string, err error) error {
	if from == nil || err == nil {
		return err
	}
	log.Error("going on without "+what+": the sessions of the process before matter more", zap.Error(err))
	return nil
}

// goOnWithCallers answers operators whose connections were the process's before.
func (d *daemon) goOnWithCallers(fds []int) {
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		if err := d.admin.ServeConn(fd); err != nil {
			d.log.Warn("an operator's connection is lost", zap.Error(err))
		}
	}
}

// adoptCalls makes the calls that wait this process's, before anything happens that
// they must not miss.
func (d *daemon) adoptCalls(calls []admin.SuspendedCall) (ours []admin.SuspendedCall) {
	for _, c := range calls {
		unix.CloseOnExec(c.FD)
		if err := c.Adopt(); err != nil {
			d.log.Warn("an operator's call is lost", zap.Error(err))
			continue
		}
		d.admin.Ready(&c)
		ours = append(ours, c)
	}
	return ours
}

// readyCalls does the same where the process goes on after all.
func (d *daemon) readyCalls(calls []admin.SuspendedCall) {
	for i := range calls {
		d.admin.Ready(&calls[i])
	}
}

// goOnWithCalls goes on with what operators were waiting for.
func (d *daemon) goOnWithCalls(calls []admin.SuspendedCall) {
	for _, c := range calls {
		d.admin.Continue(c)
	}
}

// upgradeOutcome is what the last upgrade has come to.
type upgradeOutcome struct {
	done *admin.Upgraded
	err  error
}

// lastUpgrade is for the caller that asked for it.
func (d *daemon) lastUpgrade() (*admin.Upgraded, error) {
	if o := d.outcome.Load(); o != nil {
		return o.done, o.err
	}
	return nil, nil
}

// tookOver is what this process has taken over from the one before.
type tookOver struct {
	upgrades         uint64 // since the first of the processes began
	sessions, closed int
	unsent           uint64
	pause            time.Duration // 0: it crashed
}

// resumed says what became of the sessions of the process before, in the log and
// to who asked for the upgrade.
func (d *daemon) resumed(from *passedState, done ws.Imported) {
	d.outcome.Store(&upgradeOutcome{done: &admin.Upgraded{
		From: from.Version, To: versionString(), Sessions: done.Open, Connections: done.Conns, Closed: done.Closed,
		PausedMS: float64(time.Since(from.Suspended).Microseconds()) / 1000,
	}})
	d.tookOver.Store(&tookOver{upgrades: d.upgradeCount, sessions: done.Open, closed: done.Closed, pause: time.Since(from.Suspended)})
	fields := []zap.Field{
		zap.String("from", from.Version), zap.String("version", versionString()),
		zap.Int("sessions", done.Open), zap.Int("connections", done.Conns), zap.Int("closed", done.Closed),
		zap.Duration("took", time.Since(from.Suspended)),
	}
	if done.Err != nil {
		d.log.Warn("some sessions could not be continued, and were closed with 1012", zap.Int("closed", done.Closed), zap.NamedError("first", done.Err))
	}
	d.log.Info("resumed", fields...)
}
