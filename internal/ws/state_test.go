package ws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/snapshot"
)

func (h *recorder) Save(c *Conn, w *snapshot.Writer, _ bool) {
	h.must(c, "Save")
	name, _ := c.Data().(string)
	w.String(name)
}

func (h *recorder) Restore(c *Conn, r *snapshot.Reader) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live[c] = true
	c.SetData(r.String())
	return []byte("/"), nil
}

// handOver moves a server's connections to another one, as an upgrade moves them
// to another process, and ends the first. The connections' descriptors are found by
// key, as after a restart, and copied, since both are in this process.
func handOver(s *testServer, h *recorder, opt Options) *testServer {
	t := s.t
	t.Helper()
	state, bulk, file := exportApart(s)
	var mu sync.Mutex
	fds := map[uint64]int{}
	s.table.each(func(c *Conn) { fds[c.Key()] = int(c.fd) })
	opt.Handler = h
	next, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	done, err := next.Import(state, func(_ int, key uint64) int {
		mu.Lock()
		defer mu.Unlock()
		fd, ok := fds[key]
		if !ok {
			return -1
		}
		delete(fds, key)
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return dup
	})
	bulk.Close()
	abandon(s)
	if err != nil || done.Closed != 0 || done.Err != nil {
		t.Fatalf("import: %+v, %v", done, err)
	}
	ln, addr := listen(t, s.network)
	ts := &testServer{Server: next, t: t, h: h, network: s.network, addr: addr, state: file}
	if err := next.Start([]*Listener{ln}); err != nil {
		t.Fatal(err)
	}
	s.next = ts
	return ts
}

// exportApart suspends a server and writes its connections down, large messages into
// a file, which is closed when they are sent.
func exportApart(s *testServer) (*snapshot.Reader, *snapshot.Bulk, *os.File) {
	s.t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		s.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "state")
	var b bytes.Buffer
	w := snapshot.NewWriterApart(&b, f)
	writeDown(s, w)
	bulk, err := snapshot.OpenBulk(f, 0, w.Apart())
	if err != nil {
		s.t.Fatal(err)
	}
	return snapshot.NewReaderApart(b.Bytes(), bulk), bulk, f
}

// export suspends a server and writes its connections down.
func export(s *testServer) []byte {
	s.t.Helper()
	var b bytes.Buffer
	writeDown(s, snapshot.NewWriter(&b))
	return b.Bytes()
}

func writeDown(s *testServer, w *snapshot.Writer) {
	s.t.Helper()
	if err := s.Suspend(); err != nil {
		s.t.Fatal(err)
	}
	s.Hold()
	s.Export(w)
	if err := w.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// abandon ends a suspended server as the end of its process would: its
// descriptors are closed, and nobody is told.
func abandon(s *testServer) {
	s.t.Helper()
	s.h.mu.Lock()
	s.h.live = map[*Conn]bool{}
	s.h.mu.Unlock()
	for _, c := range s.held {
		c.opened = false
		l := c.loop
		l.wheel.stop(c)
		l.unhold(c)
		l.settled(c)
		l.depart(c)
		c.in.Reset()
		c.head.free()
		c.head = nil
		c.out.clear()
		c.leftLocked()
		s.table.clear(c.fd)
		closeFD(c.fd)
		c.fd = -1
		c.setStateLocked(stateClosed)
		l.conns.Add(-1)
		s.conns.Add(-1)
		s.awaited.Add(-1)
	}
	s.Resume()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Shutdown(ctx, CloseGoingAway, ""); err != nil {
		s.t.Error("shutdown:", err)
	}
	s.down = true
}

// Connections are handed over when any number of bytes of what a peer says has
// come: what it is answered is the same, byte for byte.
func TestHandOverAtEveryByte(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		s := serve(t, network, newRecorder(t).echo(), Options{Loops: 2})
		all := bytes.Join([][]byte{
			[]byte(handshake),
			clientFrame(true, OpText, []byte("whole")),
			clientFrame(false, OpText, append(bytes.Repeat([]byte{'x'}, 130), 0xc3)), // ends inside a character
			clientFrame(true, OpPing, []byte("between")),
			clientFrame(true, OpContinuation, []byte{0xa9}),
			clientFrame(true, OpBinary, nil),
			clientFrame(true, OpClose, []byte(closeBody(1000, "bye"))),
		}, nil)
		c := s.dialRaw()
		c.write(all)
		want, err := io.ReadAll(c.br)
		if err != nil {
			t.Fatal(err)
		}
		var peers []*client
		for n := range len(all) + 1 {
			c := s.dialRaw()
			c.write(all[:n])
			peers = append(peers, c)
		}
		// One that comes later is answered, so what came before it was read.
		last := s.dial()
		last.send(OpText, "done?")
		last.expect(OpText, "done?")
		next := handOver(s, newRecorder(t).echo(), Options{Loops: 3})
		for n, c := range peers {
			if n < len(all) {
				c.write(all[n:])
			}
			got, err := io.ReadAll(c.br)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("after %d bytes: %q, want %q (%v)", n, got, want, err)
			}
		}
		last.send(OpText, "still")
		last.expect(OpText, "still")
		if n := next.Totals().Opens; n == 0 {
			t.Error("the counters begin anew")
		}
	})
}

