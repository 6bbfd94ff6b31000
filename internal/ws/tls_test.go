package ws

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/snapshot"
)

// certificate makes a self-signed one, and what trusts it.
var certificate = sync.OnceValues(func() (server, clients *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "example.com"}
})

func serveTLS(t *testing.T, h *recorder, opt Options) *testServer {
	t.Helper()
	server, clients := certificate()
	return serveOn(t, "tcp", h, opt, server, clients)
}

func TestTLSEcho(t *testing.T) {
	h := newRecorder(t).echo()
	open := h.capture()
	s := serveTLS(t, h, Options{Loops: 2})
	for range 4 {
		c := s.dial()
		conn := receive(t, "connection", open)
		if p := conn.Peer(); p.Network != "tcp" || p.Addr.String() != c.LocalAddr().String() {
			t.Fatalf("peer %+v, want %v", p, c.LocalAddr())
		}
		big := strings.Repeat("x", 1<<20)
		go func() { _, _ = c.Write(binmsg(big)) }()
		c.expect(OpBinary, big)
		c.send(OpClose, closeBody(1000, ""))
		c.expectClose(1000)
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})
	}
	c := s.dial()
	c.write([]byte{0xff, 0xff})
	c.expectClose(CloseProtocolError)
	c.expectEnd()
	c.Close()
	if i := h.end(); i.Code != CloseProtocolError {
		t.Fatalf("%+v", i)
	}
	c = s.dial()
	conn := c.Conn.(*tls.Conn).NetConn()
	conn.Close() // without a word of TLS
	wantEnd(t, h, CloseInfo{Code: CloseAbnormal})
}

func TestTLSShutdown(t *testing.T) {
	h := newRecorder(t).echo()
	s := serveTLS(t, h, Options{})
	c := s.dial()
	var wg sync.WaitGroup
	wg.Go(s.shutdown)
	c.expectClose(CloseGoingAway)
	c.send(OpClose, closeBody(CloseGoingAway, ""))
	c.expectEnd()
	c.Close()
	wg.Wait()
}

// Peers that do not answer, do not read or have not finished their TLS
// handshake do not hold Shutdown beyond its deadline.
func TestTLSShutdownCuts(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serveTLS(t, h, Options{CloseTimeout: time.Hour, HandshakeTimeout: time.Hour, QueueBytes: 1 << 20})
	mute, deaf := s.dial(), s.dial()
	receive(t, "connection", open)
	conn := receive(t, "connection", open)
	for r := Sent; r != Slow; {
		r = conn.Send(OpBinary, make([]byte, 100_000))
	}
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	s.down = true
	begin := time.Now()
	if err := s.Shutdown(ctx, CloseGoingAway, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Fatal("took", d)
	}
	s.gone()
	mute.expectClose(CloseGoingAway)
	deaf.Close()
}

// A peer that stops reading is given up after CloseTimeout, like any other:
// nothing waits for it for ever.
func TestTLSDeafPeer(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serveTLS(t, h, Options{CloseTimeout: 50 * time.Millisecond, QueueBytes: 1 << 20})
	c := s.dial()
	conn := receive(t, "connection", open)
	for r := Sent; r != Slow; {
		r = conn.Send(OpBinary, make([]byte, 100_000))
	}
	if i := h.end(); i.Code != CloseTryAgainLater {
		t.Fatalf("%+v", i)
	}
	t0 := s.tls0()
	eventually(t, "its goroutines ended", func() bool {
		t0.mu.Lock()
		defer t0.mu.Unlock()
		return len(t0.conns) == 0
	})
	c.Close()
}

func (s *testServer) tls0() *tlsListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.tls[0]
}

