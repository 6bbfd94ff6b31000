package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// length gives a binary frame's header with a 64-bit length.
func length(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0x82, 127}, n)
}

func closeFrame(payload ...byte) []byte {
	return append([]byte{0x88, byte(len(payload))}, payload...)
}

// Whatever a server sends after the upgrade costs it the connection, with the
// right code and a clear reason, and costs the client no memory.
func TestHostileFrames(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes []byte
		code  int
		is    error
		says  string
	}{
		"masked":              {ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("x")))), 1002, ErrProtocol, "masked"},
		"2^62 bytes":          {length(1 << 62), 1009, ErrTooBig, "4611686018427387904"},
		"2^63 bytes":          {length(1 << 63), 1002, ErrProtocol, "top bit"},
		"2^64-1 bytes":        {length(1<<64 - 1), 1002, ErrProtocol, "top bit"},
		"over the limit":      {length(DefaultMaxFrame + 1), 1009, ErrTooBig, "limit"},
		"limit, then nothing": {append(length(DefaultMaxFrame), 1, 2, 3), 1006, io.ErrUnexpectedEOF, ""},
		"half a header":       {[]byte{0x82}, 1006, io.ErrUnexpectedEOF, ""},
		"half a length":       {[]byte{0x82, 127, 0, 0}, 1006, io.ErrUnexpectedEOF, ""},
		"nothing":             {nil, 1006, io.ErrUnexpectedEOF, "hung up"},
		"long form of 125":    {[]byte{0x82, 126, 0, 125}, 1002, ErrProtocol, "three bytes"},
		"long form of 65535":  {length(65535), 1002, ErrProtocol, "nine bytes"},
		"reserved bit":        {[]byte{0xc1, 0}, 1002, ErrProtocol, "rsv"},
		"reserved opcode 3":   {[]byte{0x83, 0}, 1002, ErrProtocol, "op code"},
		"reserved opcode 11":  {[]byte{0x8b, 0}, 1002, ErrProtocol, "op code"},
		"ping of 126 bytes":   {[]byte{0x89, 126, 0, 126}, 1002, ErrProtocol, "control"},
		"ping in fragments":   {[]byte{0x09, 0}, 1002, ErrProtocol, "control"},
		"continuation alone":  {[]byte{0x80, 0}, 1002, ErrProtocol, "continuation"},
		"text within text":    {[]byte{0x01, 0, 0x81, 0}, 1002, ErrProtocol, "continuation"},
		"text not UTF-8":      {[]byte{0x81, 2, 0xc3, 0x28}, 1007, ErrProtocol, "UTF-8"},
		"UTF-8 cut off":       {[]byte{0x01, 1, 0xe2, 0x80, 1, 0x98}, 1007, ErrProtocol, "UTF-8"},
		"surrogate":           {[]byte{0x81, 3, 0xed, 0xa0, 0x80}, 1007, ErrProtocol, "UTF-8"},
		"close of one byte":   {closeFrame(3), 1002, ErrProtocol, "one byte"},
		"close 1005":          {closeFrame(0x03, 0xed), 1002, ErrProtocol, "1005"},
		"close 1006":          {closeFrame(0x03, 0xee), 1002, ErrProtocol, "1006"},
		"close 1015":          {closeFrame(0x03, 0xf7), 1002, ErrProtocol, "1015"},
		"close 999":           {closeFrame(0x03, 0xe7), 1002, ErrProtocol, "999"},
		"close 2999":          {closeFrame(0x0b, 0xb7), 1002, ErrProtocol, "2999"},
		"close 5000":          {closeFrame(0x13, 0x88), 1002, ErrProtocol, "5000"},
		"close reason":        {closeFrame(0x03, 0xe8, 0xff), 1007, ErrProtocol, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			in, handlers := recorder()
			said := make(chan int, 1)
			c := dialed(t, server(t, func(p *peer) {
				p.until(TypeCfg)
				p.bytes(tc.bytes)
				if tc.code == CloseAbnormal {
					return
				}
				code, _ := p.closing()
				said <- code
			}), handlers)
			why := recv(t, in.closed)
			if why.Code != tc.code || why.Remote || !errors.Is(why, tc.is) || !strings.Contains(why.Error(), tc.says) {
				t.Errorf("closed for %v", why)
			}
			if tc.code != CloseAbnormal {
				if code := recv(t, said); code != tc.code {
					t.Errorf("server was told %d", code)
				}
			}
			wait(t, c.Done())
			if n := len(in.text) + len(in.json) + len(in.binary); n != 0 {
				t.Errorf("%d messages were delivered", n)
			}
		})
	}
}

