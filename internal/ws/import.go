package ws

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/snapshot"
)

// Imported says what became of the connections of an earlier process.
type Imported struct {
	Conns  int   // that go on
	Open   int   // those of them that are open
	Closed int   // that cannot, and were told so with 1012
	Err    error // why, of the first one
}

// Import takes over the connections that another process has exported, between
// NewServer and Start. descriptor translates that process's descriptors, and the
// keys that they are kept under, to ours; below 0: it is not there. What cannot go on is closed with 1012. The error says
// that the state cannot be read at all; then nothing is closed, and the
// descriptors are the caller's.
func (s *Server) Import(r *snapshot.Reader, descriptor func(fd int, key uint64) int) (done Imported, err error) {
	if err := s.makeLoops(); err != nil {
		return done, err
	}
	s.setNextGen(int32(r.Uint()))
	shared := make([]Frame, r.Count())
	for i := range shared {
		shared[i] = wired(append([]byte(nil), r.Bytes()...))
	}
	records := make([]*snapshot.Reader, r.Count())
	for i := range records {
		records[i] = r.Record()
	}
	totals := r.Record()
	if err := r.Err(); err != nil {
		return done, err
	}
	for _, l := range s.loops {
		l.turn()
	}
	for i, rec := range records {
		m := importer{srv: s, r: rec, shared: shared, loop: s.loops[i%len(s.loops)]}
		c, err := m.conn(descriptor)
		switch {
		case err != nil:
			done.Closed++
			if done.Err == nil {
				done.Err = err
			}
			if m.fd >= 0 {
				if m.loop.keeper != nil {
					m.loop.keeper.Drop(m.fd)
				}
				tellRestart(m.fd, m.clean)
			}
		case c != nil:
			done.Conns++
			if c.opened {
				done.Open++
			}
		}
	}
	s.importTotals(totals)
	return done, totals.Err()
}

// tellRestart closes a descriptor, after a close frame with 1012 if one can
// stand there.
func tellRestart(fd int32, clean bool) {
	_ = unix.SetNonblock(int(fd), true)
	if clean {
		_, _ = send(fd, appendClose(nil, CloseServiceRestart, "service restart"))
	}
	shutdownBoth(fd)
	closeFD(fd)
}

type importer struct {
	srv    *Server
	r      *snapshot.Reader
	shared []Frame
	loop   *loop

	fd    int32 // -1: none
	clean bool  // the peer is between two messages of ours

	compressed bool // it has agreed on compression
}

var (
	errNoMount = errors.New("no mount has its path any more")
	errCut     = errors.New("it was in the middle of a message")
)

