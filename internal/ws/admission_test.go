package ws

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fromHeader is a Client that believes a header field, as behind a proxy.
func fromHeader(p Peer, r *Request) netip.Addr {
	if r == nil || r.Get("X-Forwarded-For") == nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(string(r.Get("X-Forwarded-For")))
	return a
}

// forwarded is a handshake of a client with that address.
func forwarded(addr string) []byte {
	return []byte(strings.Replace(handshake, "Host:", "X-Forwarded-For: "+addr+"\r\nHost:", 1))
}

// arrive connects as a client with that address and returns the answer's status.
func (s *testServer) arrive(addr string) (*client, int) {
	s.t.Helper()
	c := s.dialRaw()
	c.write(forwarded(addr))
	h := c.head()
	var status int
	if _, err := fmt.Sscanf(h, "HTTP/1.1 %d ", &status); err != nil {
		s.t.Fatal(h)
	}
	if limited := status == 429 || status == 503; limited != strings.Contains(h, "\r\nRetry-After: ") {
		s.t.Errorf("%q", h)
	}
	return c, status
}

// wants connects and checks the status.
func (s *testServer) wants(addr string, want int) *client {
	s.t.Helper()
	c, status := s.arrive(addr)
	if status != want {
		s.t.Fatalf("%s gets %d, want %d", addr, status, want)
	}
	return c
}

// noSessions waits until no place is taken.
func (s *testServer) noSessions() {
	s.t.Helper()
	eventually(s.t, "all places are free", func() bool {
		s.admission.table.mu.Lock()
		defer s.admission.table.mu.Unlock()
		return s.admission.sessions == 0
	})
}

func TestSessionsAreLimited(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		s := serve(t, network, h, Options{Admission: Admission{Sessions: 3}})
		in := []*client{s.wants("1.2.3.4", 101), s.wants("1.2.3.5", 101), s.wants("1.2.3.6", 101)}
		for range 20 {
			s.wants("1.2.3.7", 503).expectBody("there are as many sessions as may be\n")
		}
		for _, c := range in {
			c.send(OpText, "unharmed")
			c.expect(OpText, "unharmed")
		}
		in[0].send(OpClose, "")
		in[0].expectClose(0)
		in[0].expectEnd()
		h.end()
		s.wants("1.2.3.7", 101)
		s.wants("1.2.3.8", 503)
		if n := s.hits(limitSessions); n != 21 || s.Totals().Refused[503] != 21 {
			t.Errorf("%d: %+v", n, s.Totals())
		}
	})
}

// expectBody reads an answer's body, and the end.
func (c *client) expectBody(want string) {
	c.t.Helper()
	if b, err := io.ReadAll(c.br); err != nil || string(b) != want {
		c.t.Fatalf("%q %v", b, err)
	}
}

func TestSessionsOfAnAddressAreLimited(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		s := serve(t, network, h, Options{Admission: Admission{SessionsPerAddress: 2, Client: fromHeader}})
		for _, group := range [][]string{
			{"192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1"},
			{"192.0.2.2", "192.0.2.2", "192.0.2.2"},
			{"2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8::2"},
			{"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1::3"},
		} {
			first := s.wants(group[0], 101)
			s.wants(group[1], 101)
			for range 5 {
				s.wants(group[2], 429)
			}
			first.send(OpText, "unharmed")
			first.expect(OpText, "unharmed")
			first.reset()
			h.end()
			s.wants(group[0], 101)
			s.wants(group[2], 429)
		}
		for range 10 { // of whom nothing is known
			s.wants("unknown", 101)
		}
		if n := s.hits(limitSessionsPerAddress); n != 24 || s.Totals().Addresses != 4 {
			t.Errorf("%d, %d addresses", n, s.Totals().Addresses)
		}
	})
}

// A place is taken while it is decided about a handshake, and given back however
// that ends.
func TestUndecidedHandshakesTakeAPlace(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		asked := make(chan *Conn, 100)
		h.check = func(c *Conn, r *Request) *Response {
			if string(r.Target) == "/never" {
				return refuseOrigin
			}
			asked <- c
			return Deferred
		}
		s := serve(t, network, h, Options{HandshakeTimeout: 10 * patience, Admission: Admission{SessionsPerAddress: 1, Client: fromHeader}})
		for _, end := range []func(*client, *Conn){
			func(_ *client, conn *Conn) { conn.Answer(refuseOrigin) },
			func(c *client, _ *Conn) { c.reset() },
			func(_ *client, conn *Conn) { onLoop(t, conn.loop, func() { conn.loop.expire(conn) }) }, // its time has passed
			func(c *client, conn *Conn) { conn.Answer(nil); c.upgraded(); c.reset() },
			func(c *client, conn *Conn) { c.reset(); conn.Answer(nil) },
		} {
			c := s.dialRaw()
			c.write(forwarded("192.0.2.1"))
			conn := receive(t, "handshake", asked)
			s.wants("192.0.2.1", 429)
			end(c, conn)
			s.noSessions()
		}
		for range 3 {
			c := s.dialRaw()
			c.write([]byte(strings.Replace(string(forwarded("192.0.2.1")), "GET /", "GET /never", 1)))
			if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 403 ") {
				t.Error(head)
			}
		}
		s.noSessions()
		if len(asked) != 0 {
			t.Error("asked about what was refused")
		}
	})
}

