package ws

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/deflate"
)

// reload puts other options in effect.
func (s *testServer) reload(opt Options) {
	s.t.Helper()
	commit, err := s.Reload(opt)
	if err != nil {
		s.t.Fatal(err)
	}
	commit(nil)
}

// renewed is options whose only mount takes the place of a server's.
func (s *testServer) renewed(opt Options) Options {
	opt.Mounts[0].Renews = s.opt.Mounts[0]
	return opt
}

// A session that is held by one rate goes on by another, and what it owed the old
// bucket it does not owe the new one.
func TestReloadOfRates(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t).echo(), rated(Rates{Messages: 1, MessageBurst: 100, Bytes: 1 << 10, ByteBurst: 1 << 20}))
		c := s.dial()
		go func() { _, _ = c.Write(flood(150)) }() // the last of them have to wait until 50 s are over
		for i := range 100 {
			c.expect(OpText, nth(i))
		}
		eventually(t, "it is held", func() bool { return s.hits(limitDelayed) > 0 })
		s.reload(s.renewed(rated(Rates{Messages: 1000, MessageBurst: 1, Bytes: 1 << 20, ByteBurst: 1 << 16})))
		for i := range 50 {
			c.expect(OpText, nth(100+i))
		}
		s.reload(s.renewed(rated(Rates{Messages: 1, MessageBurst: 1, Policy: RateClose})))
		go func() { _, _ = c.Write(flood(10)) }()
		for {
			op, _, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if op == OpClose {
				break
			}
		}
		if s.hits(limitRate) != 1 {
			t.Errorf("%v", s.Totals().Limited)
		}
	})
}

// A mount that is not there any more keeps its connections, with their limits, and
// gets no new ones; one that comes is served, and each is called for who is open.
func TestReloadOfMounts(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		top := func() *Mount { return &Mount{Paths: []string{"/"}, Limits: Limits{Message: 1 << 20}} }
		old := &Mount{Paths: []string{"/old"}, Limits: Limits{Message: 10}}
		s := serve(t, network, newRecorder(t).echo(), Options{Loops: 2, Mounts: []*Mount{top(), old}})
		at := func(path string) *client {
			c := s.dialRaw()
			c.write([]byte("GET " + path + handshake[len("GET /"):]))
			return c
		}
		a := at("/old")
		a.upgraded()
		next := &Mount{Paths: []string{"/new"}, Limits: Limits{Message: 1 << 20}}
		commit, err := s.Reload(Options{Mounts: []*Mount{top(), next}})
		if err != nil {
			t.Fatal(err)
		}
		called := make(chan *Conn, 10)
		commit(func(_ *Batch, c *Conn) { called <- c })
		if len(called) != 1 || (<-called).Mount() != old {
			t.Error("each is not called for the one connection")
		}
		a.send(OpText, "0123456789")
		a.expect(OpText, "0123456789")
		n := at("/new")
		n.upgraded()
		if head := at("/old").head(); head[:len("HTTP/1.1 404")] != "HTTP/1.1 404" {
			t.Error(head)
		}
		if old.Conns() != 1 || next.Conns() != 1 {
			t.Errorf("%d and %d connections", old.Conns(), next.Conns())
		}
		back := &Mount{Paths: []string{"/old"}, Limits: Limits{Message: 20}, Renews: old, MaxConns: 1}
		s.reload(Options{Mounts: []*Mount{top(), back}})
		a.send(OpText, "0123456789abcdef")
		a.expect(OpText, "0123456789abcdef")
		if head := at("/old").head(); head[:len("HTTP/1.1 503")] != "HTTP/1.1 503" {
			t.Error(head)
		}
		a.send(OpText, "0123456789abcdef01234")
		a.expectClose(CloseTooBig)
	})
}

// Options that cannot be are refused, and nothing has changed.
func TestReloadIsRefused(t *testing.T) {
	s := serve(t, "unix", newRecorder(t).echo(), rated(Rates{}))
	was := s.now()
	for what, opt := range map[string]Options{
		"an origin that is none":                   {Mounts: []*Mount{{Origins: []string{"x"}}}},
		"a mount that is there already":            {Mounts: []*Mount{s.opt.Mounts[0]}},
		"a mount that renews one of no server":     {Mounts: []*Mount{{Renews: new(Mount)}}},
		"a kept context with messages left out":    {Slow: SlowDropOldest, Mounts: []*Mount{{Compression: Compression{Mode: CompressionOn, Deflate: deflate.Options{ServerContextTakeover: true}}}}},
		"an origin that is none, in a later mount": {Mounts: []*Mount{{}, {Paths: []string{"/"}, Origins: []string{"https://*"}}}},
	} {
		if _, err := s.Reload(opt); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	if _, err := s.Reload(rated(Rates{Messages: 1})); err != nil || s.now() != was || s.opt.Mounts[0].now().pace != nil {
		t.Errorf("what is not committed has changed something (%v)", err)
	}
}

// After the end a commit has no loop to wait for.
func TestReloadAfterTheEnd(t *testing.T) {
	opt := rated(Rates{})
	opt.Handler = plainHandler{}
	s, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(nil); err != nil {
		t.Fatal(err)
	}
	commit, err := s.Reload(rated(Rates{Messages: 1}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), deadline())
	defer cancel()
	if err := s.Shutdown(ctx, CloseGoingAway, ""); err != nil {
		t.Fatal(err)
	}
	commit(nil)
}

// What a peer's window has to see is not dropped from the queue, whatever the
// policy has become.
func TestReloadKeepsContexts(t *testing.T) {
	tn := &tuning{Options: Options{Slow: SlowDropOldest}}
	for _, x := range []struct {
		codec *codec
		want  SlowPolicy
	}{{nil, SlowDropOldest}, {&codec{}, SlowDropOldest}, {&codec{out: new(deflate.Window)}, SlowDropNewest}} {
		if got := tn.slowPolicy(&Conn{codec: x.codec}); got != x.want {
			t.Errorf("%+v: %d, want %d", x.codec, got, x.want)
		}
	}
}

// An address that had used up a large bucket waits no longer than another bucket
// wants.
func TestReloadOfHandshakesPerAddress(t *testing.T) {
	table := newAddresses(newBucket(1, 3600))
	k := keyOf(netip.MustParseAddr("192.0.2.1"))
	a := table.pointLocked(k)
	for range 3600 {
		a.tat = table.handshakes.take(a.tat, 0)
	}
	table.repace(newBucket(2, 4), time.Second)
	if wait := table.handshakes.wait(a.tat, time.Second); wait != time.Second/2 {
		t.Errorf("it waits for %s", wait)
	}
	table.dropLocked(a, time.Second)
	if table.repace(nil, time.Second); len(table.m) != 0 || table.n != 0 {
		t.Errorf("%d addresses are kept in mind without a limit", len(table.m))
	}
}
