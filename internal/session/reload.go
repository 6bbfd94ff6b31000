package session

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nvsess/nvsess/internal/ws"
)

// A tuning is a server's Options as they hold at the moment, and what is made of
// them. It is immutable; Reload puts another in its place.
type tuning struct {
	Options
	proxies proxies
	cfgMS   int64 // the interval in milliseconds, as the protocol says it
}

// now is the tuning that holds.
func (s *Server) now() *tuning { return s.tuned.Load() }

// tune makes a tuning of options.
func tune(opt Options) (*tuning, error) {
	opt = opt.withMounts()
	opt.MaxVerifying = cmp.Or(opt.MaxVerifying, 4096)
	opt.VerifyTimeout = cmp.Or(opt.VerifyTimeout, 5*time.Second)
	opt.Inbox = opt.Inbox.withDefaults()
	if opt.Keepalive && opt.Interval <= 0 {
		return nil, errors.New("session: keepalive needs an interval")
	}
	t := &tuning{Options: opt, cfgMS: opt.Interval.Milliseconds()}
	var err error
	if t.proxies, err = parseProxies(opt.TrustedProxies); err != nil {
		return nil, err
	}
	t.WS.Admission.Client = t.proxies.client
	return t, nil
}

func (s *Server) put(t *tuning) {
	s.tuned.Store(t)
	s.inboxes.opt.Store(&t.Inbox)
}

// Reload prepares other options for a server; see ws.Server.Reload. Log and
// WS.Loops are those of the beginning. Open sessions go on: a mount is known by
// its name, its first path, and one that is gone keeps the sessions it has, as
// they were. Its mode counts for open sessions, who may connect for new ones.
//
// Nothing changes unless commit is called, which cannot fail.
func (s *Server) Reload(opt Options) (commit func(), err error) {
	t, err := tune(opt)
	if err != nil {
		return nil, err
	}
	plan, err := s.handlers.plan(s, t)
	if err != nil {
		return nil, err
	}
	transport, err := s.ws.Reload(t.WS)
	if err != nil {
		return nil, err
	}
	return func() {
		old := s.now()
		if t.Auth == nil {
			t.Auth = old.Auth // handshakes under way may still ask for it
		}
		// Before the modes: who needs a token from now on must find what judges it.
		s.put(t)
		s.handlers.follow(plan)
		var each func(*ws.Batch, *ws.Conn)
		if old.Keepalive != t.Keepalive || old.Interval != t.Interval || old.Grace != t.Grace || old.Drop != t.Drop || old.Idle != t.Idle {
			each = receiver{s}.rearm
		}
		transport(each)
	}, nil
}

// rearm is called for each session when keepalive or the idle time is another.
func (r receiver) rearm(_ *ws.Batch, c *ws.Conn) {
	s, _ := c.Data().(*Session)
	opt := r.now()
	switch {
	case s == nil:
	case !opt.Keepalive || s.quiet.Load():
		c.SetTimer(0)
		r.watchIdle(c)
	default:
		// Not all of them at the same time. Who was never told an interval is
		// told it now.
		next := 1 + rand.N(opt.Interval/2)
		if left := c.TimerLeft(); left == 0 || left > next {
			c.SetTimer(next)
		}
	}
}