// conn makes a connection of a record. Nil: its peer is gone.
func (x *importer) conn(descriptor func(int, uint64) int) (*Conn, error) {
	r, l := x.r, x.loop
	was, key := int(r.Int()), r.Uint()
	x.fd = int32(descriptor(was, key))
	if x.fd < 0 {
		return nil, fmt.Errorf("descriptor %d is not there", was)
	}
	state := connState(r.Uint())
	if state > stateFailing || state == stateDeciding || state == stateLent {
		return nil, fmt.Errorf("unknown state %d", state)
	}
	has := r.Uint()
	c := &Conn{loop: l, fd: x.fd, gen: int32(key & (1<<30 - 1))}
	x.srv.setNextGen(c.gen)
	c.peer = &unixPeer
	if network, addr := r.String(), r.Bytes(); network != unixPeer.Network {
		c.peer = &Peer{Network: network}
		if err := c.peer.Addr.UnmarshalBinary(addr); err != nil {
			return nil, err
		}
	}
	for _, v := range []*bool{&c.opened, &c.counted, &c.served, &c.shut, &c.ending, &c.broken, &c.admitted} {
		*v = r.Bool()
	}
	if c.opened != (has&hasData != 0) || c.opened && state < stateOpen || !c.opened && (state == stateOpen || state == stateClosing) {
		r.Fail(snapshot.ErrCorrupt)
		c.opened = false
	}
	c.admitted = c.admitted && c.opened // what is over gives its place back at once
	c.counted = c.counted && has&hasPlace != 0
	c.lingered = int32(r.Int())
	timer := r.Duration()
	c.lastRead.Store(int64(l.now - r.Duration()))
	if c.lastRead.Load() == 0 {
		c.lastRead.Store(1)
	}
	c.messages.Store(r.Uint())
	c.bytes.Store(r.Uint())
	c.sentMsg, c.sentB, c.dropped = r.Uint(), r.Uint(), uint32(r.Uint())
	if p := r.String(); p != "" {
		c.protocol = &p
	}
	c.flow.messages, c.flow.bytes = l.now+r.Duration(), l.now+r.Duration()
	begun := r.Duration()
	c.setStateLocked(state)
	if err := x.outbound(&c.out); err != nil {
		return nil, err
	}
	x.clean = c.out.begun == 0 && (state == stateOpen || state == stateClosing) && r.Err() == nil
	if has&hasPlace != 0 {
		x.place(c)
	}
	x.compressed = has&hasCodec != 0
	if has&hasPartial != 0 {
		x.partial(c, r.Record())
	}
	if has&hasHead != 0 {
		c.head = c.head.append(r.Bytes())
	}
	if has&hasCodec != 0 {
		x.codec(c, r.Record())
	}
	if has&hasEnd != 0 {
		c.end = &CloseInfo{Code: int(r.Uint()), Reason: r.String(), Remote: r.Bool(), Clean: r.Bool()}
	}
	if has&hasWait != 0 {
		x.wait(c)
	}
	var path []byte
	if has&hasData != 0 {
		k, ok := x.srv.opt.Handler.(Keeper)
		if !ok {
			return nil, x.giveUp(c, errors.New("nobody keeps its session"))
		}
		rec := r.Record()
		var err error
		if path, err = k.Restore(c, rec); err == nil {
			err = rec.Err()
		}
		if err != nil {
			return nil, x.giveUp(c, err)
		}
	}
	if err := r.Err(); err != nil {
		return nil, x.giveUp(c, err)
	}
	return c, x.enter(c, path, timer, begun)
}

// unixPeer is that of connections whose listener is not known any more.
var unixPeer = Peer{Network: "unix"}

// giveUp frees what a connection that cannot go on has got so far.
func (x *importer) giveUp(c *Conn, err error) error {
	c.out.clear()
	c.in.Reset()
	c.head.free()
	x.loop.unhold(c)
	if c.place != nil {
		c.admitted = false
		x.loop.depart(c)
	}
	return err
}

func (x *importer) outbound(o *outbound) error {
	r := x.r
	for range r.Count() {
		if !r.Bool() {
			b := r.Bytes()
			if len(b) == 0 {
				return snapshot.ErrCorrupt
			}
			own := getBuffer(len(b))
			own.b = append(own.b, b...)
			o.add(segment{b: own.b, own: own})
			continue
		}
		i, n := r.Uint(), r.Uint()
		if i >= uint64(len(x.shared)) || n == 0 || n > uint64(len(x.shared[i].wire)) {
			return snapshot.ErrCorrupt
		}
		f := x.shared[i]
		f.held.take()
		o.add(segment{b: f.wire[len(f.wire)-int(n):], held: f.held})
	}
	if o.begun = uint32(r.Uint()); o.begun > o.size || int(o.begun) > len(o.first.b) {
		return snapshot.ErrCorrupt
	}
	return nil
}

func (x *importer) place(c *Conn) {
	var addr netip.Addr
	if err := addr.UnmarshalBinary(x.r.Bytes()); err != nil || !addr.IsValid() {
		x.r.Fail(snapshot.ErrCorrupt)
		return
	}
	tat := x.srv.clock() + x.r.Duration()
	t := x.srv.admission.table
	t.mu.Lock()
	defer t.mu.Unlock()
	c.place = t.pointLocked(addressKey(addr))
	c.place.tat = max(c.place.tat, tat)
	if c.counted {
		c.place.conns++
	}
}