// What waits to be read by slow peers, of their own and of all, is handed over
// with what the kernel has of it, and once more, and arrives in order.
func TestHandOverUnsent(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		conns := h.capture()
		s := serve(t, network, h, Options{Loops: 2})
		const peers, messages = 8, 50
		var list []*client
		var want []string
		var to []*Conn
		for range peers {
			list = append(list, s.dial())
			to = append(to, receive(t, "it opens", conns))
		}
		// Some are large enough to be sent from the state itself.
		ofOwn := func(name string, round, i int) string {
			return fmt.Sprint(name, " ", round, " ", i, strings.Repeat("z", i%10/9*50_000))
		}
		say := func(s *testServer, to []*Conn, own []string, round int) {
			for i := range messages {
				text := fmt.Sprint(round, " ", i, " ", strings.Repeat("y", i*i*20))
				shared := s.NewFrame(OpText, []byte(text))
				for k, c := range to {
					if r := c.SendFrame(shared); r != Sent && r != Queued {
						t.Fatal(r)
					}
					c.Send(OpText, []byte(ofOwn(own[k], round, i)))
				}
				want = append(want, text)
			}
		}
		var own []string
		for i := range to {
			own = append(own, fmt.Sprint("peer ", i))
			to[i].SetData(own[i])
		}
		say(s, to, own, 1)
		for round := 2; round < 4; round++ {
			s = handOver(s, newRecorder(t), Options{Loops: 1 + round%2})
			byName := map[string]*Conn{}
			s.table.each(func(c *Conn) { byName[c.Data().(string)] = c })
			for i, name := range own {
				if to[i] = byName[name]; to[i] == nil {
					t.Fatalf("%s is not there", name)
				}
			}
			say(s, to, own, round)
		}
		for k, c := range list {
			for i, text := range want {
				c.expect(OpText, text)
				c.expect(OpText, ofOwn(own[k], 1+i/messages, i%messages))
			}
		}
		eventually(t, "the state is given back", func() bool { return int(s.state.Fd()) < 0 })
		if n := s.Totals().Memory; n != inUse.Load() {
			t.Error(n)
		}
	})
}

// Who comes after a billion others has another key than who has stayed since.
func TestHandOverAfterManyConnections(t *testing.T) {
	h := newRecorder(t).echo()
	opened := h.capture()
	s := serve(t, "unix", h, Options{Loops: 2})
	peers := []*client{s.dial()}
	first := receive(t, "it opens", opened).Key()
	for range 2 {
		s.lastKey.Store(first - 1 + s.lastKey.Load()>>genBits<<genBits + 1<<genBits)
		peers = append(peers, s.dial())
		s = handOver(s, newRecorder(t).echo(), Options{Loops: 2})
		for _, c := range peers {
			c.send(OpText, "still")
			c.expect(OpText, "still")
		}
	}
}

