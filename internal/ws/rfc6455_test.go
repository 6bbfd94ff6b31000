package ws

import (
	"strings"
	"testing"
)

// The tests named TestRFC6455_SECTION_... show one requirement each; the table
// of them is docs/conformance.md. They speak to a running server.

// reply is a message or control frame of the server.
type reply struct {
	op      OpCode
	payload string
}

// echoing runs a server that returns every message to its sender.
func echoing(t *testing.T, lim Limits) *testServer {
	t.Helper()
	return serve(t, "tcp", newRecorder(t).echo(), Options{Mounts: []*Mount{{Limits: lim}}})
}

// as is s for a subtest.
func (s *testServer) as(t *testing.T) *testServer {
	sub := *s
	sub.t = t
	return &sub
}

// answers checks that the server answers these bytes so, and nothing else: its
// connection is closed in order after it.
func (s *testServer) answers(wire []byte, want ...reply) {
	s.t.Helper()
	c := s.dial()
	c.write(wire)
	for _, r := range want {
		c.expect(r.op, r.payload)
	}
	c.closes(s, 1000)
}

// closes shakes hands and reads the socket's end, which the server must begin.
func (c *client) closes(s *testServer, code int) {
	c.t.Helper()
	c.send(OpClose, closeBody(code, ""))
	c.expect(OpClose, closeBody(code, ""))
	c.expectEnd()
	c.Close()
	if info := s.h.end(); info != (CloseInfo{Code: code, Remote: true, Clean: true}) {
		c.t.Fatalf("closed with %+v", info)
	}
}

// fails checks that these bytes, without any that follow, fail the connection:
// what came before them is answered, then comes the close frame, then the end.
func (s *testServer) fails(wire []byte, e *ProtocolError, want ...reply) {
	s.t.Helper()
	c := s.dial()
	c.write(wire)
	c.failed(s, e, want...)
}

// failed reads the end of a connection that the server fails.
func (c *client) failed(s *testServer, e *ProtocolError, want ...reply) {
	c.t.Helper()
	for _, r := range want {
		c.expect(r.op, r.payload)
	}
	c.expect(OpClose, closeBody(e.Code, e.Reason))
	c.expectEnd()
	c.Close()
	if info := s.h.end(); info != (CloseInfo{Code: e.Code, Reason: e.Reason, Err: e}) {
		c.t.Fatalf("closed with %+v", info)
	}
}

// masked is a masked frame with this first byte.
func masked(first byte, payload string) []byte {
	b := clientFrame(true, OpBinary, []byte(payload))
	b[0] = first
	return b
}

// refuses checks that a request is answered with an HTTP error and that nothing
// after it is processed.
func (s *testServer) refuses(request string, status int) {
	s.t.Helper()
	c := s.dialRaw()
	c.write(append([]byte(request), text("must not be seen")...))
	c.refused(status)
	c.Close()
}

// accepts checks that a request is answered with 101, and returns the answer.
func (s *testServer) accepts(request string) (answer string) {
	s.t.Helper()
	c := s.dialRaw()
	c.write([]byte(request))
	if answer = c.head(); !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		s.t.Fatalf("not upgraded: %q", answer)
	}
	c.closes(s, 1000)
	return answer
}
