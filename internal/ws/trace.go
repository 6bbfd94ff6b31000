package ws

import (
	"encoding/binary"
	"sync"
)

// A Traced is a message or a control frame of a connection that is traced.
type Traced struct {
	Out     bool
	Op      OpCode
	Payload []byte // borrowed; of a message that is sent in fragments, the first
	Size    int    // of the whole payload, as it is without compression
	Result  SendResult
}

// A Tracer is shown what comes and goes on a connection: by its loop, and by
// whoever sends, so in no strict order. It must not block.
type Tracer func(Traced)

// tracers is who traces which connection. A connection that is traced says so in
// its life, which is looked at for each message anyway.
type tracers struct {
	mu sync.RWMutex // guards m
	m  map[*Conn]Tracer
}

// tracedBit is beside the state in Conn.life.
const tracedBit = 1 << 8

// Trace shows t what comes and goes from now on, in place of the tracer before;
// nil ends it. Whoever traces a connection ends that when the connection ends.
func (c *Conn) Trace(t Tracer) {
	all := &c.loop.srv.tracers
	c.mu.Lock()
	defer c.mu.Unlock()
	all.mu.Lock()
	defer all.mu.Unlock()
	if t == nil {
		delete(all.m, c)
		c.life.Store(c.life.Load() &^ tracedBit)
		return
	}
	if all.m == nil {
		all.m = make(map[*Conn]Tracer)
	}
	all.m[c] = t
	c.life.Store(c.life.Load() | tracedBit)
}

// Traced reports whether it is.
func (c *Conn) Traced() bool { return c.traced() }

func (c *Conn) traced() bool { return c.life.Load()&tracedBit != 0 }

// trace shows something of a connection that is traced.
func (c *Conn) trace(x Traced) {
	all := &c.loop.srv.tracers
	all.mu.RLock()
	t := all.m[c]
	all.mu.RUnlock()
	if t != nil {
		t(x)
	}
}

// traceFrame shows an encoded message.
func (c *Conn) traceFrame(f Frame, r SendResult) {
	if len(f.wire) == 0 {
		return
	}
	x := Traced{Out: true, Op: OpCode(f.wire[0] & 0x0f), Result: r}
	if f.z != nil {
		x.Op, x.Payload, x.Size = f.z.op, f.z.payload, len(f.z.payload)
	} else {
		x.Payload, x.Size = unframed(f.wire)
	}
	c.trace(x)
}

// unframed is the first frame's payload of a message that was encoded here, and
// the length of all of its payloads.
func unframed(b []byte) (first []byte, size int) {
	for i := 0; len(b) >= 2; i++ {
		n := int(b[1] & 0x7f)
		head := frameHeaderLen(n)
		switch n {
		case 126:
			n, head = int(binary.BigEndian.Uint16(b[2:])), 4
		case 127:
			n, head = int(binary.BigEndian.Uint64(b[2:])), 10
		}
		if i == 0 {
			first = b[head : head+n]
		}
		size += n
		b = b[head+n:]
	}
	return first, size
}

// traceClose shows a close frame of ours.
func (c *Conn) traceClose(code int, reason string) {
	if c.traced() {
		b, _ := unframed(appendClose(nil, code, reason))
		c.trace(Traced{Out: true, Op: OpClose, Payload: b, Size: len(b), Result: Queued})
	}
}

// traceControl shows a control frame that came.
func (l *loop) traceControl(c *Conn, ev *Event) {
	if c.traced() {
		c.trace(Traced{Op: ev.Op, Payload: ev.Payload, Size: len(ev.Payload)})
	}
}
