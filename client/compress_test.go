package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/deflate"
)

// deflating is a server that agrees to compression and hands each connection to
// script.
func deflating(t *testing.T, o *deflate.Options, script func(p *peer, agreed deflate.Params)) (url string) {
	t.Helper()
	return rawServer(t, func(p *peer) {
		req, err := http.ReadRequest(p.br)
		if err != nil {
			return
		}
		var fields [][]byte
		for _, v := range req.Header.Values("Sec-WebSocket-Extensions") {
			fields = append(fields, []byte(v))
		}
		agreed, answer, ok := deflate.Accept(fields, o)
		if !ok {
			t.Errorf("the offer %q was declined", fields)
		}
		fmt.Fprintf(p, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"+
			"Sec-WebSocket-Extensions: %s\r\n\r\n", acceptOf(req.Header.Get("Sec-WebSocket-Key")), answer)
		script(p, agreed)
	})
}

// wire is what a data message was on the wire.
type wire struct {
	compressed bool
	frames     int
	bytes      int // of payload
	message    []byte
}

// whole reads the client's next data message and inflates it.
func (p *peer) whole(bits int, w *deflate.Window) (m wire, err error) {
	var payload []byte
	for {
		f, err := p.anyFrame()
		if err != nil {
			return m, err
		}
		if f.Header.OpCode.IsControl() {
			continue
		}
		m.frames++
		m.compressed = m.compressed || f.Header.Rsv1()
		if f.Header.Rsv != 0 && m.frames > 1 {
			return m, fmt.Errorf("reserved bits %d in fragment %d", f.Header.Rsv, m.frames)
		}
		payload = append(payload, f.Payload...)
		if f.Header.Fin {
			break
		}
	}
	m.bytes, m.message = len(payload), payload
	if m.compressed {
		m.message, err = deflate.Inflate(nil, payload, bits, 1<<30, w)
	}
	return m, err
}

func window(none bool) *deflate.Window {
	if none {
		return nil
	}
	return new(deflate.Window)
}

// Messages come and go compressed, whatever is agreed on.
func TestCompressedMessages(t *testing.T) {
	for _, c := range []Compression{
		{Threshold: 100},
		{Threshold: 100, ServerContextTakeover: true, ClientContextTakeover: true},
		{Threshold: 100, ServerContextTakeover: true, ClientContextTakeover: true, ServerWindowBits: 8, ClientWindowBits: 9},
		{Threshold: 100, ServerWindowBits: 12, ClientWindowBits: 8},
		{Threshold: 1, ClientContextTakeover: true, ReceiveOnly: true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			wires := make(chan wire, 100)
			url := deflating(t, &deflate.Options{ServerContextTakeover: true, ClientContextTakeover: true}, func(p *peer, agreed deflate.Params) {
				sent, received := window(agreed.ServerNoContextTakeover), window(agreed.ClientNoContextTakeover)
				for {
					m, err := p.whole(int(agreed.ClientMaxWindowBits), received)
					if err != nil {
						return
					}
					wires <- m
					f := ws.NewTextFrame(deflate.Compress(nil, m.message, int(agreed.ServerMaxWindowBits), sent))
					f.Header.Rsv = ws.Rsv(true, false, false)
					p.raw(f)
				}
			})
			in, handlers := recorder()
			conn := dialed(t, url, handlers, WithCompression(c), WithFragment(1000), WithKeepalive(0))
			if !strings.HasPrefix(conn.Extensions(), "permessage-deflate") {
				t.Errorf("extensions: %q", conn.Extensions())
			}
			noise := make([]byte, 0, 2000)
			for range cap(noise) {
				noise = append(noise, byte('!'+rand.IntN(90)))
			}
			words := bytes.Repeat([]byte("Grüße, 世界. "), 500)
			for _, m := range [][]byte{nil, words[:50], words[:400], words, words, noise, []byte("end")} {
				must(t, conn.SendString(within(t), string(m)))
				w := recv(t, wires)
				if got := recv(t, in.text); got != string(m) || !bytes.Equal(w.message, m) {
					t.Fatalf("%d bytes arrived as %d and came back as %d", len(m), len(w.message), len(got))
				}
				shall := !c.ReceiveOnly && len(m) >= c.Threshold && (c.ClientContextTakeover || w.bytes < len(m))
				if w.compressed != shall {
					t.Errorf("%d bytes: compressed: %v", len(m), w.compressed)
				}
				if want := max(1, (w.bytes+999)/1000); w.frames != want {
					t.Errorf("%d bytes on the wire in %d frames", w.bytes, w.frames)
				}
				if len(m) == len(words) && shall && w.bytes > len(m)/5 {
					t.Errorf("%d bytes were compressed to %d", len(m), w.bytes)
				}
			}
		})
	}
}

