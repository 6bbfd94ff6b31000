package ws

import (
	"cmp"
	"errors"
	"sync"
	"time"
)

// A tuning is the part of a server's Options that holds at the moment, and what
// is made of it. It is immutable; Reload puts another in its place. Whoever needs
// several of its fields to fit together loads it once.
type tuning struct {
	Options
	mounts     mounts
	compresses bool // some mount does, or did: connections that have agreed on it may be left
}

// now is the tuning that holds.
func (s *Server) now() *tuning { return s.tuned.Load() }

// tune makes a tuning of options. Nothing is changed by it.
func (s *Server) tune(opt Options) (*tuning, error) {
	opt.HandshakeTimeout = cmp.Or(opt.HandshakeTimeout, 10*time.Second)
	opt.IdleTimeout = cmp.Or(opt.IdleTimeout, time.Minute)
	opt.StallTimeout = cmp.Or(opt.StallTimeout, 30*time.Second)
	opt.CloseTimeout = cmp.Or(opt.CloseTimeout, 5*time.Second)
	opt.MaxHeadBytes = cmp.Or(opt.MaxHeadBytes, 16<<10)
	opt.MaxFields = cmp.Or(opt.MaxFields, 100)
	if opt.QueueBytes <= 0 || opt.QueueBytes > maxQueue {
		opt.QueueBytes = maxQueue
	}
	if len(opt.Mounts) == 0 {
		opt.Mounts = []*Mount{{}}
	}
	opt.Admission = opt.Admission.withDefaults(s.fdLimit - s.fdReserve)
	t := &tuning{Options: opt}
	var err error
	if t.mounts, err = newMounts(opt.Mounts); err != nil {
		return nil, err
	}
	for _, m := range opt.Mounts {
		if err := m.check(opt.Slow); err != nil {
			return nil, err
		}
		t.compresses = t.compresses || m.Compression.Mode == CompressionOn
	}
	return t, nil
}

// put makes a tuning hold.
func (t *tuning) put(s *Server) {
	for _, m := range t.Mounts {
		m.latest.Store(m)
		if m.Renews != nil {
			m.Renews.latest.Store(m)
		}
	}
	s.tuned.Store(t)
}

// compressNow has messages compressed for those who have agreed on it, though no
// mount would agree any more.
func (s *Server) compressNow() {
	for {
		now := s.now()
		t := *now
		t.compresses = true
		if s.tuned.CompareAndSwap(now, &t) {
			return
		}
	}
}

// handshakes is the bucket of an address's handshakes, accepting that of all
// connections.
func (t *tuning) handshakes() *bucket {
	return newBucket(t.Admission.HandshakesPerAddress, t.Admission.HandshakeBurst)
}

func (t *tuning) accepting() *bucket { return newBucket(t.HandshakeRate, int(t.HandshakeRate/10)) }

// slowPolicy is that for a connection. From before a reload there may be one that
// keeps its compression context, of which nothing may be dropped that is queued.
func (t *tuning) slowPolicy(c *Conn) SlowPolicy {
	if t.Slow == SlowDropOldest && c.codec != nil && c.codec.out != nil {
		return SlowDropNewest
	}
	return t.Slow
}

// Reload prepares other options for a server, running or not. Handler, Log, Loops,
// Borrower and Store are those of the beginning. Nothing changes, and an error is all
// there is, unless commit is called, which cannot fail; of two Reloads the second
// must not begin before the first is committed or given up.
//
// A mount that Renews another leaves that one in place: open connections come
// under its Limits and Rates with their next message. What was agreed on in a
// handshake stays, and so do the connections of mounts that are gone.
//
// commit calls each, which may be nil, for every open connection on its loop, as
// the handler's methods are called. When it returns, no loop is at work with the
// options from before.
func (s *Server) Reload(opt Options) (commit func(each func(b *Batch, c *Conn)), err error) {
	opt.Handler, opt.Log, opt.Loops, opt.Borrower, opt.Store = s.opt.Handler, s.opt.Log, s.opt.Loops, s.opt.Borrower, s.opt.Store
	for _, m := range opt.Mounts {
		if m.latest.Load() != nil || m.Renews != nil && m.Renews.now() == nil {
			return nil, errors.New("ws: a mount is used twice, or renews one that no server has")
		}
	}
	t, err := s.tune(opt)
	if err != nil {
		return nil, err
	}
	return func(each func(*Batch, *Conn)) {
		old := s.now()
		t.compresses = t.compresses || old.compresses
		t.put(s)
		if o, n := &old.Admission, &t.Admission; o.HandshakesPerAddress != n.HandshakesPerAddress || o.HandshakeBurst != n.HandshakeBurst {
			s.admission.table.repace(t.handshakes(), s.clock())
		}
		if old.HandshakeRate != t.HandshakeRate {
			s.pace.reset(t.accepting())
		}
		var done sync.WaitGroup
		for _, l := range s.loops {
			done.Add(1)
			if !l.post(func() { l.retune(each); done.Done() }) {
				done.Done()
			}
		}
		done.Wait()
	}, nil
}

// retune brings what a loop remembers of its connections in line with other
// options.
func (l *loop) retune(each func(*Batch, *Conn)) {
	l.srv.table.each(func(c *Conn) {
		if c.loop != l || c.gone() {
			return
		}
		st := c.state()
		if st != stateOpen && st != stateClosing {
			return
		}
		f := &c.flow
		if p := c.mount.now().pace; p == nil {
			f.messages, f.bytes = 0, 0
		} else {
			f.messages, f.bytes = p.messages.clamp(f.messages, l.now), p.bytes.clamp(f.bytes, l.now)
		}
		l.hurry(c) // it is held again if need be
		if !c.in.Idle() {
			l.note(c)
		}
		if each != nil && st == stateOpen {
			each(&l.batch, c)
		}
	})
	u := &l.open
	if l.srv.now().MessageTimeout <= 0 {
		for c := range u.m {
			l.settled(c)
		}
	}
	u.look = min(u.look, l.now+l.sweepGap())
}

// repace gives all addresses another bucket.
func (t *addresses) repace(b *bucket, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handshakes = b
	for _, a := range t.m {
		a.tat = b.clamp(a.tat, now)
	}
	t.trimLocked(now)
}
