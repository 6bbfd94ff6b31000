package ws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/deflate"
)

// deflater is the other side of permessage-deflate, made of the standard
// library's: what it has sent and heard in compressed messages.
type deflater struct {
	*client
	keeps        bool // context takeover, in both directions
	bits         int  // of the server's window
	sent, heard  []byte
	compressed   int // messages heard that were
	uncompressed int
}

// dialDeflate connects with an offer and checks the answer.
func (s *testServer) dialDeflate(offer, answer string) *deflater {
	s.t.Helper()
	c := s.dialRaw()
	c.write([]byte(requestWith("", "Sec-WebSocket-Extensions: "+offer+"\r\n")))
	_, got, _ := strings.Cut(c.upgraded(), "\r\nSec-WebSocket-Extensions: ")
	if got, _, _ = strings.Cut(got, "\r\n"); got != answer {
		s.t.Fatalf("%s: answer %q, want %q", offer, got, answer)
	}
	return &deflater{client: c, bits: 15, keeps: !strings.Contains(answer, "no_context_takeover")}
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// pack is a message's DEFLATE data.
func (d *deflater) pack(message string) []byte {
	var b bytes.Buffer
	var dict []byte
	if d.keeps {
		dict = lastBytes(d.sent, 32<<10)
	}
	w, err := flate.NewWriterDict(&b, 6, dict)
	if err != nil {
		d.t.Fatal(err)
	}
	io.WriteString(w, message)
	w.Flush()
	d.sent = append(d.sent, message...)
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// sendPacked sends a message compressed, in n fragments.
func (d *deflater) sendPacked(op OpCode, message string, n int) {
	d.t.Helper()
	p := d.pack(message)
	op |= rsv1
	for i := range n {
		k := len(p) / (n - i)
		d.write(clientFrame(i == n-1, op, p[:k]))
		if i < n-1 {
			d.write(clientFrame(true, OpPing, []byte{byte(i)}))
		}
		p, op = p[k:], OpContinuation
	}
	for i := range n - 1 {
		d.expect(OpPong, string([]byte{byte(i)}))
	}
}

// hears reads a message, compressed or not.
func (d *deflater) hears() (op OpCode, message string) {
	d.t.Helper()
	first, err := d.br.Peek(1)
	if err != nil {
		d.t.Fatal(err)
	}
	packed := first[0]&rsv1 != 0
	var p []byte
	for n := 0; ; n++ {
		b, err := d.br.Peek(1)
		if err != nil {
			d.t.Fatal(err)
		}
		if n == 0 {
			b[0] &^= rsv1 // which only a first frame has
		}
		f, err := readFrame(d.br)
		if err != nil {
			d.t.Fatal(err)
		}
		if n == 0 {
			op = f.op
		}
		if p = append(p, f.payload...); f.fin {
			break
		}
	}
	if !packed {
		d.uncompressed++
		return op, string(p)
	}
	d.compressed++
	var dict []byte
	if d.keeps {
		dict = lastBytes(d.heard, 1<<d.bits)
	}
	got, err := io.ReadAll(flate.NewReaderDict(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), dict))
	if err != nil {
		d.t.Fatalf("% x: %v", lastBytes(p, 100), err)
	}
	d.heard = append(d.heard, got...)
	return op, string(got)
}

func (d *deflater) echoed(op OpCode, message string, fragments int) {
	d.t.Helper()
	d.sendPacked(op, message, fragments)
	if gotOp, got := d.hears(); gotOp != op || got != message {
		d.t.Fatalf("got %d %.100q (%d bytes), want %d %.100q (%d bytes)", gotOp, got, len(got), op, message, len(message))
	}
}

func compressing(mode CompressionMode, o deflate.Options) *Mount {
	return &Mount{Compression: Compression{Mode: mode, Threshold: 10, Deflate: o}, Limits: Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 100}}
}

// noise is text that hardly compresses, prose some that does, and remembers.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' ' + byte(rand.IntN(95))
	}
	return string(b)
}

var prose = strings.Repeat(`{"type":"position","latitude":52.5200,"longitude":13.4050}`, 20)

