package ws

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/deflate"
)

// contexts are with and without context takeover, as offered and as answered.
var contexts = map[string]string{"alone": noContexts, "in a context": "permessage-deflate"}

// packed is a client that has sent a message compressed, to which others may
// refer if the context is kept.
func (s *testServer) packed(offer string) *deflater {
	s.t.Helper()
	d := s.dialDeflate(offer, offer)
	d.echoed(OpText, prose, 2)
	return d
}

// deflated is a message's DEFLATE data, which refers to no other.
func deflated(t testing.TB, message string) []byte {
	return (&deflater{client: &client{t: t}}).pack(message)
}

// A compressed text is failed by the byte that shows that it is none, though
// neither its frame nor its message is whole, however it is cut.
func TestRFC6455_8_1_FirstBadByteFailsWithinACompressedMessage(t *testing.T) {
	s := inflating(t, true)
	for context, offer := range contexts {
		for name, bad := range badUTF8 {
			t.Run(context+"/"+name, func(t *testing.T) {
				s := s.as(t)
				d := s.packed(offer)
				p := d.pack(prose + bad) // a block that ends with the bad byte
				frame := clientFrame(false, OpText|rsv1, append(bytes.Clone(p), make([]byte, 100)...))
				d.write(frame[:len(frame)-100])
				d.failed(s, ErrInvalidUTF8)
				if len(bad) > 100 {
					return
				}
				for cut := range 3 {
					d = s.packed(offer)
					p = d.pack(prose + bad)
					d.write(join(clientFrame(false, OpText|rsv1, p[:cut]), clientFrame(true, OpPing, []byte("so far"))))
					d.expect(OpPong, "so far")
					d.write(clientFrame(false, OpContinuation, p[cut:]))
					d.failed(s, ErrInvalidUTF8)
				}
			})
		}
	}
}

// What comes before the byte that shows it is not failed, at any position.
func TestRFC6455_8_1_CompressedTextIsFailedByThatByte(t *testing.T) {
	s := inflating(t, true)
	for context, offer := range contexts {
		t.Run(context, func(t *testing.T) {
			s := s.as(t)
			const bad = "so far, so good \xe2\x82\xe2"
			n := len(deflated(t, bad))
			failed := 0
			for k := 1; k <= n; k++ {
				d := s.packed(offer)
				p := d.pack(bad)
				if k > len(p) {
					d.closes(s, 1000)
					continue
				}
				d.write(join(clientFrame(false, OpText|rsv1, p[:k]), clientFrame(true, OpPing, nil)))
				if op, _, err := d.next(); err == nil && op == OpPong {
					d.write(clientFrame(true, OpContinuation, p[k:]))
				} else if failed++; op != OpClose {
					t.Fatal(op, err)
				}
				d.Close()
				if info := s.h.end(); info.Err != ErrInvalidUTF8 {
					t.Fatalf("%+v", info)
				}
			}
			if failed == 0 || failed > 4 { // the end of the block may take some bits, and its flush a byte
				t.Errorf("%d of %d positions are failed", failed, n)
			}
		})
	}
}

// What becomes too much is failed before its message ends; what becomes exactly
// as much as it may is not.
func TestRFC7692_6_2_TooBigFailsBeforeTheMessageEnds(t *testing.T) {
	s := inflating(t, true)
	most := deflated(t, strings.Repeat("x", 1<<20))
	more := deflated(t, strings.Repeat("x", 1<<20+1))
	for context, offer := range contexts {
		t.Run(context, func(t *testing.T) {
			s := s.as(t)
			for _, op := range []OpCode{OpText, OpBinary} {
				d := s.packed(offer)
				d.write(clientFrame(false, op|rsv1, more))
				d.failed(s, ErrMessageTooBig)

				d = s.packed(offer)
				d.write(join(clientFrame(false, op|rsv1, most), clientFrame(true, OpPing, nil)))
				d.expect(OpPong, "")
				d.write(clientFrame(true, OpContinuation, nil))
				if gotOp, got := d.hears(); gotOp != op || len(got) != 1<<20 {
					t.Fatalf("opcode %d, %d bytes", gotOp, len(got))
				}
				d.closes(s, 1000)
			}
		})
	}
}

