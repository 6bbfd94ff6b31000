package ws

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"

	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/snapshot"
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
	c := &Conn{loop: l, fd: x.fd}
	c.setKey(key)
	x.srv.passKey(c.Key())
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

// Ended makes a connection that has ended in the process before, for whoever has still
// something to do with it. It comes before Import.
func (s *Server) Ended(peer Peer, protocol string) (*Conn, error) {
	if err := s.makeLoops(); err != nil {
		return nil, err
	}
	c := &Conn{loop: s.loops[0], peer: &peer, fd: -1}
	if protocol != "" {
		c.protocol = &protocol
	}
	c.lastRead.Store(1)
	c.setStateLocked(stateClosed)
	return c, nil
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
			if h := kept(r, b); h != nil {
				h.take()
				o.add(segment{b: b, held: h})
				continue
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

// kept is for a string that is sent from where it was read; nil: it is to be copied.
func kept(r *snapshot.Reader, b []byte) *holding {
	if release := r.Keep(b); release != nil {
		return &holding{size: len(b), gone: release}
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
