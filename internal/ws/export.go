package ws

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/snapshot"
)

// StateVersion is that of what Export writes. It changes when a process of the
// version before could not read it.
const StateVersion = 2

// wheelDuration is a tick on the loop's clock.
func wheelDuration(tick int64) time.Duration { return time.Duration(tick) * wheelTick }

func (c *Conn) lastReadAt() time.Duration { return time.Duration(c.lastRead.Load()) }

// A Keeper is a Handler whose own state of a connection outlives the process.
type Keeper interface {
	// Save writes what Handler has of an open connection. atOpen: it has just been
	// opened, and this is for the case of a crash, whenever that comes.
	Save(c *Conn, w *snapshot.Writer, atOpen bool)

	// Restore reads that, for a connection of which all else is restored, and
	// returns the path of its request, by which its mount is found. The loops do
	// not run yet, but it is called for several at once.
	Restore(c *Conn, r *snapshot.Reader) (path []byte, err error)
}

// The fields of a connection's state that are there or not.
const (
	hasPlace = 1 << iota
	hasPartial
	hasHead
	hasCodec
	hasEnd
	hasWait
	hasData
)

// Export writes the state of all connections, which Suspend and Hold keep still,
// and returns their descriptors. What is lent, and what has no descriptor, is left
// out: that ends with the process. Of TLS connections only the end is left.
func (s *Server) Export(w *snapshot.Writer) (fds []int) {
	x := exporter{srv: s, w: w, shared: map[*byte]int{}, farewells: map[*Conn]*Conn{}}
	var list []*Conn
	s.table.each(func(c *Conn) {
		if c.peer.tls != nil {
			known := c
			if c = c.farewell(); c == nil {
				return
			}
			x.farewells[c] = known
			s.farewells = append(s.farewells, c.fd)
		}
		if c.fd >= 0 && c.state() != stateLent && c.state() != stateClosed {
			list = append(list, c)
			fds = append(fds, int(c.fd))
		}
	})
	w.Uint(s.lastKey.Load())
	x.exportShared(list)
	w.Uint(uint64(len(list)))
	for _, c := range list {
		w.Record(func() { x.conn(c) })
	}
	w.Record(func() { s.exportTotals(w) })
	return fds
}

type exporter struct {
	srv    *Server
	bare   bool // what the connection is, and not what it is doing
	w      *snapshot.Writer
	shared map[*byte]int // encoded messages that wait in queues, by their last byte

	farewells map[*Conn]*Conn // and the connections of the handler that they stand for
}

// exportShared writes each encoded message that several connections wait to send
// once, from its first unsent byte of all.
func (x *exporter) exportShared(list []*Conn) {
	var frames [][]byte
	for _, c := range list {
		c.out.each(func(g *segment) {
			if g.own != nil {
				return
			}
			last := &g.b[len(g.b)-1]
			i, known := x.shared[last]
			switch {
			case !known:
				x.shared[last] = len(frames)
				frames = append(frames, g.b)
			case len(frames[i]) < len(g.b):
				frames[i] = g.b
			}
		})
	}
	x.w.Uint(uint64(len(frames)))
	for _, f := range frames {
		x.w.Bytes(f)
	}
}

// each calls f for every segment.
func (o *outbound) each(f func(*segment)) {
	if o.size == 0 {
		return
	}
	f(&o.first)
	if o.rest != nil {
		for i := range o.rest.waiting() {
			f(&o.rest.waiting()[i])
		}
	}
}