func TestHandshakesOfAnAddressAreLimited(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	h := newRecorder(t)
	h.plain = func(*Conn, *Request) *Response { return &Response{Status: 200, Body: []byte("page\n")} }
	s := serve(t, "unix", h, Options{Log: zap.New(core),
		Admission: Admission{HandshakesPerAddress: 0.01, HandshakeBurst: 3, Client: fromHeader}})
	for range 2 {
		s.wants("192.0.2.1", 101).reset()
	}
	page := s.dialRaw()
	page.write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"))
	if head := page.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Error(head)
	}
	c := s.wants("192.0.2.1", 429)
	c.expectBody("too many requests from this address\n")
	for range 10 {
		s.wants("192.0.2.1", 429)
		s.wants("unknown", 101)
	}
	s.wants("192.0.2.2", 101)
	if n := s.hits(limitHandshakesPerAddress); n != 11 {
		t.Errorf("counted %d", n)
	}
	if logs.Len() != 1 || logs.All()[0].ContextMap()["address"] != "192.0.2.1" {
		t.Errorf("logged %v", logs.All())
	}
}

// dialFrom connects from an address of this machine, and says nothing. Nil: the
// connection was reset at once.
func (s *testServer) dialFrom(addr string) *client {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	c, err := d.Dial("tcp", s.addr)
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return newClient(s.t, c)
}

// Of one address's silent connections no more than some are taken; they do not
// keep others from connecting, and the kernel is told to forget the rest.
func TestConnectionsOfAnAddressAreLimited(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newRecorder(t).echo()
		opt := Options{Loops: 2, HandshakeTimeout: patience, Admission: Admission{ConnectionsPerAddress: 20}}
		s := serve(t, "tcp", h, opt)
		if secure {
			s = serveTLS(t, h, opt)
			s.tls = nil // they say nothing
		}
		var silent []*client
		for range 20 {
			silent = append(silent, s.dialFrom("127.0.0.2"))
		}
		for range 30 {
			if c := s.dialFrom("127.0.0.2"); c != nil {
				if _, err := c.br.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("not reset: %v", err)
				}
			}
		}
		if n := s.hits(limitConnectionsPerAddress); n != 30 {
			t.Errorf("counted %d", n)
		}
		if secure {
			_, s.tls = certificate()
		}
		c := s.dial()
		c.send(OpText, "unharmed")
		c.expect(OpText, "unharmed")
		silent[0].reset()
		eventually(t, "one may come for the one that left", func() bool {
			before := s.hits(limitConnectionsPerAddress)
			c := s.dialFrom("127.0.0.2")
			if c == nil {
				return false
			}
			if secure { // to be taken is not to be answered yet
				_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				_, err := c.br.ReadByte()
				return errors.Is(err, os.ErrDeadlineExceeded) && s.hits(limitConnectionsPerAddress) == before
			}
			_, _ = c.Write([]byte("\r\nx"))
			line, err := c.br.ReadString('\n')
			return err == nil && strings.HasPrefix(line, "HTTP/1.1 400 ")
		})
	}
}

// A proxy's connections are its clients'.
func TestConnectionsOfAProxyAreNotCounted(t *testing.T) {
	s := serve(t, "tcp", newRecorder(t), Options{Admission: Admission{ConnectionsPerAddress: 1, SessionsPerAddress: 2, Client: fromHeader}})
	for i := range 10 {
		s.wants(fmt.Sprintf("192.0.2.%d", i/2), 101)
	}
	s.wants("192.0.2.0", 429)
}

