package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/fdstore"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/snapshot"
)

// Under systemd, connections outlive the process: their descriptors are kept in
// systemd's descriptor store, with what is known of them in memory that is kept
// there, too. After a crash the next process goes on with those that stood
// between two messages; before a restart, this one writes down everything, and
// the next loses nothing.

// keeping is the daemon's part of that.
type keeping struct {
	store    *fdstore.Store
	restored *fdstore.Restored // what the process before left; nil: nothing, or there was an exec
	keeper   *fdstore.Keeper   // of settings; the watching goroutine's own
	fd       int32             // what settings are kept with
	changed  chan struct{}
	stop     chan struct{}
	done     chan struct{}
}

// The keys of what is kept beside connections, which have those below.
const (
	settingsKey = 1 << 62
	callKey     = 1 << 63         // and the call's place in the list
	callerKey   = callKey | 1<<62 // the same of connections between two calls
)

// openKeeping opens the store. Without systemd, or when it keeps nothing, there
// is none: crashes and restarts then end the sessions.
func openKeeping(files []*os.File, from *takenState, log *zap.Logger) *keeping {
	if !fdstore.Enabled() {
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it is all to stay
	o := fdstore.Options{Log: log, Files: files}
	if from != nil && len(from.Store) > 0 {
		o.Carried = true
		for _, h := range from.Store {
			o.Files = append(o.Files, os.NewFile(uintptr(h.FD), h.Name))
		}
	}
	store, restored, err := fdstore.Open(o)
	if err != nil {
		log.Warn("sessions will not outlive a restart or a crash: systemd keeps no descriptors (FileDescriptorStoreMax=)", zap.Error(err))
		if restored != nil { // their peers would wait for nobody
			for _, c := range restored.Conns {
				_ = unix.Shutdown(c.FD, unix.SHUT_RDWR)
				_ = unix.Close(c.FD)
			}
			if restored.State != nil {
				_ = restored.State.Close()
			}
		}
		return nil
	}
	return &keeping{store: store, restored: restored, fd: -1, changed: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// close ends the use of the store, which keeps what it has.
func (k *keeping) close() {
	if k == nil {
		return
	}
	if k.keeper != nil {
		close(k.stop)
		<-k.done
		k.keeper = nil
	}
	k.store.Close()
	if k.fd >= 0 {
		_ = unix.Close(int(k.fd))
	}
}

// clear has systemd forget everything, when all that was kept is over: what is started later begins anew.
func (k *keeping) clear(log *zap.Logger) {
	if k == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), clearPatience)
	defer cancel()
	if err := k.store.Clear(ctx); err != nil {
		log.Warn("systemd may keep what is not used any more", zap.Error(err))
	}
}

const clearPatience = 2 * time.Second

// note has the settings kept again, soon.
func (k *keeping) note() {
	if k == nil {
		return
	}
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// keptSettings are what has been changed while the daemon runs.
type keptSettings struct {
	Started  time.Time                `json:"started"`
	LogLevel string                   `json:"log_level,omitempty"` // changed from what the configuration says
	Sessions session.Settings         `json:"sessions"`
	Scripts  map[string]script.Source `json:"scripts,omitempty"`
}

func (d *daemon) settings() keptSettings {
	set := keptSettings{Started: d.started, Sessions: d.sessions.Settings(), Scripts: d.script.Sources()}
	if level := d.level.String(); level != d.configuredLevel.String() {
		set.LogLevel = level
	}
	return set
}

// watchSettings keeps the settings from now on.
func (d *daemon) watchSettings() {
	k := d.keeping
	if k == nil {
		return
	}
	if k.fd < 0 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			d.log.Warn("what operators change will not outlive a crash", zap.Error(err))
			return
		}
		k.fd = int32(fd)
	}
	k.keeper = k.store.Keeper()
	d.sessions.OnChange(k.note)
	go func() {
		defer close(k.done)
		for {
			d.keepSettings()
			select {
			case <-k.changed:
			case <-k.stop:
				return
			}
		}
	}()
}

func (d *daemon) keepSettings() {
	data, err := json.Marshal(d.settings())
	if err == nil && len(data) > fdstore.MaxData {
		err = fmt.Errorf("they are of %d bytes; at most %d can be kept", len(data), fdstore.MaxData)
	}
	if err != nil {
		d.log.Warn("what operators have changed will not outlive a crash", zap.Error(err))
		return
	}
	d.keeping.keeper.Add(d.keeping.fd, settingsKey, data)
	d.keeping.keeper.Flush(0)
}

// restore goes on with what the process before has left in the store: after a
// restart everything, after a crash what can be. It returns the operators' calls.
func (d *daemon) restore() (*takenState, error) {
	k := d.keeping
	if k == nil || k.restored == nil {
		return nil, nil
	}
	r := k.restored
	k.restored = nil
	var conns []fdstore.Conn
	calls := map[uint64]int{}
	for _, c := range r.Conns {
		switch {
		case c.Key == settingsKey:
			k.fd = int32(c.FD)
			var set keptSettings
			if err := json.Unmarshal(c.Data, &set); err == nil {
				d.apply(set, r.State == nil)
			}
		case c.Key >= callKey:
			calls[c.Key] = c.FD
		default:
			conns = append(conns, c)
		}
	}
	if r.State != nil {
		state, err := readState(r.State)
		if err == nil {
			d.restored(state, conns, calls)
			return state, nil
		}
		d.log.Error("what the process before wrote down cannot be used; going on as after a crash", zap.Error(err))
	}
	drop := k.store.Keeper()
	for _, fd := range calls {
		drop.Drop(int32(fd))
		_ = unix.Close(fd)
	}
	began := time.Now()
	if r.Sealed {
		for i := range conns {
			conns[i].In = true
		}
	}
	done, err := d.sessions.ImportKept(conns)
	if err != nil {
		return nil, err
	}
	d.tookOver.Store(&tookOver{sessions: d.sessions.Len(), closed: done.Closed + r.Lost, unsent: done.Unsent})
	log := d.log.Info
	if done.Closed > 0 || r.Lost > 0 || done.Unsent > 0 {
		log = d.log.Warn
	}
	log("resumed", zap.String("after", "a crash"), zap.Int("sessions", d.sessions.Len()), zap.Int("closed", done.Closed+r.Lost),
		zap.Uint64("lost_bytes", done.Unsent), zap.NamedError("first", done.Err), zap.Duration("took", time.Since(began)))
	return nil, nil
}