// conn writes one connection, whose lock is held and whose loop stands still.
func (x *exporter) conn(c *Conn) {
	w, l := x.w, c.loop
	if !x.bare && c.in.p != nil && c.in.p.done {
		c.in.p.endMessage()
		if c.in.p.idle() {
			c.in.Reset()
		}
	}
	state := c.state()
	if state == stateDeciding {
		state = stateHandshake // it is asked again
	}
	if x.bare {
		// Its loop runs, and others may be writing: what those may change is not
		// looked at.
		state = stateOpen
	}
	has := uint64(0)
	note := func(is bool, bit uint64) bool {
		if is {
			has |= bit
		}
		return is
	}
	place := note(c.place != nil, hasPlace)
	part := note(c.in.p != nil && !x.bare, hasPartial)
	head := note(c.head.len() > 0 && !x.bare, hasHead)
	codec := note(c.codec != nil, hasCodec)
	end := note(!x.bare && c.end != nil, hasEnd)
	held := note(c.flow.wait != nil && !x.bare, hasWait)
	data := note(c.opened, hasData)

	w.Int(int64(c.fd))
	w.Uint(c.Key())
	w.Uint(uint64(state))
	w.Uint(has)
	w.String(c.peer.Network)
	addr, _ := c.peer.Addr.MarshalBinary()
	w.Bytes(addr)
	broken := !x.bare && c.broken
	for _, v := range []bool{c.opened, c.counted, c.served, c.shut, c.ending, broken, c.admitted} {
		w.Bool(v)
	}
	w.Int(int64(c.lingered))
	if c.timer.slot == 0 {
		w.Duration(-1)
	} else {
		w.Duration(max(0, wheelDuration(c.timer.due)-l.now))
	}
	w.Duration(l.now - c.lastReadAt())
	w.Uint(c.messages.Load())
	w.Uint(c.bytes.Load())
	if x.bare {
		w.Uint(0)
		w.Uint(0)
		w.Uint(0)
	} else {
		w.Uint(c.sentMsg)
		w.Uint(c.sentB)
		w.Uint(uint64(c.dropped))
	}
	w.String(c.Subprotocol())
	w.Duration(c.flow.messages - l.now)
	w.Duration(c.flow.bytes - l.now)
	if c.begun && !x.bare {
		w.Duration(l.now - l.open.m[c].since)
	} else {
		w.Duration(-1)
	}
	if x.bare {
		x.outbound(new(outbound))
	} else {
		x.outbound(&c.out)
	}
	if place {
		key, _ := netip.Addr(c.place.key).MarshalBinary()
		w.Bytes(key)
		t := x.srv.admission.table
		t.mu.Lock()
		tat := c.place.tat
		t.mu.Unlock()
		w.Duration(tat - x.srv.clock())
	}
	if part {
		w.Record(func() { c.in.p.export(w) })
	}
	if head {
		w.Bytes(c.head.b)
	}
	if codec {
		w.Record(func() { c.codec.export(w, x.bare) })
	}
	if end {
		w.Uint(uint64(c.end.Code))
		w.String(c.end.Reason)
		w.Bool(c.end.Remote)
		w.Bool(c.end.Clean)
	}
	if held {
		h := c.flow.wait
		w.Bool(h.held())
		w.Bytes(h.rest)
		w.Duration(l.now - h.since)
		w.Duration(h.until - l.now)
		if h.end == 0 {
			w.Duration(-1)
		} else {
			w.Duration(max(0, h.end-l.now))
		}
	}
	if data {
		w.Record(func() {
			known := c
			if of := x.farewells[c]; of != nil {
				known = of
			}
			if k, ok := x.srv.opt.Handler.(Keeper); ok {
				k.Save(known, w, x.bare)
			}
		})
	}
}

// outbound writes a queue: its segments, by reference where they are shared.
func (x *exporter) outbound(o *outbound) {
	n := 0
	o.each(func(*segment) { n++ })
	x.w.Uint(uint64(n))
	o.each(func(g *segment) {
		if g.own != nil {
			x.w.Bool(false)
			x.w.Bytes(g.b)
			return
		}
		x.w.Bool(true)
		x.w.Uint(uint64(x.shared[&g.b[len(g.b)-1]]))
		x.w.Uint(uint64(len(g.b)))
	})
	x.w.Uint(uint64(o.begun))
}

func (p *partial) export(w *snapshot.Writer) {
	w.Bytes(p.head[:p.nhead])
	w.Bool(p.inFrame)
	w.Bool(p.fin)
	w.Uint(uint64(p.op))
	w.Bytes(p.mask[:])
	w.Int(p.size)
	got := p.got
	if !p.inFrame {
		got = 0 // that of the frame before
	}
	w.Int(got)
	w.Bytes(p.message.bytes())
	w.Uint(uint64(p.messageOp))
	w.Bool(p.deflated)
	w.Uint(uint64(p.fragments))
	w.Uint(uint64(p.checked))
	if p.inFrame && p.op.IsControl() {
		w.Bytes(p.control[:p.got])
	}
}

// export leaves the windows out when they go on changing: of what is sent, the
// next process can do without.
func (z *codec) export(w *snapshot.Writer, bare bool) {
	w.Bool(z.params.ServerNoContextTakeover)
	w.Bool(z.params.ClientNoContextTakeover)
	w.Uint(uint64(z.params.ServerMaxWindowBits))
	w.Uint(uint64(z.params.ClientMaxWindowBits))
	w.Bool(z.send)
	for _, window := range []*deflate.Window{z.in, z.out} {
		w.Bool(window != nil)
		if bare {
			window = nil
		}
		w.Bytes(window.Bytes())
	}
}

// exportTotals writes the counters, so that they do not begin anew.
func (s *Server) exportTotals(w *snapshot.Writer) {
	t := s.Totals()
	for _, v := range t.plain() {
		w.Uint(*v)
	}
	for _, m := range []map[int]uint64{t.Closes, t.Refused, t.Violations} {
		w.Uint(uint64(len(m)))
		for k, v := range m {
			w.Int(int64(k))
			w.Uint(v)
		}
	}
	w.Uint(uint64(len(t.Limited)))
	for k, v := range t.Limited {
		w.String(k)
		w.Uint(v)
	}
}

// plain are the counters that only grow.
func (t *Totals) plain() []*uint64 {
	return []*uint64{
		&t.Opens, &t.Lent, &t.TextIn, &t.BinaryIn, &t.BytesIn, &t.BinaryBytesIn, &t.TextOut, &t.BinaryOut, &t.BytesOut, &t.BinaryBytesOut, &t.Inflated, &t.Deflated,
		&t.Dropped, &t.SlowClosed, &t.AcceptFailed, &t.Starved, &t.MemoryClosed,
	}
}

// PassOn makes descriptors outlive an exec, or, when that has failed, not. An error
// is that of the first that could not be changed.
func PassOn(fds []int, yes bool) (failed error) {
	for _, fd := range fds {
		if err := setCloexec(int32(fd), !yes); err != nil && failed == nil {
			failed = fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	return failed
}
