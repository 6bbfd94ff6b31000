package ws

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"

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
// keys that they are kept under, to ours; below 0: it is not there. It is called by
// several goroutines. What cannot go on is closed with 1012. The error says that the
// state cannot be read at all; then nothing is closed, and the descriptors are the
// caller's.
func (s *Server) Import(r *snapshot.Reader, descriptor func(fd int, key uint64) int) (done Imported, err error) {
	if err := s.makeLoops(); err != nil {
		return done, err
	}
	s.passKey(r.Uint())
	shared := make([]Frame, r.Count())
	for i := range shared {
		b := r.Bytes()
		if h := kept(r, b); h != nil {
			h.take() // else the first connection that cannot go on would give it back
			defer h.release()
			shared[i] = Frame{wire: b, held: h}
			continue
		}
		shared[i] = wired(append([]byte(nil), b...))
	}
	records := make([]*snapshot.Reader, r.Count())
	for i := range records {
		records[i] = r.Record()
	}
	totals := r.Record()
	if err := r.Err(); err != nil {
		return done, err
	}
	done = s.arrive(len(records), func(l *loop, i int, done *Imported) {
		m := importer{srv: s, r: records[i], shared: shared, loop: l}
		c, err := m.conn(descriptor)
		switch {
		case err != nil:
			done.close(err)
			if m.fd >= 0 {
				if l.keeper != nil {
					l.keeper.Drop(m.fd)
				}
				tellRestart(m.fd, m.clean)
			}
		case c != nil:
			done.Conns++
			switch {
			case c.opened && c.state() == stateFailing && c.end != nil && c.end.Code == CloseServiceRestart: // see farewell
				done.close(errTLS)
			case c.opened:
				done.Open++
			}
		}
	})
	s.importTotals(totals)
	return done, totals.Err()
}

// arrive calls take for each of n connections, and the loop that it will be of, for
// several loops at once, and sums up what came of it.
func (s *Server) arrive(n int, take func(l *loop, i int, done *Imported)) (sum Imported) {
	var wg sync.WaitGroup
	parts := make([]Imported, len(s.loops))
	for k, l := range s.loops {
		wg.Go(func() {
			l.turn()
			for i := k; i < n; i += len(s.loops) {
				take(l, i, &parts[k])
			}
		})
	}
	wg.Wait()
	for _, part := range parts {
		sum.Conns += part.Conns
		sum.Open += part.Open
		sum.Closed += part.Closed
		if sum.Err == nil {
			sum.Err = part.Err
		}
	}
	return sum
}

func (m *Imported) close(why error) {
	m.Closed++
	if m.Err == nil {
		m.Err = why
	}
}

// tellRestart closes a descriptor, after a close frame with 1012 if one can
// stand there.
func tellRestart(fd int32, clean bool) {
	_ = unix.SetNonblock(int(fd), true)
	if clean {
		_, _ = send(fd, appendClose(nil, CloseServiceRestart, serviceRestart))
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
	errTLS     = errors.New("a TLS connection lives in one process only")
)

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
		if c.codec.send && !s.now().compresses {
			s.compressNow()
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
		if c.begun { // else nothing has, whatever the state says
			l.open.m[c] = begunSince(l.open.m[c], l.now-begun)
		}
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