// As many connections as HandshakeRate says are accepted in a second, over all
// loops, with TLS and without.
func TestAcceptingIsPaced(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newRecorder(t)
		opt := Options{Loops: 2, HandshakeRate: 100}
		s := &testServer{}
		if secure {
			s = serveTLS(t, h, opt)
		} else {
			s = serve(t, "tcp", h, opt)
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				c := s.dialRaw()
				_, _ = c.Write([]byte(handshake))
				if line, err := c.br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 101 ") {
					t.Errorf("%q %v", line, err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took < 400*time.Millisecond { // ten at once, and one too many by each loop
			t.Errorf("60 came in within %s", took)
		}
	}
}

// The table holds what has a connection, and no more others than it may, which
// vanish when there is nothing to remember of them.
func TestAddressTableIsBounded(t *testing.T) {
	now := time.Hour
	table := newAddresses(newBucket(1, 10))
	held := table.pointLocked(keyOf(netip.MustParseAddr("192.0.2.1")))
	for i := range 5 * maxIdleAddresses {
		var b [16]byte
		b[0], b[1], b[2], b[3] = 0x20, byte(i>>16), byte(i>>8), byte(i)
		a := table.pointLocked(keyOf(netip.AddrFrom16(b)))
		a.tat = table.handshakes.take(a.tat, now)
		table.dropLocked(a, now)
	}
	if len(table.m) != maxIdleAddresses+1 || table.n != maxIdleAddresses {
		t.Errorf("%d addresses, %d idle", len(table.m), table.n)
	}
	table.dropLocked(held, now+time.Second)
	if len(table.m) != 0 || table.n != 0 || table.idle.next != &table.idle || table.idle.prev != &table.idle {
		t.Errorf("%d addresses, %d idle", len(table.m), table.n)
	}
}

// However addresses come and go, the table says what a simple one says.
func TestAddressTableModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	table := newAddresses(newBucket(2, 2))
	keys := make([]addressKey, 20)
	for i := range keys {
		keys[i] = keyOf(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	var now time.Duration
	refs, tats := map[addressKey][]*address{}, map[addressKey]time.Duration{}
	for range 20_000 {
		now += time.Duration(rnd.IntN(50)) * time.Millisecond
		k := keys[rnd.IntN(len(keys))]
		switch {
		case rnd.IntN(2) == 0:
			a := table.pointLocked(k)
			if a.tat != tats[k] && tats[k] > now {
				t.Fatalf("%s has forgotten %s of its handshakes", k, tats[k]-now)
			}
			if table.handshakes.wait(a.tat, now) == 0 {
				a.tat = table.handshakes.take(a.tat, now)
			}
			tats[k] = a.tat
			refs[k] = append(refs[k], a)
		case len(refs[k]) > 0:
			a := refs[k][0]
			refs[k] = refs[k][1:]
			table.dropLocked(a, now)
		}
		busy := 0
		for k, list := range refs {
			if len(list) > 0 {
				busy++
				if a := table.m[k]; a == nil || a.refs != len(list) || a != list[0] {
					t.Fatalf("%s: %+v, want %d", k, a, len(list))
				}
			}
		}
		if len(table.m) != busy+table.n {
			t.Fatalf("%d addresses, %d busy and %d idle", len(table.m), busy, table.n)
		}
	}
}

// Many at once, from everywhere: no more get in than may, all who left are
// forgotten (harness), and those inside talk.
func TestAdmissionUnderAFlood(t *testing.T) {
	h := newRecorder(t).echo()
	const most, perAddress = 60, 10
	s := serve(t, "unix", h, Options{Loops: 2, Admission: Admission{Sessions: most, SessionsPerAddress: perAddress, Client: fromHeader}})
	steady := s.wants("198.51.100.1", 101)
	var wg sync.WaitGroup
	var in, refused atomic.Int64
	for w := range 8 {
		wg.Go(func() {
			for i := range 60 {
				c := s.dialRaw()
				_, _ = c.Write(forwarded(fmt.Sprintf("192.0.2.%d", (w+i)%9)))
				line, err := c.br.ReadString('\n')
				switch {
				case err != nil:
					t.Error(err)
				case strings.HasPrefix(line, "HTTP/1.1 101 "):
					in.Add(1)
				case strings.HasPrefix(line, "HTTP/1.1 429 "), strings.HasPrefix(line, "HTTP/1.1 503 "):
					refused.Add(1)
				default:
					t.Error(line)
				}
				if i%3 > 0 {
					c.reset()
				}
			}
		})
	}
	for range 50 {
		steady.send(OpText, "unharmed")
		steady.expect(OpText, "unharmed")
		s.admission.table.mu.Lock()
		if n := s.admission.sessions; n > most {
			t.Errorf("%d sessions", n)
		}
		for k, a := range s.admission.table.m {
			if a.sessions > perAddress {
				t.Errorf("%d sessions of %s", a.sessions, k)
			}
		}
		s.admission.table.mu.Unlock()
	}
	wg.Wait()
	if in.Load() == 0 || refused.Load() == 0 || in.Load()+refused.Load() != 480 {
		t.Errorf("%d came in, %d were refused", in.Load(), refused.Load())
	}
}
