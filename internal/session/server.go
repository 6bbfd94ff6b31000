package session

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// Options configures a [Server].
type Options struct {
	WS  ws.Options // Handler is set by NewServer
	Log *zap.Logger

	// DebugLog takes what a session is debugged with, whatever Log's level; nil: Log.
	DebugLog *zap.Logger

	// Mounts are the paths of sessions; none: WS.Mounts, all with Mode. The first
	// is the top level's.
	Mounts []Mount
	Mode   string // handlers, forward or echo: the handlers to begin with

	Keepalive      bool
	Interval       time.Duration // of silence until a session is asked a last time
	Drop           bool          // close sessions that stay silent
	Grace          time.Duration // after the last ping; at most Interval counts
	NativePings    bool          // ping frames in place of ping envelopes
	AskTimeout     time.Duration // for requests that name no deadline
	MaxPending     int           // requests per session; 0: no limit
	TrustedProxies []string      // "unix", addresses or prefixes
	Inbox          InboxOptions  // of messages for backends
	VerifyTimeout  time.Duration // for verifiers; 0: 5 s
	MaxVerifying   int           // handshakes that are being decided about; 0: 4096
	Idle           time.Duration // of silence after which a session is closed, keepalive or not; 0: no limit
	Auth           Authenticator // nil: every mount's AuthMode is AuthOff
	AuthMode       AuthMode      // as Mode: where there are no Mounts

	HealthPath string // answers whether sessions are taken; empty: none
	Routes     Router // of other paths; nil: none

	// Pages answers requests that ask for no upgrade, by their path.
	Pages map[string]*ws.Response
}

// A Server keeps the sessions. All its methods are safe for concurrent use.
type Server struct {
	tuned      atomic.Pointer[tuning] // see now
	log        *zap.Logger
	ws         *ws.Server
	started    time.Time
	registry   *registry
	handlers   handlers
	watchers   watchers
	inboxes    inboxes
	verify     verifiers
	plain      atomic.Pointer[PlainHandler]
	since      time.Time // when the first of the processes began that have handed the sessions on
	claims     claims
	configured [numKinds]string // the handlers to begin with
	onChange   atomic.Pointer[func()]
	toDrain    *DrainState // of the process before, until Start
	arriving   *arriving   // while sessions are imported

	requests  requests
	debugged  debugged
	tops      tops
	wrongWay  atomic.Uint64 // envelopes of a type only we may send
	unknownID atomic.Uint64 // answers to nothing
	timedOut  atomic.Uint64 // sessions closed for silence
	limited   limited
	drain     *drain

	unauthenticated authCounts
	slowAuth        authQueue
}

// NewServer prepares a server; Start runs it.
func NewServer(opt Options) (*Server, error) {
	s := &Server{log: opt.Log, started: time.Now(), since: time.Now(), registry: newRegistry()}
	s.drain = newDrain(s)
	if s.log == nil {
		s.log = zap.NewNop()
	}
	t, err := tune(opt)
	if err != nil {
		return nil, err
	}
	next, err := s.handlers.plan(s, t)
	if err != nil {
		return nil, err
	}
	t.WS.Handler, t.WS.Log, t.WS.Borrower = receiver{s}, s.log, borrow
	if s.ws, err = ws.NewServer(t.WS); err != nil {
		return nil, err
	}
	s.put(t)
	s.handlers.follow(next)
	return s, nil
}

// Start serves the listeners.
func (s *Server) Start(listeners []*ws.Listener) error {
	s.noteConfigured()
	s.drainAgain()
	return s.ws.Start(listeners)
}

// Drain stops accepting sessions. Listeners that are not served WhileDraining may
// be closed when it returns; see ws.Server.Drain.
func (s *Server) Drain() { s.ws.Drain() }

// Shutdown stops accepting sessions, closes every session with code and reason, and
// waits until they are gone or ctx is done; see ws.Server.Shutdown.
func (s *Server) Shutdown(ctx context.Context, code int, reason string) error {
	s.Drain()
	s.drain.end()
	for _, x := range s.Sessions() {
		_ = x.Close(code, reason) // also tells who waits for an answer
	}
	err := s.ws.Shutdown(ctx, code, reason)
	s.slowAuth.end()
	return err
}

