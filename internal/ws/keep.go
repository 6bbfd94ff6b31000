package ws

import (
	"bytes"
	"fmt"

	"github.com/nvsess/nvsess/internal/fdstore"
	"github.com/nvsess/nvsess/internal/snapshot"
)

// With Options.Store, connections outlive a crash. Copies of their descriptors
// are kept from when they open, with a record of what they are; and for each, in
// memory that outlives the process as well, whether it stands between two
// messages in both directions. Who does goes on in the next process; who does not
// cannot, for the rest of what has begun is lost.

// keepOpen keeps a connection that has just been opened.
func (l *loop) keepOpen(c *Conn) {
	if c.peer.tls != nil || c.state() != stateOpen {
		return // of TLS the process knows what nobody else does
	}
	l.keeper.Add(c.fd, c.Key(), l.record(c))
	l.handled(c, c.fd)
	l.srv.opt.Store.SetOut(c.fd, 1) // its answer has not left
}

// genBits is the part of a key that epoll carries along: no event is so late that
// it would take another connection for its own.
const genBits = 30

// Key names a connection among all of a server and of those before: later ones have
// larger keys, of 62 bits, so none comes twice.
func (c *Conn) Key() uint64 { return uint64(c.lap)<<genBits | uint64(c.gen) }

// setKey is for a new connection.
func (c *Conn) setKey(key uint64) {
	c.lap, c.gen = uint32(key>>genBits), int32(key&(1<<genBits-1))
}

// record is what a connection is, whatever it is doing.
func (l *loop) record(c *Conn) []byte {
	var b bytes.Buffer
	w := snapshot.NewWriter(&b)
	x := exporter{srv: l.srv, w: w, bare: true}
	w.Uint(StateVersion)
	x.conn(c)
	_ = w.Flush()
	return b.Bytes()
}

// handled notes that what was read has been handled, or that a part of it waits:
// for the rest of its message, or for who sends too fast to be listened to again.
// Who keeps a context for what it compresses cannot go on without ours.
func (l *loop) handled(c *Conn, fd int32) {
	if c.gone() {
		return
	}
	in := byte(0)
	if !c.in.Idle() || c.flow.wait.held() || c.codec != nil && c.codec.in != nil {
		in = 1
	}
	l.srv.opt.Store.SetIn(fd, in)
}

// noteOutLocked notes what has been written. Who has begun to end, in whatever
// way, cannot go on.
func (c *Conn) noteOutLocked(store *fdstore.Store, fd int32) {
	begun := byte(0)
	if c.out.begun > 0 || c.broken || c.state() != stateOpen {
		begun = 1
	}
	store.SetOut(fd, begun)
	store.SetQueued(fd, c.out.size-c.out.begun)
}

// letGo forgets a descriptor that is about to be closed. Its copy is around for a
// moment longer, so the peer is told here.
func (l *loop) letGo(fd int32) {
	l.poll.remove(fd)
	l.keeper.Drop(fd)
	shutdownBoth(fd)
}

// KeepAll keeps what is not open, too, and is about to be written down by Export:
// for the next process, which has the descriptors from the store. Suspend came
// before.
func (s *Server) KeepAll() {
	s.table.each(func(c *Conn) {
		if c.fd >= 0 && !c.opened && c.peer.tls == nil && c.loop.keeper != nil && c.state() != stateLent {
			c.loop.keeper.Add(c.fd, c.Key(), nil)
		}
	})
	for _, l := range s.loops {
		if l.keeper != nil {
			l.keeper.Flush(l.now)
		}
	}
}

// Crashed says what has become of the connections of a process that has crashed.
type Crashed struct {
	Imported
	Unsent uint64 // bytes that waited to be sent, and are lost
}

// ImportKept takes over what the store has kept of a process that has crashed,
// between NewServer and Start. Those that were cut in the middle of a message, or
// of which too little is known, are closed: with 1012 if a close frame can stand
// where they are.
func (s *Server) ImportKept(list []fdstore.Conn) (done Crashed, err error) {
	if err := s.makeLoops(); err != nil {
		return done, err
	}
	for _, k := range list {
		done.Unsent += uint64(k.Queued)
	}
	done.Imported = s.arrive(len(list), func(l *loop, i int, done *Imported) {
		k := &list[i]
		m := importer{srv: s, r: snapshot.NewReader(k.Data), loop: l, fd: int32(k.FD)}
		var c *Conn
		var err error = errCut
		if version := m.r.Uint(); version != StateVersion {
			err = fmt.Errorf("what is known of it is of version %d", version)
		} else if !k.In && !k.Out {
			c, err = m.conn(func(int, uint64) int { return k.FD })
		}
		if err != nil {
			done.close(err)
			l.keeper.Drop(int32(k.FD))
			tellRestart(int32(k.FD), !k.Out)
			return
		}
		done.Conns++
		if c.opened {
			done.Open++
		}
	})
	return done, nil
}

// keepAgain keeps an imported connection on, or anew.
func (l *loop) keepAgain(c *Conn) {
	if l.keeper == nil || c.peer.tls != nil {
		return
	}
	if !c.opened {
		l.keeper.Drop(c.fd)
		return
	}
	if !l.keeper.Known(c.fd, c.Key()) { // else its record is as good as a new one, which takes a while for all
		l.keeper.Add(c.fd, c.Key(), l.record(c))
	}
	l.handled(c, c.fd)
	c.noteOutLocked(l.srv.opt.Store, c.fd)
}

// passKey lets new connections have other keys than imported ones.
func (s *Server) passKey(key uint64) {
	for {
		now := s.lastKey.Load()
		if now >= key || s.lastKey.CompareAndSwap(now, key) {
			return
		}
	}
}
