package main

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// follower shows above the prompt what scripts write. It has one goroutine while it is attached to a daemon; when that is gone, the
// next command attaches to the next one.
type follower struct {
	client *admin.Client
	view   *lineView
	like   *admin.Printer // how lines are to be shown

	mu       sync.Mutex    // guards what follows
	refused  string        // the run of the daemon that has no such output
	attached chan struct{} // closed at the end of the stream; nil: none
	seq      uint64        // of the last line shown
	moved    chan struct{} // closed and replaced when seq grows
}

// attachTime is how long a command waits until what scripts write is followed; outputTime is how long its result waits for lines that were
// written before it.
const (
	attachTime = 2 * time.Second
	outputTime = 300 * time.Millisecond
)

// attach makes sure that the daemon's output is followed until ctx ends, if it can be.
func (f *follower) attach(ctx context.Context, run string) {
	f.mu.Lock()
	if f.attached != nil || f.refused == run && run != "" {
		f.mu.Unlock()
		return
	}
	ended, begun := make(chan struct{}), make(chan struct{})
	f.attached, f.seq, f.moved = ended, 0, make(chan struct{})
	f.mu.Unlock()
	go func() {
		defer close(ended)
		answer, err := f.client.Stream(ctx, "js_output", nil, func() { close(begun) }, f.show)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.attached = nil
		if e := (*admin.Error)(nil); errors.As(err, &e) && (e.Code == admin.CodeNotAvailable || e.Code == admin.CodeNoSuchCommand) {
			f.refused = answer.Started
		}
	}()
	timer := time.NewTimer(attachTime)
	defer timer.Stop()
	select {
	case <-begun:
	case <-ended:
	case <-timer.C:
	}
}

// show prints a line of the stream.
func (f *follower) show(l *admin.Line) error {
	var b bytes.Buffer
	p := *f.like
	p.W = &b
	p.ScriptLine(l)
	f.view.above(b.Bytes())
	if l.Output != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.seq = l.Output.Seq
		close(f.moved)
		f.moved = make(chan struct{})
	}
	return nil
}

// reach waits until the line with this number has been shown, as long as that can be expected.
func (f *follower) reach(seq uint64) {
	timer := time.NewTimer(outputTime)
	defer timer.Stop()
	for {
		f.mu.Lock()
		there, ended, moved := f.attached == nil || f.seq >= seq, f.attached, f.moved
		f.mu.Unlock()
		if there {
			return
		}
		select {
		case <-moved:
		case <-ended:
		case <-timer.C:
			return
		}
	}
}

// wait returns when the goroutine has ended: ctx of attach has.
func (f *follower) wait() {
	f.mu.Lock()
	ended := f.attached
	f.mu.Unlock()
	if ended != nil {
		<-ended
	}
}