func TestCompressionIsOfferedOnlyWhenAsked(t *testing.T) {
	for want, opts := range map[string][]Option{
		"": nil,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits": {WithCompression(Compression{})},
		"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9": {WithCompression(Compression{
			ServerContextTakeover: true, ClientContextTakeover: true, ServerWindowBits: 10, ClientWindowBits: 9})},
	} {
		heard := make(chan []string, 1)
		url := rawServer(t, func(p *peer) {
			req, err := http.ReadRequest(bufio.NewReader(p.Conn))
			if err != nil {
				t.Error(err)
				return
			}
			heard <- req.Header.Values("Sec-WebSocket-Extensions")
			fmt.Fprintf(p, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
				acceptOf(req.Header.Get("Sec-WebSocket-Key")))
			p.closing()
		})
		conn := dialed(t, url, opts...)
		if got := recv(t, heard); strings.Join(got, "|") != want {
			t.Errorf("offered %q, want %q", got, want)
		}
		if conn.Extensions() != "" {
			t.Errorf("declined, yet there is %q", conn.Extensions())
		}
		must(t, conn.SendString(within(t), strings.Repeat("x", 1000))) // plain: the peer checks reserved bits
		conn.CloseNow()
	}
}

func TestCompressionOptionsThatMakeNoSense(t *testing.T) {
	for says, c := range map[string]Compression{
		"threshold -1":           {Threshold: -1},
		"ServerWindowBits is 7":  {ServerWindowBits: 7},
		"ClientWindowBits is 16": {ClientWindowBits: 16},
	} {
		_, err := Dial(within(t), "ws://127.0.0.1:1/", WithCompression(c))
		if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// FuzzCompressedFrames: with compression agreed on, too, what a server sends
// means the same however it is cut, no message is over the limit, and what has no
// reserved bits means what it does without compression.
func FuzzCompressedFrames(f *testing.F) {
	message := func(first byte, text string) []byte {
		payload := deflate.Compress(nil, []byte(text), 15, nil)
		return append([]byte{first, byte(len(payload))}, payload...)
	}
	for _, seed := range [][]byte{
		message(0xc1, "hello hello hello"), message(0xc2, strings.Repeat("x", 900)), message(0xc1, "\xff"), message(0xc1, ""),
		append(message(0x41, "begun"), 0x89, 0, 0x80, 0), append(message(0x41, "begun"), message(0xc0, "more")...), message(0xc9, "ping"), message(0xe1, "RSV2"),
		{0xc1, 0}, {0xc1, 2, 0xff, 0xff}, {0x81, 2, 'h', 'i'}, append(message(0xc1, "one"), message(0xc1, "one two")...),
	} {
		f.Add(seed, uint16(1000), true)
		f.Add(seed, uint16(20), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, limit uint16, takeover bool) {
		read := func(r io.Reader, inflate *inflater) (got []string, err error) {
			fr := frameReader{src: r, maxFrame: 1 << 20, maxMessage: int64(limit), inflate: inflate}
			for {
				op, payload, err := fr.next()
				if err != nil {
					return got, err
				}
				if len(payload) > int(limit) && !op.IsControl() {
					t.Fatalf("a message of %d bytes, limit %d", len(payload), limit)
				}
				got = append(got, fmt.Sprintf("%x:%s", byte(op), payload))
			}
		}
		with := func() *inflater { return &inflater{bits: 15, window: window(!takeover)} }
		whole, wholeErr := read(bytes.NewReader(b), with())
		split, splitErr := read(iotest.OneByteReader(bytes.NewReader(b)), with())
		if !slices.Equal(whole, split) || wholeErr.Error() != splitErr.Error() {
			t.Fatalf("%q, %v; byte by byte %q, %v", whole, wholeErr, split, splitErr)
		}
		plain, plainErr := read(bytes.NewReader(b), nil)
		if !strings.Contains(plainErr.Error(), "rsv") && (!slices.Equal(whole, plain) || wholeErr.Error() != plainErr.Error()) {
			t.Fatalf("%q, %v; without compression %q, %v", whole, wholeErr, plain, plainErr)
		}
	})
}
