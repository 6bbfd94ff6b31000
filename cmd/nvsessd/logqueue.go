package main

import (
	"io"
	"sync"
	"time"
)

// A logQueue stands between the daemon and what takes its log, which may be full
// or not read by anybody: whoever logs never waits for it. What does not fit
// into the queue, or cannot be written, is lost and counted, and a line says how
// many were as soon as one can be written again. Safe for concurrent use.
type logQueue struct {
	to    io.Writer
	note  func(n uint64) []byte // makes that line
	more  chan struct{}         // there is something to write, or to end
	ended chan struct{}         // closed when nothing is written any more

	// The writing goroutine's own.
	broken bool   // a line was written in part
	untold uint64 // lines lost of which no line has told yet

	mu      sync.Mutex // guards what follows
	idle    *sync.Cond // busy has become false
	lines   [][]byte
	bytes   int
	busy    bool   // what was taken from the queue is being written
	dropped uint64 // lines that found no room since the last were taken
	lost    uint64 // lines lost in all, with those of earlier processes
	over    bool
}

const (
	// maxLogQueue bounds the bytes that wait.
	maxLogQueue = 1 << 20
	// logPatience is how long the daemon's end waits for its log to be taken.
	logPatience = time.Second
)

func newLogQueue(to io.Writer, note func(uint64) []byte) *logQueue {
	q := &logQueue{to: to, note: note, more: make(chan struct{}, 1), ended: make(chan struct{})}
	q.idle = sync.NewCond(&q.mu)
	go q.run()
	return q
}

// Write queues a line. It never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.over || q.bytes+len(line) > maxLogQueue && q.bytes > 0 {
		q.lost++
		q.dropped++
	} else {
		q.lines = append(q.lines, append([]byte(nil), line...))
		q.bytes += len(line)
	}
	q.mu.Unlock()
	q.wake()
	return len(line), nil
}

func (q *logQueue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// Lost is how many lines were lost.
func (q *logQueue) Lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// addLost adds what earlier processes have lost.
func (q *logQueue) addLost(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost += n
}

// Sync waits until all that was queued is written or lost, but not for long.
func (q *logQueue) Sync() error {
	limit := time.Now().Add(logPatience)
	alarm := time.AfterFunc(logPatience, q.idle.Broadcast)
	defer alarm.Stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for (q.busy || len(q.lines) > 0) && time.Now().Before(limit) {
		q.idle.Wait()
	}
	return nil
}

// close ends the writing, after a Sync. A write that does not return is left to
// the process's end.
func (q *logQueue) close() {
	_ = q.Sync()
	q.mu.Lock()
	q.over = true
	stuck := q.busy
	q.mu.Unlock()
	q.wake()
	if !stuck {
		<-q.ended
	}
}

// run writes until close.
func (q *logQueue) run() {
	defer close(q.ended)
	for range q.more {
		for {
			lines, dropped, over := q.take()
			if over {
				return
			}
			if len(lines) == 0 && dropped == 0 {
				break
			}
			failed := uint64(0)
			for _, line := range lines {
				if !q.tell() || !q.write(line) {
					failed++
					q.untold++
				}
			}
			if dropped > 0 { // they came after those lines
				q.untold += dropped
				q.tell()
			}
			q.settle(failed)
		}
	}
}

// take empties the queue; dropped lines came after what was in it.
func (q *logQueue) take() (lines [][]byte, dropped uint64, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, dropped = q.lines, q.dropped
	q.lines, q.bytes, q.dropped = nil, 0, 0
	q.busy = len(lines) > 0 || dropped > 0
	return lines, dropped, q.over && !q.busy
}

func (q *logQueue) settle(failed uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	q.lost += failed
	q.idle.Broadcast()
}

// tell says how many lines were lost, if any were, and reports false when that
// cannot be written.
func (q *logQueue) tell() bool {
	if q.untold > 0 && !q.write(q.note(q.untold)) {
		return false
	}
	q.untold = 0
	return true
}

// write reports whether the whole line was written.
func (q *logQueue) write(line []byte) bool {
	if q.broken {
		line = append([]byte{'\n'}, line...)
	}
	n, err := q.to.Write(line)
	if n > 0 {
		q.broken = n < len(line)
	}
	return err == nil
}