// Codes IANA registered after the RFC are codes like others.
func TestCloseCodesFromServer(t *testing.T) {
	for _, code := range []int{1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3002, 4999, 0} {
		in, handlers := recorder()
		said := make(chan int, 1)
		dialed(t, server(t, func(p *peer) {
			var body []byte
			if code != 0 {
				body = ws.NewCloseFrameBody(ws.StatusCode(code), "why")
			}
			p.send(ws.OpClose, body)
			echoed, _ := p.closing()
			said <- echoed
		}), handlers)
		want, reason := code, "why"
		if code == 0 {
			want, reason = CloseNoStatus, ""
		}
		if why := recv(t, in.closed); why.Code != want || why.Reason != reason || !why.Remote {
			t.Errorf("%d: closed for %v", code, why)
		}
		if echoed := recv(t, said); echoed != want {
			t.Errorf("%d: echoed %d", code, echoed)
		}
	}
}

// A declared length is not allocated: 64 connections that each declare 16 MiB.
func TestDeclaredLengthCostsNothing(t *testing.T) {
	declared := make(chan struct{})
	url := server(t, func(p *peer) {
		p.until(TypeCfg)
		p.send(ws.OpPing, []byte("seen"))
		p.bytes(length(DefaultMaxFrame))
		p.bytes(make([]byte, 1000))
		declared <- struct{}{}
		p.closing()
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 64 {
		dialed(t, url, WithCloseTimeout(100*time.Millisecond))
		recv(t, declared)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("allocated %d MiB", grown>>20)
	}
}

// Fragments are bounded together, not each.
func TestEndlessFragments(t *testing.T) {
	in, handlers := recorder()
	dialed(t, server(t, func(p *peer) {
		frame := ws.MustCompileFrame(ws.NewFrame(ws.OpContinuation, false, make([]byte, 1000)))
		p.raw(ws.NewFrame(ws.OpBinary, false, nil))
		for {
			if _, err := p.Write(frame); err != nil {
				return
			}
		}
	}), handlers, WithMaxMessage(10_000))
	if why := recv(t, in.closed); why.Code != CloseTooBig || !errors.Is(why, ErrTooBig) {
		t.Errorf("closed for %v", why)
	}
}

func TestHostileHandshakes(t *testing.T) {
	t.Parallel()
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
	accept := func(p *peer) string { // for the key the client sent
		head := make([]byte, 4096)
		n, _ := p.Conn.Read(head)
		key := string(head[:n])
		key = key[strings.Index(key, "Sec-WebSocket-Key: ")+19:]
		sum := acceptOf(key[:24])
		return "Sec-WebSocket-Accept: " + sum + "\r\n"
	}
	for name, tc := range map[string]struct {
		answer func(p *peer)
		says   string
	}{
		"wrong accept": {func(p *peer) {
			accept(p)
			p.bytes([]byte(good + "Sec-WebSocket-Accept: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"))
		}, "Sec-WebSocket-Accept"},
		"no accept":     {func(p *peer) { accept(p); p.bytes([]byte(good + "\r\n")) }, "Sec-WebSocket-Accept"},
		"two accepts":   {func(p *peer) { a := accept(p); p.bytes([]byte(good + a + a + "\r\n")) }, "Sec-WebSocket-Accept"},
		"HTTP/1.0":      {func(p *peer) { p.bytes([]byte(strings.Replace(good, "1.1", "1.0", 1) + accept(p) + "\r\n")) }, "HTTP/1.0"},
		"no upgrade":    {func(p *peer) { p.bytes([]byte(strings.Replace(good, "websocket", "h2c", 1) + accept(p) + "\r\n")) }, "Upgrade"},
		"no connection": {func(p *peer) { p.bytes([]byte(strings.Replace(good, ", Upgrade", "", 1) + accept(p) + "\r\n")) }, "Connection"},
		"extension": {func(p *peer) {
			p.bytes([]byte(good + accept(p) + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
		}, "not offered"},
		"subprotocol":     {func(p *peer) { p.bytes([]byte(good + accept(p) + "Sec-WebSocket-Protocol: chat\r\n\r\n")) }, "not offered"},
		"not HTTP":        {func(p *peer) { accept(p); p.bytes([]byte("220 mail.example.org ESMTP\r\n\r\n")) }, "not HTTP"},
		"control bytes":   {func(p *peer) { accept(p); p.bytes([]byte("\x1b]0;x\x07\r\n\r\n")) }, `\x1b`},
		"hangs up":        {func(p *peer) { accept(p) }, "hung up"},
		"half an answer":  {func(p *peer) { accept(p); p.bytes([]byte(good)) }, "hung up"},
		"endless headers": {func(p *peer) { accept(p); endless(p, good, "X-Header: value\r\n") }, "larger than"},
		"endless line":    {func(p *peer) { accept(p); endless(p, good+"X: ", "xxxxxxxxxxxxxxxx") }, "larger than"},
		"endless nothing": {func(p *peer) { accept(p); endless(p, "", "\x00\x00\x00\x00") }, "larger than"},
		"long value": {func(p *peer) {
			accept(p)
			p.bytes([]byte(good + "Sec-WebSocket-Accept: " + strings.Repeat("é", 20_000) + "\r\n\r\n"))
		}, "Sec-WebSocket-Accept"},
		"long line": {func(p *peer) { accept(p); p.bytes([]byte(strings.Repeat("x", 50_000) + "\r\n\r\n")) }, "not HTTP"},
		"drop by drop": {func(p *peer) {
			accept(p)
			for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
				if _, err := p.Write([]byte("H")); err != nil {
					tick.Stop()
					return
				}
			}
		}, "no answer within"},
		"early hints":   {func(p *peer) { accept(p); p.bytes([]byte("HTTP/1.1 103 Early Hints\r\n\r\n")) }, "103"},
		"never answers": {func(p *peer) { io.Copy(io.Discard, p) }, "no answer within"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := DefaultHandshakeTimeout
			if name == "never answers" || name == "drop by drop" {
				timeout = 100 * time.Millisecond
			}
			_, err := Dial(within(t), rawServer(t, tc.answer), WithHandshakeTimeout(timeout))
			if !errors.Is(err, ErrHandshake) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("dialed with %v", err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\x07\r\n") {
				t.Errorf("the error carries the server's control characters: %q", err)
			}
			if err != nil && len(err.Error()) > 1200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func endless(p *peer, begin, more string) {
	p.bytes([]byte(begin))
	chunk := bytes.Repeat([]byte(more), 1000)
	for {
		if _, err := p.Write(chunk); err != nil {
			return
		}
	}
}

func TestRefused(t *testing.T) {
	_, err := Dial(within(t), rawServer(t, func(p *peer) {
		p.Conn.Read(make([]byte, 4096))
		fmt.Fprintf(p, "HTTP/1.1 403 No\r\nX-Why: because\r\nContent-Length: 1000000\r\n\r\nnot \x1b[2Jyou\n")
		endless(p, "", "and so on\n")
	}))
	var he *HandshakeError
	if !errors.As(err, &he) || he.Status != 403 || he.Header.Get("X-Why") != "because" || !strings.HasPrefix(he.Body, "not \x1b[2Jyou\n") ||
		len(he.Body) > maxRefusalBody {
		t.Fatalf("refused with %v", err)
	}
	if strings.Contains(err.Error(), "\x1b") {
		t.Errorf("unescaped: %q", err)
	}
}

// A refusal is told although its body never ends, soon.
func TestRefusalWithoutEnd(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	url := rawServer(t, func(p *peer) {
		p.Conn.Read(make([]byte, 4096))
		fmt.Fprintf(p, "HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\nto be")
		<-over
	})
	defer close(over)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, ctx := range []context.Context{ctx, t.Context()} {
		_, err := Dial(ctx, url)
		var he *HandshakeError
		if !errors.As(err, &he) || he.Status != 503 || he.Body != "to be" {
			t.Errorf("refused with %v", err)
		}
	}
}

// A redirect is told, not followed: who answers may not choose where this side
// connects, credentials and all.
func TestRedirect(t *testing.T) {
	elsewhere := rawServer(t, func(p *peer) { t.Error("followed") })
	for _, status := range []int{301, 302, 307, 308} {
		_, err := Dial(within(t), rawServer(t, func(p *peer) {
			p.Conn.Read(make([]byte, 4096))
			fmt.Fprintf(p, "HTTP/1.1 %d Over there\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, elsewhere)
		}))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || !strings.Contains(err.Error(), elsewhere+`"`) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A server that never stops pinging is answered, and nothing else suffers.
func TestEndlessPings(t *testing.T) {
	c := dialed(t, server(t, func(p *peer) {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			frame := ws.MustCompileFrame(ws.NewPingFrame(make([]byte, 125)))
			message := []byte(`{"___type___":"___ping___","___id___":"x","___data___":"1"}`)
			both := bytes.Repeat(append(frame, ws.MustCompileFrame(ws.NewTextFrame(message))...), 50)
			for {
				select {
				case <-stop:
					return
				default:
					p.bytes(both)
				}
			}
		}()
		env, _ := p.until(TypeCreq)
		close(stop)
		<-stopped
		p.envelope(TypeSres, env.ID, `"still here"`)
		p.shut()
	}))
	for range 100 { // pings have come all the while
		must(t, c.SendBinary(within(t), make([]byte, 10_000)))
	}
	if env, err := c.Request(within(t), 1); err != nil || string(env.Data) != `"still here"` {
		t.Errorf("%+v, %v", env, err)
	}
	must(t, c.Close(within(t), CloseNormal, ""))
}

// A close frame in the middle of a message ends it: the part is not delivered,
// nor is what follows.
func TestCloseWithinMessage(t *testing.T) {
	in, handlers := recorder()
	c := dialed(t, server(t, func(p *peer) {
		p.raw(ws.NewFrame(ws.OpText, false, []byte("half")))
		p.send(ws.OpClose, ws.NewCloseFrameBody(4002, "changed my mind"))
		p.raw(ws.NewFrame(ws.OpContinuation, true, []byte("half")))
		p.text("and more")
		p.closing()
	}), handlers)
	if why := recv(t, in.closed); why.Code != 4002 || !why.Remote || why.Err != nil {
		t.Errorf("closed for %v", why)
	}
	wait(t, c.Done())
	if len(in.text) != 0 {
		t.Errorf("delivered %q", recv(t, in.text))
	}
}

func TestDialGivesUp(t *testing.T) {
	url := rawServer(t, func(p *peer) { io.Copy(io.Discard, p) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, url); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Dial(cancelled, url); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Dial(t.Context(), "ws+unix:///nowhere/at/all.sock"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no socket: %v", err)
	}
}

// A server that never answers the close costs the close timeout, no more.
func TestCloseWithoutAnswer(t *testing.T) {
	in, handlers := recorder()
	over := make(chan struct{})
	url := server(t, func(p *peer) { <-over })
	defer close(over)
	c := dialed(t, url, handlers, WithCloseTimeout(100*time.Millisecond))
	if err := c.Close(within(t), 4000, "x"); err == nil || !strings.Contains(err.Error(), "no close frame") {
		t.Errorf("close: %v", err)
	}
	if why := recv(t, in.closed); why.Code != 4000 || why.Remote {
		t.Errorf("closed for %v", why)
	}
	other := dialed(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := other.Close(ctx, CloseNormal, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("close with an ended context: %v", err)
	}
}