// Healthy is for a watchdog; see ws.Server.Healthy.
func (s *Server) Healthy() bool { return s.ws.Healthy() }

// RestartSessions closes every session with 1012 and goes on listening: what
// nv-session-simple's srv.restart() does to its clients, without the gap.
func (s *Server) RestartSessions(ctx context.Context) (int, error) {
	return s.CloseSessions(ctx, ws.CloseServiceRestart, "service restart")
}

// CloseSessions closes every session. It waits until those that were connected
// are gone, or ctx is done, and returns how many there were.
func (s *Server) CloseSessions(ctx context.Context, code int, reason string) (int, error) {
	all := s.Sessions()
	for _, x := range all {
		_ = x.Close(code, reason)
	}
	for _, x := range all {
		select {
		case <-x.closed():
		case <-ctx.Done():
			return len(all), ctx.Err()
		}
	}
	return len(all), nil
}

// SetClosed makes the server refuse new sessions with 503, or take them again.
func (s *Server) SetClosed(closed bool) {
	s.ws.SetClosed(closed)
	s.changed()
}

// Listen serves one more listener until the server ends.
func (s *Server) Listen(ln *ws.Listener) error { return s.ws.Listen(ln) }

// Unlisten ends the serving of a listener; see ws.Server.Unlisten.
func (s *Server) Unlisten(fd int) { s.ws.Unlisten(fd) }

// DefaultAskTimeout is the deadline of requests that name none.
func (s *Server) DefaultAskTimeout() time.Duration { return s.now().AskTimeout }

// receiver is the Server as the connections see it.
type receiver struct{ *Server }

// Open enters a session into the registry.
func (r receiver) Open(b *ws.Batch, c *ws.Conn, req *ws.Request) {
	s := &Session{
		conn: c, mount: c.Mount().Data.(*mount), head: string(req.Head), identity: identityOf(c),
		openedAt: time.Now().UnixNano(), opened: time.Since(r.started),
	}
	c.SetData(s)
	r.registry.add(s)
	if r.now().Keepalive {
		c.SetTimer(greetDelay)
	} else {
		r.watchIdle(c)
	}
	r.handlers.call(r.Server, s, KindOpen, nil)
	if r.watchers.any() {
		r.watchers.publish(s, Event{Type: EventOpen})
	}
	if ce := r.log.Check(zap.DebugLevel, "session opened"); ce != nil {
		ce.Write(zap.String("session", s.ID()), zap.String("remote", s.RemoteAddr()))
	}
}

// Close takes a session out of the registry.
func (r receiver) Close(b *ws.Batch, c *ws.Conn, info ws.CloseInfo) {
	s, _ := c.Data().(*Session)
	if s == nil {
		return
	}
	s.finish()
	defer s.told()
	r.debugClose(s, info)
	r.drain.gone(s, info)
	r.handlers.closed(r.Server, s, info)
	if s.inbox != nil {
		s.inbox.end(s)
	}
	if r.watchers.any() {
		r.watchers.publish(s, Event{Type: EventClose, Code: info.Code, Reason: info.Reason})
	}
	if ce := r.log.Check(zap.DebugLevel, "session closed"); ce != nil {
		ce.Write(zap.String("session", s.ID()), zap.Int("code", info.Code), zap.String("reason", printable(info.Reason)),
			zap.Bool("remote", info.Remote), zap.Bool("clean", info.Clean), zap.Error(info.Err))
	}
}

// proxies is whose word about the client's address is taken.
type proxies struct {
	unix     bool
	prefixes []netip.Prefix
}

func parseProxies(list []string) (p proxies, err error) {
	for _, s := range list {
		if s == "unix" {
			p.unix = true
			continue
		}
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			addr, err2 := netip.ParseAddr(s)
			if err2 != nil {
				return p, err
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		p.prefixes = append(p.prefixes, prefix.Masked())
	}
	return p, nil
}

// trustsPeer reports whether a socket's peer is one of them.
func (p *proxies) trustsPeer(peer ws.Peer) bool {
	if peer.Network == "unix" {
		return p.unix
	}
	return p.trusts(peer.Addr.Addr())
}

func (p *proxies) trusts(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, x := range p.prefixes {
		if x.Contains(addr) {
			return true
		}
	}
	return false
}