func (x *importer) partial(c *Conn, r *snapshot.Reader) {
	p := getPartial()
	c.in.p = p
	p.nhead = copy(p.head[:], r.Bytes())
	p.inFrame, p.fin, p.op = r.Bool(), r.Bool(), OpCode(r.Uint())
	copy(p.mask[:], r.Bytes())
	p.size, p.got = r.Int(), r.Int()
	if b := r.Bytes(); len(b) > 0 {
		p.message = p.message.append(b)
	}
	p.messageOp, p.deflated = OpCode(r.Uint()), r.Bool()
	p.fragments, p.checked = int(r.Uint()), int(r.Uint())
	copy(p.control[:], r.Bytes())
	if p.size < 0 || p.got < 0 || p.got > p.size || p.checked < 0 || p.checked > p.message.len() || p.nhead > len(p.head)-1 ||
		p.nhead >= 2 && p.nhead >= headerLen(p.head[1]) || p.inFrame && p.nhead > 0 ||
		p.op.IsControl() && p.size > maxControl || p.deflated && !x.compressed {
		r.Fail(snapshot.ErrCorrupt)
	}
	if r.Err() != nil {
		x.r.Fail(r.Err())
	}
}

func (x *importer) codec(c *Conn, r *snapshot.Reader) {
	z := codec{params: deflate.Params{
		ServerNoContextTakeover: r.Bool(), ClientNoContextTakeover: r.Bool(),
		ServerMaxWindowBits: uint8(r.Uint()), ClientMaxWindowBits: uint8(r.Uint()),
	}, send: r.Bool()}
	if r.Bool() {
		z.in = deflate.NewWindow(r.Bytes())
	} else {
		r.Bytes()
	}
	if r.Bool() {
		z.out = deflate.NewWindow(r.Bytes())
	}
	for _, bits := range []uint8{z.params.ServerMaxWindowBits, z.params.ClientMaxWindowBits} {
		if bits < minWindowBits || bits > maxWindowBits {
			r.Fail(snapshot.ErrCorrupt)
		}
	}
	if r.Err() != nil {
		x.r.Fail(r.Err())
	}
	c.codec = &z
}

func (x *importer) wait(c *Conn) {
	r, now := x.r, x.loop.now
	w := &wait{c: c, index: -1}
	held, rest := r.Bool(), r.Bytes()
	w.since, w.until = now-r.Duration(), now+r.Duration()
	if end := r.Duration(); end >= 0 {
		w.end = now + max(end, 1)
	}
	c.flow.wait = w
	if !held {
		return
	}
	if len(rest) > 0 {
		w.buf = w.buf.append(rest)
		w.rest = w.buf.b
	}
	c.held = true
	heap.Push(&x.loop.waiting, w)
}

// enter makes a connection one of its loop's.
func (x *importer) enter(c *Conn, path []byte, timer, begun time.Duration) error {
	s, l := x.srv, x.loop
	if c.opened {
		if c.mount = s.now().mounts.find(path); c.mount == nil {
			return x.lose(c, errNoMount)
		}
	}
	if !c.opened {
		c.codec = nil // nothing is sent or understood any more
	}
	if c.codec != nil {
		c.codec.threshold = c.mount.now().Compression.Threshold
		c.codec = s.codecs.share(c.codec)
		if t := *s.now(); c.codec.send && !t.compresses {
			t.compresses = true // for those who have agreed on it
			s.tuned.Store(&t)
		}
	}
	// A request that came in part, or that was being decided about, is judged
	// from its beginning when the loop runs. Until then it is as one that waits
	// for a decision: nothing of it is read.
	again := c.state() == stateHandshake && c.head.len() > 0
	if again {
		c.setStateLocked(stateDeciding)
	}
	events := interest(!c.held && !again, c.out.size > 0)
	if !s.table.set(c.fd, c) {
		return x.lose(c, unix.EMFILE)
	}
	if err := l.poll.add(c.fd, c.gen, events); err != nil {
		s.table.clear(c.fd)
		return x.lose(c, err)
	}
	c.armed = c.out.size > 0
	c.lagsLocked(0)
	s.conns.Add(1)
	s.awaited.Add(1)
	l.conns.Add(1)
	if c.admitted {
		c.mount.conns.Add(1)
		t := s.admission.table
		t.mu.Lock()
		s.admission.sessions++
		if c.place != nil {
			c.place.sessions++
		}
		t.mu.Unlock()
	}
	l.keepAgain(c)
	if begun >= 0 && c.in.p != nil && s.now().MessageTimeout > 0 {
		l.note(c)
		l.open.m[c] = begunSince(l.open.m[c], l.now-begun)
	}
	switch {
	case timer >= 0:
		l.wheel.set(c, tickOf(l.now+timer))
	case again:
		l.arm(c, s.now().HandshakeTimeout)
	}
	if again {
		l.post(func() { l.collectAgain(c) })
	}
	if c.state() > stateClosing && c.opened && c.end != nil && !c.ending || c.state() == stateClosing && !c.ending {
		l.post(func() { l.endAgain(c) })
	}
	if c.afterWriteLocked() && c.out.empty() {
		l.post(func() { l.drained(c) })
	}
	return nil
}

