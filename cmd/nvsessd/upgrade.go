package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

// In-place upgrade: the process executes another binary, or the same one again,
// and stays what it is to everybody else. Its connections stay open, for their
// descriptors outlive execve(2); what it knows about them goes along in memory.
//
// Until the moment of execve everything can be taken back, so the new binary is
// first asked, as a child, whether it takes the configuration and the state: see
// successor.go.

const (
	// checkPatience is how long the new binary may take to say so.
	checkPatience = 15 * time.Second
	// callsPatience is how long operators' calls that are quick may take to end.
	callsPatience = time.Second
)

// An upgradeRequest comes from an operator or a signal.
type upgradeRequest struct {
	binary string       // empty: where this one came from
	failed chan<- error // told if this process goes on, and has room for it; nil: nobody waits
}

func (r upgradeRequest) fail(err error) {
	if r.failed != nil {
		r.failed <- err
	}
}

// upgrade replaces this process by a binary that can take over. It returns only if
// it could not, with the reason; then all is as it was.
func (d *daemon) upgrade(to *candidate, signals chan os.Signal) error {
	notify(sd.SdNotifyReloading + "\nMONOTONIC_USEC=" + monotonicMicros())
	defer notify(sd.SdNotifyReady) // not reached when it succeeds: the next process says so

	calls, cancel := context.WithTimeout(context.Background(), callsPatience)
	defer cancel()
	if err := d.admin.Hold(calls); err != nil {
		d.log.Warn("upgrading all the same", zap.Error(err))
	}
	turn, cancelTurn := context.WithTimeout(context.Background(), callsPatience) // calls may be done
	defer cancelTurn()
	if err := d.reloads.take(turn); err != nil {
		d.upgradesFailed.Add(1)
		d.admin.Resume()
		return fmt.Errorf("the configuration is being read: %w", err)
	}
	defer d.reloads.give()
	// Before the loops stand still: who adds a socket waits for them, and keeps
	// others from the list.
	own := d.passState()
	own.Suspended = time.Now()
	if err := d.sessions.Suspend(); err != nil {
		d.upgradesFailed.Add(1)
		d.admin.Resume()
		return err
	}
	waiting, cancelWaiting := context.WithTimeout(context.Background(), callsPatience)
	defer cancelWaiting()
	own.Calls, own.Callers = d.admin.Suspend(waiting)
	err := d.standStill(waiting, own)
	if err == nil {
		err = d.execute(to, own, signals)
	}

	// It is still us.
	if d.keeping != nil {
		d.keeping.store.Thaw()
	}
	d.upgradesFailed.Add(1) // before anybody is told
	d.outcome.Store(&upgradeOutcome{err: err})
	d.readyCalls(own.Calls)
	d.sessions.Resume()
	d.admin.Resume()
	d.goOnWithCalls(own.Calls)
	return err
}

// standStill stops the store, if there is one, and notes what the next process
// needs of it.
func (d *daemon) standStill(ctx context.Context, own *passedState) (err error) {
	if d.keeping == nil {
		return nil
	}
	own.SettingsFD = d.keeping.fd
	own.Store, err = d.keeping.store.Handles(ctx)
	return err
}

// passState is what is the daemon's own.
func (d *daemon) passState() *passedState {
	own := &passedState{
		Version: versionString(), Started: d.started, Upgrades: d.upgradeCount,
		LogLevel: d.level.String(), Configured: d.configuredLevel.String(), Scripts: d.script.Sources(), SettingsFD: -1,
	}
	d.sockets.mu.Lock()
	defer d.sockets.mu.Unlock()
	for _, s := range d.sockets.public {
		own.Public = append(own.Public, s.Pass())
	}
	for _, s := range d.sockets.admin {
		own.Admin = append(own.Admin, s.Pass())
	}
	return own
}

// execute writes the state and becomes the new binary.
func (d *daemon) execute(to *candidate, own *passedState, signals chan os.Signal) error {
	// The timer of a profile, and its signal, outlive execve(2), and would end the next
	// process before it has a handler. One that did not end in time is stopped here.
	runtime.SetCPUProfileRate(0)
	own.Counts = d.counts()
	var fds []int
	f, err := writeState(own, func(w *snapshot.Writer) { fds = d.sessions.Export(w) })
	if err != nil {
		return err
	}
	defer f.Close()
	fds = append(fds, int(f.Fd()))
	for _, list := range [][]listen.Passed{own.Public, own.Admin} {
		for _, s := range list {
			fds = append(fds, s.FD)
		}
	}
	for _, c := range own.Calls {
		fds = append(fds, c.FD)
	}
	fds = append(fds, own.Callers...)
	for _, h := range own.Store {
		fds = append(fds, h.FD)
	}
	if own.SettingsFD >= 0 {
		fds = append(fds, int(own.SettingsFD))
	}
	env := append(os.Environ(), stateEnv+"="+strconv.Itoa(int(f.Fd())))

	// A signal that comes from now on waits for the next process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	restore := blockSignals()
	defer restore()
	_ = d.lines.Sync()
	err = ws.PassOn(fds, true)
	// Other threads do not block them, so this comes as late as it can.
	if err == nil && told(signals) {
		err = admin.Stopping()
	}
	if err == nil {
		err = to.isAsItWas()
	}
	if err == nil {
		d.sessions.TellTLS()
		err = syscall.Exec(to.binary, append([]string{os.Args[0]}, os.Args[1:]...), env)
	}
	return errors.Join(fmt.Errorf("cannot execute %s: %w", to.binary, err), ws.PassOn(fds, false))
}

// told reports whether one of the signals that wait is to end the daemon. It
// leaves them there, for the case that the daemon goes on: the next process has no
// use for the others, for it reads everything again.
func told(signals chan os.Signal) (end bool) {
	for range len(signals) {
		select {
		case sig := <-signals:
			end = end || sig == syscall.SIGTERM || sig == syscall.SIGINT
			select {
			case signals <- sig:
			default: // another has taken its place
			}
		default:
		}
	}
	return end
}

// blockSignals blocks those that end or reload the daemon, on this thread, whose
// mask the next process begins with: Go's runtime takes them from the mask when
// they are asked for.
func blockSignals() (restore func()) {
	var set, old unix.Sigset_t
	for _, s := range handledSignals {
		n := uint(s.(syscall.Signal)) - 1
		set.Val[n/64] |= 1 << (n % 64)
	}
	const setsize = 8
	sigmask := func(how uintptr, set, old *unix.Sigset_t) {
		_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, how, uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), setsize, 0, 0)
	}
	sigmask(unix.SIG_BLOCK, &set, &old)
	return func() { sigmask(unix.SIG_SETMASK, &old, nil) }
}

func notify(state string) { _, _ = sd.SdNotify(false, state) }

func monotonicMicros() string {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return strconv.FormatInt(ts.Nano()/1000, 10)
}

// askUpgrade has the daemon upgraded by its own goroutine, after others that were
// asked for before, and waits until that has failed: when it succeeds, ctx ends
// first.
func (d *daemon) askUpgrade(ctx context.Context, binary string) (begun bool, err error) {
	failed := make(chan error, 1)
	select {
	case d.upgrades <- upgradeRequest{binary, failed}:
	case <-d.reloads.ctx.Done():
		return false, admin.Stopping()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	select {
	case err := <-failed:
		return true, err
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}
