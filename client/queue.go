package client

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"github.com/gobwas/ws"
)

// QueuedMessage is a message in a Client's queue. It is settled once: when it
// has left, or will not.
type QueuedMessage struct {
	op      ws.OpCode
	payload []byte
	ctx     context.Context

	// Of a request. conn is written before settled closes.
	id     string
	answer chan Envelope // one slot
	conn   *Conn

	q       *queue
	settled chan struct{}
	err     error // written before settled closes

	// The queue's mu guards what follows.
	elem   *list.Element // nil: not in the queue any more
	seq    uint64
	unwant error       // taken back while it was leaving: if it did not, this is why
	stop   func() bool // ends the watch on ctx
}

// Done is closed when the message has left or will not.
func (m *QueuedMessage) Done() <-chan struct{} { return m.settled }

// Err tells why the message will not leave; nil before Done, and when it has
// left.
func (m *QueuedMessage) Err() error {
	select {
	case <-m.settled:
		return m.err
	default:
		return nil
	}
}

// TakeBack takes the message out of the queue, if it has not begun to leave; it
// then fails with ErrTakenBack.
func (m *QueuedMessage) TakeBack() bool { return m.q.takeBack(m, ErrTakenBack) }

// queue is what waits to be sent, in order. The first may be leaving.
type queue struct {
	maxMessages, maxBytes int
	wake                  chan struct{} // one slot: there is something to take

	mu      sync.Mutex // guards what follows; a leaf
	items   list.List  // of *QueuedMessage
	bytes   int
	seq     uint64
	leaving *QueuedMessage // the first, taken
	closed  error

	sent, full, takenBack, broken uint64
}

func newQueue(messages, bytes int) *queue {
	return &queue{maxMessages: messages, maxBytes: bytes, wake: make(chan struct{}, 1)}
}

// push appends m, if there is room.
func (q *queue) push(m *QueuedMessage) error {
	m.q, m.settled = q, make(chan struct{})
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.items.Len()
	switch {
	case q.closed != nil:
		return q.closed
	case n >= q.maxMessages, n > 0 && q.bytes+len(m.payload) > q.maxBytes:
		q.full++
		return fmt.Errorf("%w: %d messages, %d bytes", ErrQueueFull, n, q.bytes)
	}
	q.seq++
	m.seq = q.seq
	m.elem = q.items.PushBack(m)
	q.bytes += len(m.payload)
	q.ring()
	return nil
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take gives the first message, which stays first until it is settled or put
// back; nil if there is none. Only one goroutine takes.
func (q *queue) take() *QueuedMessage {
	for {
		q.mu.Lock()
		front := q.items.Front()
		if front == nil {
			q.mu.Unlock()
			return nil
		}
		m := front.Value.(*QueuedMessage)
		if m.ctx.Err() == nil {
			q.leaving = m
			q.mu.Unlock()
			return m
		}
		q.mu.Unlock()
		q.takeBack(m, context.Cause(m.ctx))
	}
}

// settle ends what was taken: it has left, or broke on its way.
func (q *queue) settle(m *QueuedMessage, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leaving = nil
	if err == nil {
		q.sent++
	} else {
		q.broken++
	}
	q.removeLocked(m, err)
}

// putBack returns what was taken and has not begun to leave.
func (q *queue) putBack(m *QueuedMessage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leaving = nil
	if m.unwant != nil {
		q.takenBack++
		q.removeLocked(m, m.unwant)
	}
}

// takeBack removes a message that is not leaving; one that is, and is put back,
// goes then.
func (q *queue) takeBack(m *QueuedMessage, why error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case m.elem == nil:
		return false
	case q.leaving == m:
		if m.unwant == nil {
			m.unwant = why
		}
		return false
	}
	q.takenBack++
	q.removeLocked(m, why)
	return true
}

func (q *queue) removeLocked(m *QueuedMessage, err error) {
	q.items.Remove(m.elem)
	m.elem = nil
	q.bytes -= len(m.payload)
	m.payload = nil
	m.err = err
	close(m.settled)
	if m.stop != nil {
		m.stop()
	}
}

// watch takes m back when its context ends.
func (q *queue) watch(m *QueuedMessage) {
	stop := context.AfterFunc(m.ctx, func() { q.takeBack(m, context.Cause(m.ctx)) })
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.elem == nil {
		stop()
		return
	}
	m.stop = stop
}

// close fails all that waits and all that comes. Nothing is leaving any more.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = why
	for front := q.items.Front(); front != nil; front = q.items.Front() {
		q.removeLocked(front.Value.(*QueuedMessage), why)
	}
}

// flush waits until all that is in the queue now is settled.
func (q *queue) flush(ctx context.Context) error {
	q.mu.Lock()
	last := q.seq
	q.mu.Unlock()
	for {
		q.mu.Lock()
		front, closed := q.items.Front(), q.closed
		var m *QueuedMessage
		if front != nil {
			m = front.Value.(*QueuedMessage)
		}
		q.mu.Unlock()
		if m == nil || m.seq > last {
			return closed
		}
		select {
		case <-m.settled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (q *queue) addStats(s *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Queued, s.QueuedBytes = q.items.Len(), q.bytes
	s.Sent, s.QueueFull, s.TakenBack, s.Broken = q.sent, q.full, q.takenBack, q.broken
}
