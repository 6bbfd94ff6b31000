package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/config"
)

// reloads keeps reloads one after the other, and from the end.
type reloads struct {
	turn  chan struct{} // holds the one who reloads
	asked chan struct{} // a SIGHUP is to be followed; however many there were

	ctx    context.Context // done when the daemon stops
	stop   context.CancelFunc
	commit chan struct{} // holds the reload that takes effect, of which there is none when ctx is done

	former    context.Context // of HTTP requests that earlier routes answer
	cutFormer context.CancelFunc

	prints map[string]print // of the files in effect; of whose turn it is
}

// print tells a file's content from another.
type print [sha256.Size]byte

// begin comes before anything that c names is read: who reads it later than it
// was looked at reads it once more than he had to.
func (r *reloads) begin(c *config.Config) {
	r.turn, r.asked, r.commit = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.former, r.cutFormer = context.WithCancel(context.Background())
	r.prints = prints(c)
}

// ask has the configuration read again, soon.
func (r *reloads) ask() {
	select {
	case r.asked <- struct{}{}:
	default: // that one will find what this one would
	}
}

// take waits for one's turn, which give ends. It fails when the daemon stops.
func (r *reloads) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ctx.Done():
		return errStopping
	}
	if r.ctx.Err() != nil {
		r.give()
		return errStopping
	}
	return nil
}

func (r *reloads) give() { <-r.turn }

// end keeps reloads from taking effect. One that was doing so has, when it returns.
func (r *reloads) end() {
	r.stop()
	r.commit <- struct{}{}
	<-r.commit
}

var errStopping = errors.New("the daemon is stopping: it does not read its configuration any more")

// reloadPatience is how long the end waits for a reload that is under way: one
// may wait for a file system that does not answer.
const reloadPatience = 2 * time.Second

// reloadWhenAsked follows SIGHUP, on a goroutine of its own: stopping does not
// wait for a file. The returned function ends it, and all reloads.
func (d *daemon) reloadWhenAsked() (stop func()) {
	r := &d.reloads
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			select {
			case <-r.asked:
				_, _ = d.reload(r.ctx, false) // which is logged
			case <-r.ctx.Done():
				return
			}
		}
	})
	return func() {
		r.end()
		done := make(chan struct{})
		go func() { // ends with what it waits for
			r.turn <- struct{}{}
			ended.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(reloadPatience):
			d.log.Warn("a reload of the configuration is still reading its files; it will not take effect")
		}
	}
}

// reload reads the configuration again and puts it in effect, all of it or
// nothing, or with dry only says what would change.
func (d *daemon) reload(ctx context.Context, dry bool) (*admin.Reloaded, error) {
	if err := d.reloads.take(ctx); err != nil {
		if errors.Is(err, errStopping) {
			d.tooLateToReload()
			return nil, admin.Stopping()
		}
		return nil, err
	}
	defer d.reloads.give()
	began := time.Now()
	changes, err := d.reconfigure(dry)
	switch {
	case errors.Is(err, errStopping):
		return nil, admin.Stopping()
	case err != nil && dry:
		return nil, admin.ConfigError(err)
	case err != nil:
		e := admin.ConfigError(err)
		for _, p := range e.Problems {
			d.log.Error("the configuration is as it was: it cannot be read again", zap.String("error", p))
		}
		return nil, e
	}
	answer := &admin.Reloaded{File: d.flags.config, DryRun: dry, Changes: []admin.Change{}}
	for _, c := range changes {
		answer.Changes = append(answer.Changes, admin.Change{Key: c.Key, Old: c.Old, New: c.New, Effect: string(c.Effect), Content: c.Content})
		if dry {
			continue
		}
		fields := []zap.Field{zap.String("key", c.Key), zap.String("old", clipped(c.Old)), zap.String("new", clipped(c.New)), zap.String("effect", string(c.Effect))}
		if c.Content {
			fields = append(fields, zap.Bool("content", true))
		}
		if c.Effect == config.Restart {
			d.log.Warn("a change of the configuration needs a restart", fields...)
			continue
		}
		d.log.Info("the configuration has changed", fields...)
	}
	if !dry {
		d.log.Info("the configuration was read again", zap.Int("changes", len(changes)), zap.Duration("took", time.Since(began)))
	}
	return answer, nil
}

func (d *daemon) tooLateToReload() {
	d.log.Info("the configuration is not read again: the daemon is stopping")
}

// clipped is a value for the log.
func clipped(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "..."
	}
	return s
}

// reconfigure does it, in its turn.
func (d *daemon) reconfigure(dry bool) ([]config.Change, error) {
	next, err := d.flags.load()
	if err != nil {
		return nil, err
	}
	files := prints(&next)
	if err := check(&next); err != nil {
		return nil, err
	}
	effect, changes := d.config().Reload(&next, func(key, path string) bool { return files[key] != d.reloads.prints[key] })
	if err := effect.Validate(); err != nil {
		return nil, err
	}
	p, err := d.plan(&effect, changes)
	if err != nil {
		return nil, err
	}
	if dry {
		p.giveUp()
		return changes, nil
	}
	if err := p.carryOut(); err != nil {
		p.giveUp()
		return nil, err
	}
	d.reloads.prints = files
	return changes, nil
}

// prints looks at the files that a configuration names. One that cannot be read
// has the zero print.
func prints(c *config.Config) map[string]print {
	m := map[string]print{}
	for key, path := range c.Files() {
		m[key] = printOf(path)
	}
	return m
}

func printOf(path string) (p print) {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return p // who writes to a FIFO is not to take this for its reader
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return p
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxPrinted)); err != nil {
		return p
	}
	h.Sum(p[:0])
	return p
}

// maxPrinted is more than any of the files may have.
const maxPrinted = 16 << 20
