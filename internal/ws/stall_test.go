package ws

import (
	"testing"
	"time"
)

// What came while a loop stood still is read before anybody's deadline is
// judged, however many have sent something.
func TestLoopThatStoodStill(t *testing.T) {
	const timeout = 2 * time.Second
	stand, goOn := make(chan struct{}), make(chan struct{})
	h := newRecorder(t)
	h.message = func(b *Batch, c *Conn, op OpCode, payload []byte) {
		close(stand)
		<-goOn
	}
	s := serve(t, "unix", h, Options{Loops: 1, HandshakeTimeout: timeout})
	first := s.dial()
	half := len(handshake) / 2
	clients := make([]*client, maxEvents+maxEvents/2)
	for i := range clients {
		clients[i] = s.dialRaw()
		clients[i].write([]byte(handshake[:half]))
	}
	first.send(OpText, "stand still")
	receive(t, "the message", stand)
	for _, c := range clients {
		c.write([]byte(handshake[half:]))
	}
	<-time.After(2 * timeout) // it is this time that is tested
	close(goOn)
	for _, c := range clients {
		c.upgraded()
	}
	if stood := time.Duration(s.loops[0].stood.Load()); stood < timeout {
		t.Error("the loop's clock has counted the time in which it stood still")
	}
	for _, c := range append(clients, first) {
		c.Close()
	}
	for range len(clients) + 1 {
		h.end()
	}
}
