package ws

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// halfClose ends the client's side of the socket.
func (c *client) halfClose() {
	c.t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// pushed makes the server queue more for a client than the kernel takes, and
// returns how many messages of 1 MiB that was.
func pushed(conn *Conn) (n int) {
	for r := Sent; r == Sent; n++ {
		r = conn.Send(OpBinary, make([]byte, 1<<20))
	}
	return n
}

// The server ends the socket as soon as both close frames are there, whoever
// began, though the client keeps its side.
func TestRFC6455_7_1_1_ServerEndsTheSocketFirst(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		c := s.dial()
		receive(t, "connection", open)
		c.send(OpClose, closeBody(1000, ""))
		c.expect(OpClose, closeBody(1000, ""))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})
		c = s.dial()
		_ = receive(t, "connection", open).Close(1001, "")
		c.expect(OpClose, closeBody(1001, ""))
		c.send(OpClose, closeBody(1001, ""))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1001, Clean: true})
	})
}

// A client that ends its side of the socket gets what is due to it in whatever
// state: the answer to its handshake, to its messages, what was queued.
func TestRFC6455_7_1_1_HalfClosedInEveryState(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		begin := func(wire ...[]byte) *client {
			c := s.dialRaw()
			c.write(join(wire...))
			return c
		}
		abnormal := CloseInfo{Code: CloseAbnormal}

		for _, request := range []string{"", handshake[:20]} { // within the handshake
			c := begin([]byte(request))
			c.halfClose()
			c.expectEnd()
		}
		c := begin([]byte(requestWith(keyLine, ""))) // refused
		c.halfClose()
		c.refused(400)
		c = begin([]byte(handshake)) // open
		c.halfClose()
		c.upgraded()
		c.expectEnd()
		wantEnd(t, h, abnormal)
		receive(t, "connection", open)
		c = begin([]byte(handshake), text("a"), clientFrame(true, OpPing, []byte("p")), text("cut")[:5]) // within a frame
		c.halfClose()
		c.upgraded()
		c.expect(OpText, "a")
		c.expect(OpPong, "p")
		c.expectEnd()
		wantEnd(t, h, abnormal)
		receive(t, "connection", open)

		c = s.dial() // what is queued leaves
		sent := pushed(receive(t, "connection", open))
		c.halfClose()
		wantEnd(t, h, abnormal)
		for range sent {
			c.expect(OpBinary, string(make([]byte, 1<<20)))
		}
		c.expectEnd()

		c = s.dial() // after our close frame, and instead of an answer
		conn := receive(t, "connection", open)
		sent = pushed(conn)
		_ = conn.Close(1001, "bye")
		c.halfClose()
		wantEnd(t, h, CloseInfo{Code: 1001, Reason: "bye"})
		for range sent {
			c.expect(OpBinary, string(make([]byte, 1<<20)))
		}
		c.expect(OpClose, closeBody(1001, "bye"))
		c.expectEnd()

		c = s.dial() // after its own close frame
		sent = pushed(receive(t, "connection", open))
		c.send(OpClose, closeBody(1000, ""))
		c.halfClose()
		for range sent {
			c.expect(OpBinary, string(make([]byte, 1<<20)))
		}
		c.expect(OpClose, closeBody(1000, ""))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})

		c = s.dial() // after a violation
		receive(t, "connection", open)
		c.write([]byte{0xff})
		c.halfClose()
		c.expectClose(CloseProtocolError)
		c.expectEnd()
		h.end()
	})
}

func TestRFC6455_7_1_2_CloseCarriesCodeAndReason(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "tcp", h, Options{})
	for _, tt := range []struct {
		code   int
		reason string
	}{{1000, ""}, {1001, "shutting down"}, {1012, "\u20ac"}, {4999, strings.Repeat("x", 123)}} {
		c := s.dial()
		_ = receive(t, "connection", open).Close(tt.code, tt.reason)
		c.expect(OpClose, closeBody(tt.code, tt.reason))
		c.send(OpClose, closeBody(tt.code, ""))
		c.expectEnd()
		wantEnd(t, h, CloseInfo{Code: tt.code, Reason: tt.reason, Clean: true})
	}
}

// Both sides send a close frame before they have seen the other's.
func TestRFC6455_7_1_2_SimultaneousClose(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		open := h.capture()
		s := serve(t, network, h, Options{CloseTimeout: time.Hour})
		for range 20 {
			c := s.dial()
			conn := receive(t, "connection", open)
			go func() { _ = conn.Close(4000, "") }()
			c.send(OpClose, closeBody(4001, ""))
			op, p, err := c.next()
			if err != nil || op != OpClose || string(p) != closeBody(4000, "") && string(p) != closeBody(4001, "") {
				t.Fatalf("opcode %d %q, %v", op, p, err)
			}
			c.expectEnd() // exactly one close frame, and at once
			if info := h.end(); !info.Clean || info.Code < 4000 {
				t.Fatalf("%+v", info)
			}
		}
	})
}

func TestRFC6455_7_1_5_CodeAndReasonAreTold(t *testing.T) {
	h := newRecorder(t)
	s := serve(t, "tcp", h, Options{})
	for _, tt := range []struct {
		wire []byte
		want CloseInfo
	}{
		{clientFrame(true, OpClose, []byte(closeBody(4321, "why \u20ac"))), CloseInfo{Code: 4321, Reason: "why \u20ac", Remote: true, Clean: true}},
		{clientFrame(true, OpClose, nil), CloseInfo{Code: CloseNoStatus, Remote: true, Clean: true}},
		{nil, CloseInfo{Code: CloseAbnormal}}, // the socket's end without a close frame
	} {
		c := s.dial()
		c.write(tt.wire)
		c.halfClose()
		wantEnd(t, h, tt.want)
	}
}

