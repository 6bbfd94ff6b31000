package ws

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// Admission bounds who may connect. Addresses are those that Client tells, IPv6
// ones counted by their /64. A client whose address is not known is bounded by
// Sessions only.
type Admission struct {
	Sessions              int     // in all; 0: as many as there are descriptors for
	SessionsPerAddress    int     // 0: three quarters of what there are descriptors for
	ConnectionsPerAddress int     // of TCP listeners, from accepting on; 0: the same
	HandshakesPerAddress  float64 // per second, pages asked for included; 0: no limit
	HandshakeBurst        int     // those of an address that had none for a while

	// Client tells the client's address. Without a request, when a connection
	// has been accepted and nothing read, that is the peer's, unless it is a
	// proxy. An invalid address: not known. Nil: the peer's, always. It is
	// called on event loops and others, and must not block.
	Client func(p Peer, r *Request) netip.Addr
}

// Refusals of Admission.
var (
	refuseFull        = &Response{http.StatusServiceUnavailable, "there are as many sessions as may be", "Retry-After: 5\r\n", nil}
	refuseFullMount   = &Response{http.StatusServiceUnavailable, "there are as many sessions at this path as may be", "Retry-After: 5\r\n", nil}
	refuseFullAddress = &Response{http.StatusTooManyRequests, "there are as many sessions of this address as may be", "Retry-After: 5\r\n", nil}
)

// admission is who has been admitted to a server.
type admission struct {
	table    *addresses
	sessions int // guarded by table.mu
}

// withDefaults: room is the number of connections there are descriptors for.
func (opt Admission) withDefaults(room int) Admission {
	share := max(1, room/4*3)
	if opt.SessionsPerAddress <= 0 {
		opt.SessionsPerAddress = share
	}
	if opt.ConnectionsPerAddress <= 0 {
		opt.ConnectionsPerAddress = share
	}
	if opt.Client == nil {
		opt.Client = func(p Peer, _ *Request) netip.Addr { return p.Addr.Addr() }
	}
	return opt
}

// connect counts a connection that was accepted from peer, or reports that its
// address has too many. The address is nil where none is known.
func (s *Server) connect(peer *Peer) (*address, bool) {
	if peer.Network == "unix" {
		return nil, true
	}
	adm := &s.now().Admission
	addr := adm.Client(*peer, nil)
	if !addr.IsValid() {
		return nil, true
	}
	k := keyOf(addr)
	t := s.admission.table
	t.mu.Lock()
	a := t.pointLocked(k)
	ok := a.conns < adm.ConnectionsPerAddress
	if ok {
		a.conns++
	} else {
		t.dropLocked(a, s.clock())
	}
	t.mu.Unlock()
	if !ok {
		s.refusedBy(limitConnectionsPerAddress, adm.ConnectionsPerAddress, a)
		return nil, false
	}
	return a, true
}

// disconnect takes back what connect has counted, where there was no Conn.
func (s *Server) disconnect(a *address) {
	if a == nil {
		return
	}
	t := s.admission.table
	t.mu.Lock()
	defer t.mu.Unlock()
	a.conns--
	t.dropLocked(a, s.clock())
}

// pace counts a request against its client's rate. Nil lets it pass.
func (l *loop) pace(c *Conn, r *Request) *Response {
	adm := &l.srv.now().Admission
	t := l.srv.admission.table
	var k addressKey
	if c.place == nil {
		addr := adm.Client(*c.peer, r)
		if !addr.IsValid() {
			return nil
		}
		k = keyOf(addr)
	}
	t.mu.Lock()
	if c.place == nil {
		c.place = t.pointLocked(k)
	}
	a, now := c.place, l.srv.clock() // not the loop's: all loops share the bucket
	wait := t.handshakes.wait(a.tat, now)
	if wait == 0 && t.handshakes != nil {
		a.tat = t.handshakes.take(a.tat, now)
	}
	t.mu.Unlock()
	if wait == 0 {
		return nil
	}
	l.srv.refusedBy(limitHandshakesPerAddress, int(adm.HandshakesPerAddress), a)
	seconds := int((wait + time.Second - 1) / time.Second)
	return &Response{Status: http.StatusTooManyRequests, Detail: "too many requests from this address",
		Header: "Retry-After: " + strconv.Itoa(seconds) + "\r\n"}
}

// enter gives a request that is about to be decided about a session's place.
// Nil: it has one, until leave.
func (l *loop) enter(c *Conn) *Response {
	adm, opt, a := l.srv.admission, &l.srv.now().Admission, c.place
	if !c.mount.enter() {
		l.srv.refusedBy(limitSessionsPerMount, c.mount.Limit(), a)
		return refuseFullMount
	}
	t := adm.table
	t.mu.Lock()
	full := opt.Sessions > 0 && adm.sessions >= opt.Sessions
	crowd := !full && a != nil && a.sessions >= opt.SessionsPerAddress
	if !full && !crowd {
		adm.sessions++
		if a != nil {
			a.sessions++
		}
		c.admitted = true
	}
	t.mu.Unlock()
	if full || crowd {
		c.mount.conns.Add(-1)
	}
	switch {
	case full:
		l.srv.refusedBy(limitSessions, opt.Sessions, a)
		return refuseFull
	case crowd:
		l.srv.refusedBy(limitSessionsPerAddress, opt.SessionsPerAddress, a)
		return refuseFullAddress
	}
	return nil
}

// leave gives a session's place back, if there is one: its handshake was
// refused, or its connection is gone.
func (l *loop) leave(c *Conn) {
	if !c.admitted {
		return
	}
	c.admitted = false
	c.mount.conns.Add(-1)
	adm := l.srv.admission
	adm.table.mu.Lock()
	defer adm.table.mu.Unlock()
	adm.sessions--
	if c.place != nil {
		c.place.sessions--
	}
}

// depart is a connection's end.
func (l *loop) depart(c *Conn) {
	l.leave(c)
	if c.place == nil {
		return
	}
	t := l.srv.admission.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.counted {
		c.place.conns--
	}
	t.dropLocked(c.place, l.srv.clock())
	c.place = nil
}