// endAgain goes on where another goroutine had begun a connection's end, and its
// loop had not heard of that.
func (l *loop) endAgain(c *Conn) {
	switch c.state() {
	case stateClosing:
		l.armEnd(c)
	case stateFailing:
		l.failedSlow(c)
	}
}

// collectAgain goes on with a handshake that another process began.
func (l *loop) collectAgain(c *Conn) {
	if c.state() != stateDeciding {
		return // it is over
	}
	c.mu.Lock()
	c.setStateLocked(stateHandshake)
	if l.poll.modify(c.fd, c.gen, true, false) != 0 {
		c.starveLocked()
	}
	c.mu.Unlock()
	head := c.head
	c.head = nil
	l.collect(c, head.b)
	head.free()
	if l.keeper != nil {
		l.handled(c, c.fd)
	}
}

func begunSince(b begun, since time.Duration) begun {
	b.since = since
	return b
}

// lose gives up a connection whose handler has restored its session.
func (x *importer) lose(c *Conn, err error) error {
	_ = x.giveUp(c, nil)
	c.fd = -1
	c.setStateLocked(stateClosed)
	x.loop.tell(c, CloseInfo{Code: CloseServiceRestart, Err: err})
	return err
}

// importTotals lets the counters go on.
func (s *Server) importTotals(r *snapshot.Reader) {
	var t Totals
	for _, v := range t.plain() {
		*v = r.Uint()
	}
	byKey := [3]map[int]uint64{}
	for i := range byKey {
		byKey[i] = map[int]uint64{}
		for range r.Count() {
			k := int(r.Int())
			byKey[i][k] = r.Uint()
		}
	}
	limited := map[string]uint64{}
	for range r.Count() {
		k := r.String()
		limited[k] = r.Uint()
	}
	if r.Err() != nil {
		return
	}
	n := &s.count
	n.opens.Add(t.Opens)
	n.lent.Add(t.Lent)
	n.dropped.Add(t.Dropped)
	n.slow.Add(t.SlowClosed)
	n.acceptFailed.Add(t.AcceptFailed)
	n.starved.Add(t.Starved)
	n.sacrificed.Add(t.MemoryClosed)
	traffic := &s.loops[0].traffic
	traffic.in.text.Add(t.TextIn)
	traffic.in.binary.Add(t.BinaryIn)
	traffic.in.textBytes.Add(t.BytesIn - t.BinaryBytesIn)
	traffic.in.binaryBytes.Add(t.BinaryBytesIn)
	traffic.out.text.Add(t.TextOut)
	traffic.out.binary.Add(t.BinaryOut)
	traffic.out.textBytes.Add(t.BytesOut - t.BinaryBytesOut)
	traffic.out.binaryBytes.Add(t.BinaryBytesOut)
	traffic.inflated.Add(t.Inflated)
	traffic.deflated.Add(t.Deflated)
	for i, name := range limitNames {
		n.limited.hits[i].Add(limited[name])
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, m := range []*map[int]uint64{&n.byCode, &n.byStatus, &n.violations} {
		if *m == nil {
			*m = map[int]uint64{}
		}
		for k, v := range byKey[i] {
			(*m)[k] += v
		}
	}
}