func TestRFC7692_6_2_CorruptDataFailsBeforeTheMessageEnds(t *testing.T) {
	s := inflating(t, true)
	for context, offer := range contexts {
		for name, wrong := range map[string]string{
			"reserved block type": "\x06", "a stored block's length and its complement": "\x00\x05\x00\x00\x00", "before all that was": "\x4a\x04\x7f\xff\xff\xff",
		} {
			t.Run(context+"/"+name, func(t *testing.T) {
				s := s.as(t)
				d := s.packed(offer)
				d.write(clientFrame(false, OpBinary|rsv1, []byte(wrong)))
				d.failed(s, ErrCorrupt)
			})
		}
	}
}

// What is wrong with a message comes before what is wrong with the frame after it,
// and before a ping.
func TestRFC7692_6_2_FirstFaultCounts(t *testing.T) {
	s := inflating(t, false)
	bad := clientFrame(false, OpText|rsv1, deflated(t, "\xff"))
	for _, next := range [][]byte{nil, clientFrame(true, OpPing, nil), clientFrame(true, OpText, nil), {0xff}, clientFrame(true, OpContinuation, nil)} {
		s.violates(join(bad, next), ErrInvalidUTF8)
	}
	// A text's bad byte before it becomes too much, or is none at all any more.
	long := deflated(t, "\xff"+strings.Repeat("x", 2<<20))
	s.violates(clientFrame(true, OpText|rsv1, long), ErrInvalidUTF8)
	s.violates(clientFrame(false, OpText|rsv1, long), ErrInvalidUTF8)
	cut := append(deflated(t, "\xff"), 0, 0, 0xff, 0xff, 0x06)
	s.violates(clientFrame(true, OpText|rsv1, cut), ErrInvalidUTF8)
	s.violates(clientFrame(false, OpText|rsv1, cut), ErrInvalidUTF8)
}

// Connections are handed over when any number of bytes of a message has come. What
// follows is judged with what came before.
func TestHandOverUnfinishedCompressed(t *testing.T) {
	opt := Options{Loops: 2, Mounts: []*Mount{compressing(CompressionOn, deflate.Options{ServerContextTakeover: true, ClientContextTakeover: true})}}
	for context, offer := range contexts {
		t.Run(context, func(t *testing.T) {
			s := serve(t, "unix", newRecorder(t).echo(), opt)
			type peer struct {
				*deflater
				text  string
				frame []byte
				n     int // bytes of it that come before
			}
			var peers []peer
			for _, text := range []string{prose + "\u20ac", prose + "\u20ac\xe2("} {
				for n, size := 0, 1; n <= size; n++ {
					p := peer{deflater: s.packed(offer), text: text, n: n}
					p.frame = clientFrame(false, OpText|rsv1, p.pack(text))
					p.write(p.frame[:n])
					peers = append(peers, p)
					if size = len(p.frame); !utf8.ValidString(text) {
						size -= 3 // the last byte but one shows what is wrong
					}
				}
			}
			// One that comes later is answered, so what came before it was read.
			s.packed(offer)
			next := handOver(s, newRecorder(t).echo(), opt)
			for _, p := range peers {
				p.write(p.frame[p.n:])
				if !utf8.ValidString(p.text) {
					p.expect(OpClose, closeBody(ErrInvalidUTF8.Code, ErrInvalidUTF8.Reason))
					p.expectEnd()
					p.Close()
					continue
				}
				p.write(join(clientFrame(true, OpPing, nil), clientFrame(true, OpContinuation, nil)))
				p.expect(OpPong, "")
				if _, got := p.hears(); got != p.text {
					t.Fatalf("after %d bytes: %.100q", p.n, got)
				}
				p.Close()
			}
			eventually(t, "all but one are gone", func() bool { return next.Conns() == 1 })
			if n := aheadInUse.Load(); n != 0 {
				t.Errorf("%d bytes are held", n)
			}
		})
	}
}