// Compression goes on with what both sides remember.
func TestHandOverCompressed(t *testing.T) {
	for offer, answer := range map[string]string{
		"permessage-deflate": "permessage-deflate",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
	} {
		opt := func(loops int) Options {
			return Options{Loops: loops, Mounts: []*Mount{{Compression: Compression{Mode: CompressionOn, Deflate: deflate.Options{ServerContextTakeover: true, ClientContextTakeover: true}}}}}
		}
		s := serve(t, "unix", newRecorder(t).echo(), opt(2))
		c := s.dialDeflate(offer, answer)
		for round := range 4 {
			for i := range 5 {
				text := fmt.Sprint(round, i, strings.Repeat(" so it goes", 40))
				c.echoed(OpText, text, 1+i%3)
			}
			s = handOver(s, newRecorder(t).echo(), opt(1))
		}
		if c.compressed == 0 {
			t.Error("nothing was compressed")
		}
	}
}

// The ends of connections are handed over in each of their states.
func TestHandOverEnds(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		conns := h.capture()
		s := serve(t, network, h, Options{Loops: 2})
		closing, failing, open := s.dial(), s.dial(), s.dial()
		c := receive(t, "it opens", conns)
		if err := c.Close(4000, "ours"); err != nil {
			t.Fatal(err)
		}
		closing.expectClose(4000)
		failing.write([]byte{0x81, 0x00}) // not masked
		failing.expectClose(CloseProtocolError)
		receive(t, "it opens", conns)
		idle := receive(t, "it opens", conns)
		idle.SetData("idle")
		refused := s.dialRaw()
		refused.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		if head := refused.head(); !strings.Contains(head, " 426 ") {
			t.Fatal(head)
		}
		if line, err := refused.br.ReadString('\n'); err != nil {
			t.Fatal(line, err)
		}

		h2 := newRecorder(t)
		ends := make(chan CloseInfo, 10)
		h2.close = func(_ *Batch, _ *Conn, info CloseInfo) { ends <- info }
		handOver(s, h2, Options{Loops: 1})
		closing.write(clientFrame(true, OpClose, []byte(closeBody(4000, ""))))
		closing.expectEnd()
		if info := receive(t, "its end", ends); info.Code != 4000 || info.Reason != "ours" || !info.Clean || info.Remote {
			t.Errorf("%+v", info)
		}
		failing.expectEnd()
		refused.expectEnd()
		open.send(OpClose, closeBody(4001, "theirs"))
		open.expectClose(4001)
		if info := receive(t, "its end", ends); info.Code != 4001 || info.Reason != "theirs" || !info.Clean || !info.Remote {
			t.Errorf("%+v", info)
		}
	})
}

// A handshake that is being decided about is decided about anew, with what
// followed it.
func TestHandOverDeciding(t *testing.T) {
	h := newRecorder(t).echo()
	asked := make(chan *Conn, 10)
	h.check = func(c *Conn, _ *Request) *Response { asked <- c; return Deferred }
	s := serve(t, "unix", h, Options{Loops: 1})
	c := s.dialRaw()
	c.write(append([]byte(handshake), clientFrame(true, OpText, []byte("early"))...))
	receive(t, "it is asked", asked)
	h2 := newRecorder(t).echo()
	h2.check = h.check
	handOver(s, h2, Options{Loops: 2})
	receive(t, "it is asked again", asked).Answer(nil)
	c.upgraded()
	c.expect(OpText, "early")
}