func TestCompressedEcho(t *testing.T) {
	const none = "; server_no_context_takeover; client_no_context_takeover"
	for _, tt := range []struct {
		mode          CompressionMode
		keep          bool
		offer, answer string
		bits          int
	}{
		{CompressionOn, false, "permessage-deflate", "permessage-deflate" + none, 15},
		{CompressionOn, true, "permessage-deflate", "permessage-deflate", 15},
		{CompressionOn, true, "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8", 8},
		{CompressionOn, true, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9", "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9", 10},
		{CompressionOn, false, "permessage-deflate; server_max_window_bits=9", "permessage-deflate" + none + "; server_max_window_bits=9", 9},
		{CompressionReceiveOnly, false, "permessage-deflate", "permessage-deflate" + none, 15},
		{CompressionReceiveOnly, true, "permessage-deflate", "permessage-deflate", 15},
		{CompressionOff, false, "permessage-deflate", "", 15},
	} {
		t.Run(fmt.Sprint(tt.mode, tt.keep, tt.offer), func(t *testing.T) {
			o := deflate.Options{ServerContextTakeover: tt.keep, ClientContextTakeover: tt.keep}
			s := serve(t, "unix", newRecorder(t).echo(), Options{
				Mounts: []*Mount{compressing(tt.mode, o)}, Fragmentation: Fragmentation{Threshold: 1000},
			})
			d := s.dialDeflate(tt.offer, tt.answer)
			d.bits = tt.bits
			if tt.mode == CompressionOff {
				d.write(clientFrame(true, OpText|rsv1, d.pack("hello")))
				d.expectClose(CloseProtocolError)
				return
			}
			if strings.Contains(tt.offer, "client_max_window_bits") {
				d.send(OpText, prose) // the standard library has no smaller windows
				if _, got := d.hears(); got != prose {
					t.Fatalf("got %q", got)
				}
			} else {
				for _, message := range []string{"", "x", "hello", prose, prose, noise(3000), noise(300) + prose, strings.Repeat("\x00", 900_000), prose} {
					for fragments := 1; fragments < 4; fragments++ {
						d.echoed(OpText, message, fragments)
					}
				}
				d.echoed(OpBinary, "\xff\xfe"+prose, 2)
				d.send(OpText, "as it is") // RFC 7692, section 6: any message may be
				if _, got := d.hears(); got != "as it is" {
					t.Fatalf("got %q", got)
				}
				d.echoed(OpText, prose, 1)
			}
			if (d.compressed > 0) != (tt.mode == CompressionOn) || d.uncompressed == 0 && d.compressed > 1 {
				t.Errorf("%d compressed, %d not", d.compressed, d.uncompressed)
			}
			d.send(OpClose, closeBody(1000, ""))
			d.expectClose(1000)
		})
	}
}

// What is wrong with a compressed message, and what it is answered.
func TestCompressedViolations(t *testing.T) {
	s := serve(t, "unix", newRecorder(t).echo(), Options{Mounts: []*Mount{compressing(CompressionOn, deflate.Options{})}})
	pack := func(message string) []byte { return (&deflater{client: &client{t: t}}).pack(message) }
	bomb := pack(strings.Repeat("\x00", 64<<20))
	for name, c := range map[string]struct {
		frames []byte
		code   int
	}{
		"RSV1 in a continuation":     {append(clientFrame(false, OpText|rsv1, pack("hello")), clientFrame(true, OpContinuation|rsv1, nil)...), CloseProtocolError},
		"RSV1 in a ping":             {clientFrame(true, OpPing|rsv1, nil), CloseProtocolError},
		"RSV1 in a close":            {clientFrame(true, OpClose|rsv1, nil), CloseProtocolError},
		"RSV1 and RSV2":              {clientFrame(true, OpText|0x60, pack("hello")), CloseProtocolError},
		"RSV3":                       {clientFrame(true, OpText|0x10, pack("hello")), CloseProtocolError},
		"no DEFLATE data":            {clientFrame(true, OpText|rsv1, []byte("\xff\xff\xff\xff")), CloseInvalidPayload},
		"reaches before the message": {clientFrame(true, OpText|rsv1, []byte{0x02, 0x13, 0x00, 0x00}), CloseInvalidPayload},
		"cut off":                    {clientFrame(true, OpText|rsv1, pack(prose)[:30]), CloseInvalidPayload},
		"text that is not UTF-8":     {clientFrame(true, OpText|rsv1, pack("hello \xc3\x28")), CloseInvalidPayload},
		"text that ends too early":   {clientFrame(true, OpText|rsv1, pack("hello \xe2\x82")), CloseInvalidPayload},
		"a bomb":                     {clientFrame(true, OpText|rsv1, bomb), CloseTooBig},
		"a message too big":          {clientFrame(true, OpBinary|rsv1, pack(strings.Repeat("x", 1<<20+1))), CloseTooBig},
		"a frame too big":            {clientFrame(true, OpBinary|rsv1, make([]byte, 1<<20+2000)), CloseTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			d := s.dialDeflate("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
			d.write(c.frames)
			d.expectClose(c.code)
			d.expectEnd()
		})
	}
	for _, l := range s.loops {
		onLoop(t, l, func() {
			if n := cap(l.inflated); n > 4<<20 {
				t.Errorf("a loop inflated %d bytes", n)
			}
		})
	}
	// What does not shrink is allowed up to the limit all the same.
	d := s.dialDeflate("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
	d.echoed(OpText, noise(1<<20), 1)
}

// A message to many is compressed once for all with the same parameters, unless
// they keep a context; what these hear is right all the same.
func TestBroadcastIsCompressedOnce(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	o := deflate.Options{ServerContextTakeover: true, ClientContextTakeover: true}
	s := serve(t, "unix", h, Options{Mounts: []*Mount{compressing(CompressionOn, o)}})
	var conns []*Conn
	var peers []*deflater
	join := func(offer, answer string, bits int) {
		d := s.dialDeflate(offer, answer)
		d.bits = bits
		peers, conns = append(peers, d), append(conns, receive(t, "a connection", open))
	}
	for range 2 {
		join("permessage-deflate; server_no_context_takeover; client_no_context_takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover", 15)
		join("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9", 9)
		join("permessage-deflate", "permessage-deflate", 15)
		join("x", "", 15)
	}
	if conns[0].codec != conns[4].codec || conns[1].codec != conns[5].codec || conns[0].codec == conns[1].codec || conns[2].codec == conns[6].codec || conns[3].codec != nil {
		t.Error("what connections share")
	}
	for i := range 5 {
		message := fmt.Sprint(i, prose)
		f := s.NewFrame(OpText, []byte(message))
		for _, c := range conns {
			if r := c.SendFrame(f); r != Sent {
				t.Fatal(r)
			}
		}
		at := func(k int) *byte { return &f.forConn(conns[k]).wire[0] }
		if at(0) != at(4) || at(1) != at(5) || at(0) == at(1) || at(3) != &f.wire[0] {
			t.Error("what frames share")
		}
		for _, d := range peers {
			if op, got := d.hears(); op != OpText || got != message {
				t.Fatalf("got %d %q", op, got)
			}
		}
	}
	if n := s.Totals().Deflated; n != 30 {
		t.Errorf("%d compressed messages counted", n)
	}
	for k, d := range peers {
		if want := 5; k%4 == 3 && d.uncompressed != want || k%4 != 3 && d.compressed != want {
			t.Errorf("%d: %d compressed, %d not", k, d.compressed, d.uncompressed)
		}
	}
}

// With a context, messages sent by many at once, and to a peer that reads too
// slowly, arrive whole.
func TestContextInOrder(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	o := deflate.Options{ServerContextTakeover: true, ClientContextTakeover: true}
	s := serve(t, "unix", h, Options{Mounts: []*Mount{compressing(CompressionOn, o)}, QueueBytes: 20_000, Slow: SlowDropNewest})
	d := s.dialDeflate("permessage-deflate", "permessage-deflate")
	c := receive(t, "the connection", open)
	var senders sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for g := range 4 {
		senders.Go(func() {
			for i := range 300 {
				if r := c.Send(OpText, []byte(fmt.Sprint(g, " ", i, " ", noise(rand.IntN(2000)), prose))); r == Sent || r == Queued {
					mu.Lock()
					taken++
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	if c.Stats().Dropped == 0 {
		t.Error("nothing was dropped")
	}
	last := [4]int{-1, -1, -1, -1}
	for range taken {
		_, got := d.hears()
		var g, i int
		if _, err := fmt.Sscan(got, &g, &i); err != nil || i <= last[g] || !strings.HasSuffix(got, prose) {
			t.Fatalf("%.50q after %d: %v", got, last[g], err)
		}
		last[g] = i
	}
	if _, err := NewServer(Options{Handler: h, Mounts: []*Mount{compressing(CompressionOn, o)}, Slow: SlowDropOldest}); err != errDropOldest {
		t.Error(err)
	}
}

// A connection's handler may keep none of a compressed message, and what is
// dropped while closing is not even looked at.
func TestCompressedWhileClosing(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	heard := make(chan string, 10)
	h.message = func(_ *Batch, _ *Conn, _ OpCode, p []byte) { heard <- string(p) }
	s := serve(t, "unix", h, Options{Mounts: []*Mount{compressing(CompressionOn, deflate.Options{})}, CloseTimeout: time.Minute})
	d := s.dialDeflate("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
	c := receive(t, "the connection", open)
	d.sendPacked(OpText, "first", 1)
	if got := receive(t, "a message", heard); got != "first" {
		t.Errorf("%q", got)
	}
	if err := c.Close(1000, "bye"); err != nil {
		t.Fatal(err)
	}
	d.expectClose(1000)
	d.write(clientFrame(true, OpText|rsv1, []byte("\xff\xff\xff")))
	d.send(OpClose, closeBody(1000, ""))
	d.expectEnd()
	if info := h.end(); !info.Clean {
		t.Errorf("%+v", info)
	}
}