// apply sets what was changed in an earlier process.
func (d *daemon) apply(set keptSettings, all bool) {
	if !set.Started.IsZero() {
		d.started = set.Started
	}
	if !all { // it is in the state
		return
	}
	if set.LogLevel != "" {
		_ = d.level.UnmarshalText([]byte(set.LogLevel))
	}
	d.script.Restore(set.Scripts)
	d.sessions.ApplySettings(set.Sessions)
}

// restored goes on with the state that was written down before a restart.
func (d *daemon) restored(state *takenState, conns []fdstore.Conn, calls map[uint64]int) {
	drop := d.keeping.store.Keeper()
	fds := make(map[uint64]int, len(conns))
	for _, c := range conns {
		fds[c.Key] = c.FD
	}
	if state.LogLevel != state.Configured {
		_ = d.level.UnmarshalText([]byte(state.LogLevel))
	}
	d.upgradeCount = state.Upgrades // a restart is none
	d.addCounts(&state.Counts)
	d.script.Restore(state.Scripts)
	var mu sync.Mutex
	done, err := d.sessions.Import(state.sessions, func(_ int, key uint64) int {
		mu.Lock()
		defer mu.Unlock()
		fd, ok := fds[key]
		if !ok {
			return -1
		}
		delete(fds, key)
		return fd
	})
	if err != nil {
		d.log.Error("what the process before wrote down cannot be used whole", zap.Error(err))
	}
	for _, fd := range fds {
		drop.Drop(int32(fd))
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
		_ = unix.Close(fd)
	}
	kept := state.Calls[:0]
	for i, c := range state.Calls {
		fd, ok := calls[callKey+uint64(i)]
		if !ok {
			continue
		}
		drop.Drop(int32(fd))
		c.FD = fd
		kept = append(kept, c)
	}
	state.Calls, state.Callers = kept, nil
	for key, fd := range calls {
		if key >= callerKey {
			drop.Drop(int32(fd))
			state.Callers = append(state.Callers, fd)
		}
	}
	d.resumed(&state.passedState, done)
}

// leave hands everything to the next process, when systemd is about to start one.
// It reports whether it has; then this process is to end without another word.
func (d *daemon) leave() bool {
	k := d.keeping
	if k == nil {
		return false
	}
	job, err := fdstore.JobType(context.Background())
	if err != nil {
		d.log.Warn("systemd does not say whether this is a restart, so it is taken for a stop", zap.Error(err))
		return false
	}
	if job != "restart" {
		return false
	}
	began := time.Now()
	calls, cancel := context.WithTimeout(context.Background(), callsPatience)
	defer cancel()
	if err := d.admin.Hold(calls); err != nil {
		d.log.Warn("restarting all the same", zap.Error(err))
	}
	turn, cancelTurn := context.WithTimeout(context.Background(), callsPatience) // calls may be done
	defer cancelTurn()
	if err := d.reloads.take(turn); err != nil {
		d.reloads.end()
	} else {
		defer d.reloads.give()
	}
	d.sessions.EndTLS()
	own := d.passState()
	own.Suspended = time.Now()
	if err := d.sessions.Suspend(); err != nil {
		d.admin.Resume()
		d.log.Error("the sessions cannot be handed over; they are closed", zap.Error(err))
		return false
	}
	waiting, cancelWaiting := context.WithTimeout(context.Background(), callsPatience)
	defer cancelWaiting()
	own.Calls, own.Callers = d.admin.Suspend(waiting)
	if err := d.handToStore(own); err != nil {
		d.readyCalls(own.Calls)
		d.sessions.Resume()
		d.admin.Resume()
		d.goOnWithCalls(own.Calls)
		d.log.Error("the sessions cannot be handed over; they are closed", zap.Error(err))
		return false
	}
	d.log.Info("handed over to the next process", zap.Int("sessions", d.sessions.Len()), zap.Duration("took", time.Since(began)))
	return true
}

func (d *daemon) handToStore(own *passedState) error {
	k := d.keeping
	d.sessions.KeepAll()
	keeper := k.store.Keeper()
	for i, c := range own.Calls {
		keeper.Add(int32(c.FD), callKey+uint64(i), nil)
	}
	for i, fd := range own.Callers {
		keeper.Add(int32(fd), callerKey+uint64(i), nil)
	}
	keeper.Flush(0)
	own.Counts = d.counts()
	f, err := writeState(own, func(w *snapshot.Writer) { d.sessions.Export(w) })
	if err != nil {
		return err
	}
	defer f.Close()
	return k.store.PutState(f)
}
