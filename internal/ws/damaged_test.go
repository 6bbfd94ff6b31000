package ws

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/snapshot"
)

// exported writes down what a suspended, held server has.
func exported(t *testing.T, s *testServer) []byte {
	t.Helper()
	var b bytes.Buffer
	w := snapshot.NewWriter(&b)
	s.Export(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What no process writes down is refused: a loop that went on with it would panic at
// the peer's next byte.
func TestImportRefusesDamagedConnections(t *testing.T) {
	h := newRecorder(t)
	conns := h.capture()
	s := serve(t, "unix", h, Options{Loops: 1})
	c := s.dial()
	conn := receive(t, "it opens", conns)
	conn.SetData("one")
	c.write(append(clientFrame(true, OpPing, nil), clientFrame(false, OpText, []byte("half"))...))
	c.expect(OpPong, "")
	eventually(t, "half a message has come", func() bool {
		half := make(chan bool)
		conn.loop.post(func() { half <- conn.in.Size() == 4 })
		return <-half
	})
	if err := s.Suspend(); err != nil {
		t.Fatal(err)
	}
	s.Hold()
	good := *conn.in.p
	for what, damage := range map[string]func(p *partial){
		"nothing":                       func(*partial) {},
		"open, and nobody was told":     func(*partial) { conn.opened = false },
		"checked before its beginning":  func(p *partial) { p.checked = -1 },
		"more header than there is":     func(p *partial) { p.nhead, p.head[1] = 13, 0x80 },
		"a header within a frame":       func(p *partial) { p.inFrame, p.nhead = true, 1 },
		"compressed without compressor": func(p *partial) { p.deflated = true },
	} {
		damage(conn.in.p)
		b := exported(t, s)
		*conn.in.p, conn.opened = good, true
		done := importOnly(t, b)
		if (done.Closed == 0) != (what == "nothing") {
			t.Errorf("%s: %+v", what, done)
		}
	}
	s.Resume()
}

// Who was sent a close frame, or failed, by another goroutine when the loop did not run
// any more, is not waited for forever by the next process.
func TestHandOverEndsTheLoopHasNotHeardOf(t *testing.T) {
	h := newRecorder(t)
	conns := h.capture()
	s := serve(t, "unix", h, Options{Loops: 1})
	closing, slow := s.dial(), s.dial()
	one, two := receive(t, "it opens", conns), receive(t, "it opens", conns)
	one.SetData("closing")
	two.SetData("slow")
	if err := s.Suspend(); err != nil {
		t.Fatal(err)
	}
	if err := one.Close(4000, ""); err != nil {
		t.Fatal(err)
	}
	two.mu.Lock()
	two.failLocked(errSlowConsumer)
	two.writeLocked()
	two.mu.Unlock()
	s.Hold()
	b := exported(t, s)
	h2 := newRecorder(t)
	ends := make(chan CloseInfo, 10)
	h2.close = func(_ *Batch, _ *Conn, info CloseInfo) { ends <- info }
	next, err := NewServer(Options{Loops: 1, Handler: h2, CloseTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Import(snapshot.NewReader(b), func(fd int, _ uint64) int {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return dup
	}); err != nil {
		t.Fatal(err)
	}
	abandon(s)
	ln, addr := listen(t, "unix")
	s.next = &testServer{Server: next, t: t, h: h2, network: "unix", addr: addr}
	if err := next.Start([]*Listener{ln}); err != nil {
		t.Fatal(err)
	}
	got := map[int]bool{}
	for range 2 {
		got[receive(t, "its end", ends).Code] = true
	}
	if !got[4000] || !got[CloseTryAgainLater] {
		t.Errorf("%v", got)
	}
	closing.expectClose(4000)
	slow.expectClose(CloseTryAgainLater)
	eventually(t, "they are gone", func() bool { return next.Conns() == 0 })
}