// Who is held for sending too fast is held on, and loses nothing; timers and
// counters go on.
func TestHandOverHeldAndTimers(t *testing.T) {
	opt := func() Options {
		return Options{Loops: 1, MessageTimeout: time.Hour, Mounts: []*Mount{{Rates: Rates{Messages: 100, MessageBurst: 10}}},
			Admission: Admission{Client: func(p Peer, _ *Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") }}}
	}
	h := newRecorder(t).echo()
	conns := make(chan *Conn, 10)
	h.open = func(_ *Batch, c *Conn, _ *Request) { c.SetTimer(time.Hour); c.SetData("me"); conns <- c }
	s := serve(t, "tcp", h, opt())
	c := s.dial()
	receive(t, "it opens", conns)
	var all []byte
	const messages = 60
	for i := range messages {
		all = append(all, clientFrame(true, OpText, []byte(fmt.Sprint("message ", i)))...)
	}
	c.write(all)
	c.expect(OpText, "message 0")
	next := handOver(s, newRecorder(t).echo(), opt())
	for i := 1; i < messages; i++ {
		c.expect(OpText, fmt.Sprint("message ", i))
	}
	done := make(chan struct{})
	next.post(func(l *loop) {
		defer close(done)
		next.table.each(func(c *Conn) {
			if left := c.TimerLeft(); left <= 0 || left > time.Hour {
				t.Errorf("its timer: %s left", left)
			}
			if st := c.Stats(); st.MessagesIn != messages || st.MessagesOut != messages {
				t.Errorf("%+v", st)
			}
			if c.Data() != "me" {
				t.Error(c.Data())
			}
		})
	})
	receive(t, "it was looked at", done)
	if n := next.Totals(); n.TextIn != messages || n.Opens != 1 {
		t.Errorf("%+v", n)
	}
	adm := next.admission
	adm.table.mu.Lock()
	defer adm.table.mu.Unlock()
	if adm.sessions != 1 {
		t.Errorf("%d sessions are counted", adm.sessions)
	}
}

// A server that was suspended and goes on has lost nothing, whoever wrote
// meanwhile.
func TestResume(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		conns := make(chan *Conn, 10)
		h.open = func(_ *Batch, c *Conn, _ *Request) { conns <- c }
		s := serve(t, network, h, Options{Loops: 2})
		c := s.dial()
		conn := receive(t, "it opens", conns)
		rest := bystand(s)
		for range 20 {
			if err := s.Suspend(); err != nil {
				t.Fatal(err)
			}
			if err := s.Suspend(); !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
			conn.Send(OpText, []byte("while suspended"))
			c.send(OpText, "asked while suspended")
			s.Hold()
			sent := make(chan SendResult)
			go func() { sent <- conn.Send(OpText, []byte("held")) }()
			s.Export(snapshot.NewWriter(io.Discard))
			s.Resume()
			receive(t, "it is sent", sent)
			got := map[string]int{}
			for range 3 {
				_, payload, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				got[string(payload)]++
			}
			if len(got) != 3 {
				t.Fatal(got)
			}
		}
		if rest() == 0 {
			t.Error("nobody was served")
		}
	})
}

// Connections whose mount is gone, and what cannot be read, end with 1012;
// damaged state is refused whole, or costs what it describes.
func TestImportRefuses(t *testing.T) {
	s := serve(t, "unix", newRecorder(t).echo(), Options{Loops: 1})
	c := s.dial()
	c.send(OpText, "there")
	c.expect(OpText, "there")
	b := export(s)
	opt := Options{Loops: 1, Mounts: []*Mount{{Paths: []string{"/elsewhere"}}}}
	h := newRecorder(t)
	opt.Handler = h
	next, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	dup := func(fd int, _ uint64) int {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	done, err := next.Import(snapshot.NewReader(b), dup)
	if err != nil || done.Closed != 1 || done.Conns != 0 || !errors.Is(done.Err, errNoMount) {
		t.Errorf("%+v, %v", done, err)
	}
	next.closeLoops()
	if len(h.live) != 0 {
		t.Error("its session is still there")
	}
	abandon(s)
	c.expectClose(CloseServiceRestart)
}

// keeps is a Handler that has nothing to do but keep names.
type keeps struct{ Handler }

func (keeps) Save(c *Conn, w *snapshot.Writer, _ bool) {
	name, _ := c.Data().(string)
	w.String(name)
}

func (keeps) Restore(c *Conn, r *snapshot.Reader) ([]byte, error) {
	c.SetData(r.String())
	return []byte("/"), nil
}

func (keeps) Close(*Batch, *Conn, CloseInfo) {}

// TestFuzzImportSeed shows that what FuzzImport begins with is a state of this
// version. With NVSESS_WRITE_SEED=1 it writes it.
func TestFuzzImportSeed(t *testing.T) {
	const file = "testdata/fuzz/FuzzImport/state"
	if os.Getenv("NVSESS_WRITE_SEED") != "" {
		h := newRecorder(t)
		conns := h.capture()
		s := serve(t, "unix", h, Options{Loops: 1})
		c := s.dial()
		conn := receive(t, "it opens", conns)
		conn.SetData("one")
		c.write(append(clientFrame(false, OpText, []byte("half")), clientFrame(true, OpPing, nil)...))
		c.expect(OpPong, "")
		s.dialRaw().write([]byte(handshake[:50]))
		eventually(t, "it is there", func() bool { return s.Conns() == 2 })
		if err := s.Suspend(); err != nil {
			t.Fatal(err)
		}
		conn.out.pushFrame(s.NewFrame(OpText, bytes.Repeat([]byte("z"), 300))) // as if the kernel were full
		s.Hold()
		var seed bytes.Buffer
		w := snapshot.NewWriter(&seed)
		s.Export(w)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		conn.out.clear()
		s.Resume()
		text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", seed.Bytes())
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, quoted, _ := strings.Cut(string(text), "[]byte(")
	b, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(quoted), ")"))
	if err != nil {
		t.Fatal(err)
	}
	if done := importOnly(t, []byte(b)); done.Conns != 2 || done.Open != 1 || done.Closed != 0 {
		t.Errorf("%+v", done)
	}
}

// A state that has a message begin and nothing of it makes no panic.
func TestImportOfNothingThatHasBegun(t *testing.T) {
	h := newRecorder(t)
	conns := h.capture()
	s := serve(t, "unix", h, Options{Loops: 1})
	s.dial()
	c := receive(t, "it opens", conns)
	if err := s.Suspend(); err != nil {
		t.Fatal(err)
	}
	s.Hold()
	c.in.p, c.begun = getPartial(), true
	var state bytes.Buffer
	w := snapshot.NewWriter(&state)
	s.Export(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	c.begun = false
	c.in.Reset()
	s.Resume()
	if done := importOnly(t, state.Bytes()); done.Open != 1 {
		t.Errorf("%+v", done)
	}
}

// importOnly imports state, writes it down again, and ends all.
func importOnly(t *testing.T, b []byte) Imported {
	next, err := NewServer(Options{Loops: 1, Handler: keeps{}, MessageTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	done, err := next.Import(snapshot.NewReader(b), func(int, uint64) int {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return -1
		}
		closeFD(int32(fds[1]))
		return fds[0]
	})
	if int64(done.Conns) != next.Conns() || done.Open > done.Conns {
		t.Errorf("%+v, %d connections, %v", done, next.Conns(), err)
	}
	if err == nil {
		next.Export(snapshot.NewWriter(io.Discard))
	}
	for _, l := range next.loops {
		for c := range l.open.m {
			if !c.begun || c.in.Idle() {
				t.Error("a message that has not begun is timed")
			}
		}
	}
	next.table.each(func(c *Conn) { c.loop.destroy(c, nil) })
	if n := next.Conns(); n != 0 {
		t.Errorf("%d are left", n)
	}
	next.closeLoops()
	return done
}

// No state makes Import panic or hang, and whatever it takes in can be written
// down again.
func FuzzImport(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) { importOnly(t, b) })
}