// A peer that does not finish its TLS handshake, or speaks plain HTTP, is gone
// in time, and never was a connection.
func TestTLSHandshakes(t *testing.T) {
	h := newRecorder(t)
	s := serveTLS(t, h, Options{HandshakeTimeout: 100 * time.Millisecond})
	for _, first := range []string{"", "\x16\x03\x01", handshake} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(deadline())
		_, _ = io.WriteString(c, first)
		if b, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) || strings.Contains(string(b), "101") {
			t.Fatalf("%q: %q %v", first, b, err)
		}
		c.Close()
	}
	if s.Totals().Opens != 0 {
		t.Fatal("opened")
	}
	slow := s.dialRaw() // TLS is done, the request never comes
	if err := slow.Conn.(*tls.Conn).Handshake(); err != nil {
		t.Fatal(err)
	}
	slow.refused(408)
}

// A process that is to be replaced costs TLS connections nothing until the last
// moment. Told then, their peers hear of it while everything stands still, and if
// the process goes on after all they end as others do.
func TestTLSSuspend(t *testing.T) {
	h := newRecorder(t).echo()
	s := serveTLS(t, h, Options{Loops: 2})
	c := s.dial()
	suspend := func() {
		t.Helper()
		export(s)
	}
	for range 2 {
		suspend()
		c.send(OpText, "waits")
		s.Resume()
		c.expect(OpText, "waits")
		other := s.dial()
		other.send(OpText, "accepted again")
		other.expect(OpText, "accepted again")
		other.Close()
		h.end()
	}
	suspend()
	s.TellTLS()
	c.expectClose(CloseServiceRestart)
	c.send(OpClose, closeBody(CloseServiceRestart, ""))
	s.Resume()
	c.expectEnd()
	wantEnd(t, h, CloseInfo{Code: CloseServiceRestart, Reason: serviceRestart, Clean: true})
}

// The next process ends the sessions of TLS connections, and lets their peers finish
// what they are saying.
func TestTLSHandOver(t *testing.T) {
	h := newRecorder(t).echo()
	s := serveTLS(t, h, Options{Loops: 2})
	c := s.dial()
	b := export(s)
	h2 := newRecorder(t)
	next, err := NewServer(Options{Handler: h2, Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	done, err := next.Import(snapshot.NewReader(b), func(fd int, _ uint64) int {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return dup
	})
	if err != nil || done.Conns != 1 || done.Open != 0 || done.Closed != 1 || done.Err != errTLS {
		t.Errorf("%+v, %v", done, err)
	}
	s.TellTLS()
	c.expectClose(CloseServiceRestart)
	if err := next.Start(nil); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, h2, CloseInfo{Code: CloseServiceRestart, Reason: serviceRestart})
	c.send(OpText, strings.Repeat("and another thing", 1000))
	c.Close()
	eventually(t, "it is gone", func() bool { return next.Conns() == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := next.Shutdown(ctx, CloseGoingAway, ""); err != nil {
		t.Error(err)
	}
	s.Resume()
	h.end()
}

// endless accepts nobody. Its Close returns when who waits in Accept has drawn
// conclusions: it has ended, or tries again.
type endless struct{ tries, closed, ended chan struct{} }

func (a endless) Accept() (net.Conn, error) {
	select {
	case a.tries <- struct{}{}:
	case <-a.ended:
	}
	<-a.closed
	return nil, net.ErrClosed
}

func (a endless) Close() error {
	close(a.closed)
	select {
	case <-a.tries:
	case <-a.ended:
	}
	return nil
}

func (endless) Addr() net.Addr              { return &net.TCPAddr{} }
func (endless) SetDeadline(time.Time) error { return nil }

// That a listener ends is no failure, of which an operator would be told.
func TestEndOfTLSListenerIsNoFailure(t *testing.T) {
	s, err := NewServer(Options{Handler: newRecorder(t)})
	if err != nil {
		t.Fatal(err)
	}
	ln := endless{tries: make(chan struct{}, 1), closed: make(chan struct{}), ended: make(chan struct{})}
	l := &tlsListener{srv: s, ln: ln, conns: map[net.Conn]bool{}}
	l.ctx, l.end = context.WithCancel(t.Context())
	go func() { defer close(ln.ended); l.run() }()
	<-ln.tries
	l.stop()
	<-ln.ended
	if n := s.Totals().AcceptFailed; n != 0 {
		t.Errorf("%d failures", n)
	}
}
