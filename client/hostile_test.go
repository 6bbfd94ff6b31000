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