// Messages that are not whole are judged in a bounded memory, which is given back
// when they end in whatever way. Those that find no room are judged when they are
// whole.
func TestJudgingAheadIsBounded(t *testing.T) {
	h := newRecorder(t).echo()
	s := serve(t, "unix", h, Options{Loops: 2, Mounts: []*Mount{compressing(CompressionOn, deflate.Options{})}})
	const peers = 200 // of which each would take more than 20 KiB
	most := peak()
	var list []*deflater
	for i := range peers {
		d := s.dialDeflate("permessage-deflate", noContexts)
		d.write(join(clientFrame(false, OpText|rsv1, d.pack(strings.Repeat(fmt.Sprint(i, prose), 10))), clientFrame(true, OpPing, nil)))
		d.expect(OpPong, "")
		list = append(list, d)
	}
	if n := aheadInUse.Load(); n > maxAhead || n < maxAhead/2 {
		t.Errorf("%d bytes are held", n)
	}
	for i, d := range list {
		switch i % 4 {
		case 0:
			d.Close() // in the middle
		case 1: // wrong after it, but perhaps only known at the end
			d.write(clientFrame(true, OpContinuation, append([]byte{0, 0, 0xff, 0xff}, d.pack("\xff")...)))
			d.expect(OpClose, closeBody(ErrInvalidUTF8.Code, ErrInvalidUTF8.Reason))
		default:
			d.write(clientFrame(true, OpContinuation, nil))
			if _, got := d.hears(); got != strings.Repeat(fmt.Sprint(i, prose), 10) {
				t.Fatalf("%.100q", got)
			}
		}
	}
	eventually(t, "all is given back", func() bool { return aheadInUse.Load() == 0 && inUse.Load() == 0 })
	if n := most(); n > 2*maxAhead {
		t.Errorf("%d bytes were held", n)
	}
	// There is room again.
	d := s.dialDeflate("permessage-deflate", noContexts)
	d.write(clientFrame(false, OpText|rsv1, d.pack("\xff")))
	d.expect(OpClose, closeBody(ErrInvalidUTF8.Code, ErrInvalidUTF8.Reason))

	// A server that ends gives it back, too.
	d = s.dialDeflate("permessage-deflate", noContexts)
	d.write(join(clientFrame(false, OpText|rsv1, d.pack(prose)), clientFrame(true, OpPing, nil)))
	d.expect(OpPong, "")
	s.down = true
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background(), CloseGoingAway, "") }()
	d.expectClose(CloseGoingAway)
	d.Close()
	if err := receive(t, "Shutdown", done); err != nil || aheadInUse.Load() != 0 {
		t.Error(err, aheadInUse.Load())
	}
}

// A read that becomes many megabytes is not inflated in one pass of the loop, and
// all of it is handled in order.
func TestInflatingGivesOthersTheirTurn(t *testing.T) {
	h := newRecorder(t)
	const messages = 40
	type handled struct {
		pass    int64
		message string
	}
	got := make(chan handled, 2*messages)
	h.message = func(_ *Batch, c *Conn, _ OpCode, p []byte) { got <- handled{c.loop.beats.Load(), string(p)} }
	s := serve(t, "unix", h, Options{Loops: 1, Mounts: []*Mount{compressing(CompressionOn, deflate.Options{})}})
	d := s.dialDeflate("permessage-deflate", noContexts)
	most := strings.Repeat("x", 1<<20)
	bomb := clientFrame(true, OpBinary|rsv1, deflated(t, most))
	var wire []byte
	for i := range messages {
		wire = append(append(wire, bomb...), text(nth(i))...)
	}
	if len(wire) > readBufferSize {
		t.Fatalf("%d bytes are not read at once", len(wire))
	}
	d.write(wire)
	passes := map[int64]int{}
	for i := range messages {
		for _, want := range []string{most, nth(i)} {
			m := receive(t, "a message", got)
			if m.message != want {
				t.Fatalf("%.50q (%d bytes), not %.50q", m.message, len(m.message), want)
			}
			if passes[m.pass] += len(m.message); passes[m.pass] > 2*maxInflated {
				t.Fatalf("%d bytes in a pass", passes[m.pass])
			}
		}
	}
	if n := s.hits(limitDelayed); n != 0 {
		t.Errorf("%d are counted as too fast", n)
	}
	d.closes(s, 1000)
}

