package ws

// A Batch gathers the connections that one pass of a loop writes to, so that
// each of them gets a single system call however many messages the pass
// produced for it. The handler's methods are given their loop's Batch; it is
// valid only during the call and only on that goroutine.
//
// Messages sent through a Batch and through [Conn.Send] to the same connection
// keep the order of the calls.
type Batch struct {
	loop  *loop
	dirty []*Conn
}

// Send queues a message for c; the payload is copied. It leaves at the end of
// the pass.
func (b *Batch) Send(c *Conn, op OpCode, payload []byte) SendResult {
	if c.compresses(len(payload)) {
		return b.SendFrame(c, c.loop.srv.NewFrame(op, payload))
	}
	fr := c.loop.srv.now().Fragmentation
	n := fr.wireLen(len(payload))
	c.mu.Lock()
	r, ok := c.admitLocked(n)
	if ok {
		c.out.pushBytes(n, func(dst []byte) []byte { return fr.Append(dst, op, payload) })
		c.countOutLocked(b.loop, op, n)
		b.noteLocked(c)
		r = Queued
	}
	c.mu.Unlock()
	if c.traced() {
		c.trace(Traced{Out: true, Op: op, Payload: payload, Size: len(payload), Result: r})
	}
	return r
}

// SendFrame queues an encoded message for c without copying it.
func (b *Batch) SendFrame(c *Conn, f Frame) SendResult {
	plain := f
	f = f.forConn(c)
	c.mu.Lock()
	r, ok := c.admitLocked(len(f.wire))
	if ok {
		c.pushLocked(f, b.loop)
		b.noteLocked(c)
		r = Queued
	}
	c.mu.Unlock()
	if c.traced() {
		c.traceFrame(plain, r)
	}
	return r
}

// Ping queues a ping frame; its payload is at most 125 bytes.
func (b *Batch) Ping(c *Conn, payload []byte) {
	b.control(c, OpPing, payload[:min(len(payload), maxControl)])
}

// control queues a control frame made by this package.
func (b *Batch) control(c *Conn, op OpCode, payload []byte) {
	c.mu.Lock()
	r, ok := c.admitLocked(2 + len(payload))
	if ok {
		c.out.pushBytes(2+len(payload), func(dst []byte) []byte { return appendFrame(dst, op, true, payload) })
		b.noteLocked(c)
		r = Queued
	}
	c.mu.Unlock()
	if c.traced() {
		c.trace(Traced{Out: true, Op: op, Payload: payload, Size: len(payload), Result: r})
	}
}

// pong answers a ping: after our close frame, too, until the peer's has come
// (RFC 6455, section 5.5.2), but then only as long as it reads.
func (b *Batch) pong(c *Conn, payload []byte) {
	if c.state() != stateClosing {
		b.control(c, OpPong, payload)
		return
	}
	n := 2 + len(payload)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken || int(c.out.size)+n > c.loop.srv.now().QueueBytes {
		return
	}
	c.out.pushBytes(n, func(dst []byte) []byte { return appendFrame(dst, OpPong, true, payload) })
	b.noteLocked(c)
}

// Close starts the closing handshake at the end of the pass. See [Conn.Close].
func (b *Batch) Close(c *Conn, code int, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	c.mu.Lock()
	err := c.startCloseLocked(code, reason)
	if err == nil {
		b.noteLocked(c)
	}
	c.mu.Unlock()
	if err == nil {
		c.armClose(b)
		c.traceClose(code, reason)
	}
	return err
}

// noteLocked remembers that c has something to write at the end of the pass.
func (b *Batch) noteLocked(c *Conn) {
	if !c.dirty {
		c.dirty = true
		b.dirty = append(b.dirty, c)
	}
}

// flush writes what the pass produced.
func (b *Batch) flush() {
	// What follows a flush may end connections, whose handlers may send again.
	for i := 0; i < len(b.dirty); i++ {
		c := b.dirty[i]
		b.dirty[i] = nil
		if c.flush() {
			if c.loop == b.loop {
				b.loop.drained(c)
			} else {
				c.loop.post(func() { c.loop.drained(c) })
			}
		}
	}
	b.dirty = b.dirty[:0]
	if cap(b.dirty) > 1<<16 {
		b.dirty = nil // a rare burst should not be kept for ever
	}
}