// What follows a violation, or a close frame, is not processed: no message, no
// pong, no second close frame.
func TestRFC6455_7_1_7_NothingIsProcessedAfterFailing(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		h.message = func(*Batch, *Conn, OpCode, []byte) { t.Error("a message after the end") }
		s := serve(t, network, h, Options{})
		more := join(text("late"), clientFrame(true, OpPing, nil), clientFrame(true, OpClose, []byte(closeBody(1000, ""))), []byte{0xff})
		for _, first := range [][]byte{{0xff}, text("\xff"), clientFrame(true, OpClose, []byte{3})} {
			c := s.dial()
			c.write(join(first, more))
			if op, _, err := c.next(); op != OpClose || err != nil {
				t.Fatalf("opcode %d, %v", op, err)
			}
			c.expectEnd()
			_, _ = c.Write(more) // the other side still reads
			c.Close()
			if info := h.end(); info.Err == nil {
				t.Fatalf("%+v", info)
			}
		}
		for _, split := range []bool{false, true} {
			c := s.dial()
			body := clientFrame(true, OpClose, []byte(closeBody(1000, "")))
			if split {
				c.write(body)
				_, _ = c.Write(more) // maybe after the socket's end
			} else {
				c.write(join(body, more))
			}
			c.expect(OpClose, closeBody(1000, ""))
			if !split {
				c.expectEnd()
			}
			c.Close()
			wantEnd(t, h, CloseInfo{Code: 1000, Remote: true, Clean: true})
		}
	})
}

// The close frame and an orderly end reach a client that goes on sending.
func TestRFC6455_7_1_7_CloseFrameBeforeTheEnd(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t)
		s := serve(t, network, h, Options{})
		c := s.dial()
		stop, stopped := make(chan bool), make(chan int)
		go func() { // up to 8 MiB after the violation, until the answer is there
			junk := bytes.Repeat([]byte{0xff}, 1<<16)
			n := 0
			for ; n < 8<<20; n += len(junk) {
				if _, err := c.Write(junk); err != nil {
					t.Error("the server cut the socket:", err)
					break
				}
				select {
				case <-stop:
					stopped <- n
					return
				default:
				}
			}
			<-stop
			stopped <- n
		}()
		c.expectClose(CloseProtocolError)
		c.expectEnd()
		close(stop)
		t.Logf("%d bytes were sent meanwhile", <-stopped)
		c.Close()
		h.end()
	})
}

// A client that does not answer our close frame has CloseTimeout for it.
func TestRFC6455_7_1_7_UnansweredCloseEnds(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	const timeout = 200 * time.Millisecond
	s := serve(t, "tcp", h, Options{CloseTimeout: timeout})
	c := s.dial()
	begin := time.Now()
	_ = receive(t, "connection", open).Close(1000, "")
	c.expectClose(1000)
	c.expectEnd()
	if d := time.Since(begin); d < timeout {
		t.Fatalf("cut after %v", d)
	}
	wantEnd(t, h, CloseInfo{Code: 1000})
}

func TestRFC6455_7_2_2_AbortedHandshakeIsClosed(t *testing.T) {
	h := newRecorder(t)
	h.open = func(*Batch, *Conn, *Request) { t.Error("opened") }
	s := serve(t, "tcp", h, Options{HandshakeTimeout: 100 * time.Millisecond})
	c := s.dialRaw()
	c.write([]byte(requestWith(connLine, "")))
	c.refused(400)
	c = s.dialRaw()
	c.write([]byte(handshake[:30]))
	c.refused(408)
}

// All 65536 codes: 0-999, those not assigned, 1004-1006 and 1015, which must not
// be on the wire, and above 4999 are refused. The ends of the ranges are tried
// with a server.
func TestRFC6455_7_4_CodesOnTheWire(t *testing.T) {
	legal := func(code int) bool {
		return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
	}
	for code := range 1 << 16 {
		_, _, err := decodeAll(t, clientFrame(true, OpClose, []byte(closeBody(code, ""))), Limits{})
		if legal(code) != (err == nil) || err != nil && err != ErrCloseCode {
			t.Fatalf("%d: %v", code, err)
		}
	}
	s := echoing(t, Limits{})
	for _, code := range []int{0, 1, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 1100, 1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 10000, 32767, 65535} {
		if legal(code) {
			s.dial().closes(s, code)
		} else {
			s.fails(clientFrame(true, OpClose, []byte(closeBody(code, ""))), ErrCloseCode)
		}
	}
}

func TestRFC6455_7_4_1_ReservedCodesAreNotSent(t *testing.T) {
	h := newRecorder(t)
	open := h.capture()
	s := serve(t, "tcp", h, Options{})
	c := s.dial()
	conn := receive(t, "connection", open)
	for code := -1; code < 1<<16+2000; code++ {
		if !ValidCloseCode(code) {
			if err := conn.Close(code, ""); err != ErrBadCloseCode {
				t.Fatalf("Close(%d): %v", code, err)
			}
		}
	}
	c.closes(s, 1000)
}