// play gives a connection that has agreed on compression what it would read, in
// pieces of these sizes, over and over, and returns what it hears and how it fails.
func play(t testing.TB, stream []byte, keep bool, limit int64, sizes ...int) (heard []string, failed error) {
	t.Helper()
	h := new(listener)
	z := &codec{params: deflate.Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15, ClientNoContextTakeover: !keep, ServerNoContextTakeover: true}}
	if keep {
		z.in = new(deflate.Window)
	}
	l, c := unconnected(t, h, &Mount{Limits: Limits{Message: limit}}, z)
	for i := 0; len(stream) > 0 && c.state() == stateOpen; i++ {
		k := min(len(stream), sizes[i%len(sizes)])
		l.now = l.srv.clock()
		l.receive(c, bytes.Clone(stream[:k]))
		stream = stream[k:]
		for c.flow.wait.held() { // see feed
			l.now++
			l.resume()
		}
	}
	if c.end != nil {
		failed = c.end.Err
	}
	c.in.Reset()
	l.unhold(c)
	l.settled(c)
	if n := aheadInUse.Load(); n != 0 {
		t.Fatalf("%d bytes are held", n)
	}
	return h.heard, failed
}

// listener notes what it hears.
type listener struct {
	plainHandler
	heard []string
}

func (h *listener) Message(_ *Batch, _ *Conn, op OpCode, p []byte) {
	h.heard = append(h.heard, fmt.Sprint(op, " ", string(p)))
}

func (h *listener) Pong(_ *Batch, _ *Conn, p []byte) { h.heard = append(h.heard, "pong "+string(p)) }

// FuzzCompressedMessage: a compressed message of any bytes, in fragments with pongs
// between them, among others; any way of cutting what is read gives the same
// messages, in the same order, and the same end.
func FuzzCompressedMessage(f *testing.F) {
	packer := &deflater{client: &client{t: f}}
	for _, text := range []string{"", "hello", prose, "\u20ac\xe2", "\xff", strings.Repeat("x", 5000), prose + "\xff" + noise(2000)} {
		for _, limit := range []uint16{10, 3000, 65535} {
			f.Add(packer.pack(text), []byte{3, 0, 1}, []byte{2, 40}, true, true, limit)
			f.Add(packer.pack(text), []byte{}, []byte{9}, false, true, limit)
			f.Add(append(packer.pack(text), 6), []byte{20}, []byte{0}, true, false, limit)
		}
	}
	f.Add([]byte("\xf2\x00\x11\x00\x00"), []byte{1}, []byte{1}, true, true, uint16(100))
	f.Fuzz(func(t *testing.T, payload, fragments, cut []byte, keep, text bool, limit uint16) {
		op := OpBinary
		if text {
			op = OpText
		}
		stream := clientFrame(true, OpText|rsv1, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
		op |= rsv1
		for _, k := range fragments[:min(len(fragments), 20)] {
			n := min(int(k), len(payload))
			stream = append(stream, clientFrame(false, op, payload[:n])...)
			if k&1 != 0 {
				stream = append(stream, clientFrame(true, OpPong, []byte{k})...)
			}
			payload, op = payload[n:], OpContinuation
		}
		stream = append(stream, clientFrame(true, op, payload)...)
		stream = append(stream, clientFrame(true, OpText, []byte("after"))...)
		heard, failed := play(t, stream, keep, int64(limit), len(stream))
		for _, sizes := range [][]int{{1}, append(cutSizes(cut), 1+int(limit)%100)} {
			again, againFailed := play(t, stream, keep, int64(limit), sizes...)
			if !slices.Equal(again, heard) || againFailed != failed {
				t.Fatalf("in pieces of %d: %.300q, %v\nin one: %.300q, %v", sizes, again, againFailed, heard, failed)
			}
		}
	})
}

// BenchmarkCompressedMessage is what a message of 64 KiB costs that comes whole, and
// in pieces.
func BenchmarkCompressedMessage(b *testing.B) {
	text := strings.Repeat(prose, 60)[:64<<10]
	wire := clientFrame(true, OpText|rsv1, deflated(b, text+noise(2000)))
	for _, pieces := range []int{1, 2, 8} {
		b.Run(fmt.Sprint(pieces), func(b *testing.B) {
			z := &codec{params: deflate.Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15, ClientNoContextTakeover: true, ServerNoContextTakeover: true}}
			got := 0
			l, c := unconnected(b, plainHandler{func() { got++ }}, new(Mount), z)
			chunk := make([]byte, len(wire))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			n := 0
			for ; b.Loop(); n++ {
				copy(chunk, wire)
				for piece := range slices.Chunk(chunk, (len(chunk)+pieces-1)/pieces) {
					l.receive(c, piece)
				}
			}
			if got != n {
				b.Fatalf("%d of %d messages, %v", got, n, c.end)
			}
		})
	}
}
