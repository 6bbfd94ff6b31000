package attacks

import (
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Requests that are too large in some way are refused at the limit, not when they
// are whole: whoever sends them is still sending when the answer comes.
func TestHeaderBombs(t *testing.T) {
	t.Parallel()
	const first = "GET / HTTP/1.1\r\nHost: localhost\r\n"
	attack(t, setting{config: "[close]\ntimeout = \"1s\""}, 12*mebi, func(d *daemon) {
		for name, bomb := range map[string]struct {
			status int
			bytes  func(write func(string) bool)
		}{
			"one long value": {431, func(write func(string) bool) {
				write(first + "X: ")
				for write(strings.Repeat("x", 1<<16)) {
				}
			}},
			"one long name": {431, func(write func(string) bool) {
				write(first)
				for write(strings.Repeat("x", 1<<16)) {
				}
			}},
			"one long line": {414, func(write func(string) bool) {
				write("GET /")
				for write(strings.Repeat("x", 1<<16)) {
				}
			}},
			"no end of fields": {431, func(write func(string) bool) {
				write(first)
				for write(strings.Repeat("A: b\r\n", 1<<12)) {
				}
			}},
			"no end of empty values": {431, func(write func(string) bool) {
				write(first)
				for write(strings.Repeat("A:\r\n", 1<<12)) {
				}
			}},
			"no end of cookies": {431, func(write func(string) bool) {
				write(first)
				for write(strings.Repeat("Cookie: a=b; c=d\r\n", 1<<12)) {
				}
			}},
			"many small fields": {431, func(write func(string) bool) {
				write(strings.TrimSuffix(handshake, "\r\n") + strings.Repeat("A:\r\n", 101) + "\r\n")
			}},
			"just too large": {431, func(write func(string) bool) { write(request("/", "X: "+strings.Repeat("x", 16384-len(handshake)))) }},
			"long lines in pieces": {431, func(write func(string) bool) {
				for _, c := range first + "X: " + strings.Repeat("x", 20_000) {
					if !write(string(c)) {
						return
					}
				}
			}},
			"short lines in pieces": {431, func(write func(string) bool) {
				for _, c := range first + strings.Repeat("A:\r\n", 5_000) {
					if !write(string(c)) {
						return
					}
				}
			}},
		} {
			for _, network := range []string{"unix", "tcp"} {
				p := d.raw(network)
				var bombing sync.WaitGroup
				bombing.Go(func() {
					bomb.bytes(func(s string) bool { _, err := p.Conn.Write([]byte(s)); return err == nil })
				})
				if status, head := p.answer(); status != bomb.status {
					t.Errorf("%s: %q", name, head)
				}
				p.Close()
				bombing.Wait()
			}
		}
		// What is just within the limits is taken.
		p := d.raw("unix")
		p.upgrade(request("/", "X: "+strings.Repeat("x", 16384-len(handshake)-len("X: \r\n"))))
		p.Close()
	})
}

// A head in the tiniest pieces, of the most lines that fit into it, costs no more
// than its bytes: what has been looked at is not looked at again. 200 of them at
// a time, while the bystander goes on.
func TestHeadsInPieces(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 8*mebi, func(d *daemon) {
		head := "GET / HTTP/1.1\r\n" + strings.Repeat("A:\r\n", 80)
		var peers []*peer
		for range 200 {
			peers = append(peers, d.raw("tcp"))
		}
		for i := range head {
			for _, p := range peers {
				p.write([]byte{head[i]})
			}
		}
		for _, p := range peers {
			p.write([]byte(strings.TrimPrefix(handshake, "GET / HTTP/1.1\r\n")))
			if status, answer := p.answer(); status != 101 {
				t.Fatal(answer)
			}
			p.Close()
		}
	})
}

// Frames in the packet of the handshake are the session's first, whole or cut;
// what follows a refused handshake is nothing, least of all another request.
func TestFramesBehindTheHandshake(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "paths = [\"/\", \"/bystander\"]\n"}, 8*mebi, func(d *daemon) {
		pair := string(text("one")) + string(text("two"))
		for cut := range len(pair) {
			p := d.raw("unix")
			p.write([]byte(handshake + pair[:cut]))
			if status, head := p.answer(); status != 101 {
				t.Fatal(head)
			}
			p.write([]byte(pair[cut:]))
			p.hears("one")
			p.hears("two")
			p.Close()
		}
		for _, first := range []string{request("/none"), strings.Replace(handshake, "Upgrade: websocket", "Upgrade: other", 1), "BAD\r\n\r\n"} {
			for _, then := range []string{handshake, pair, strings.Repeat(handshake, 20)} {
				if n := d.answersTo(first + then); n != 1 {
					t.Errorf("%d answers to %q", n, first+then)
				}
			}
		}
	})
}

// answersTo counts the answers to what is sent on one connection.
func (d *daemon) answersTo(bytes string) (n int) {
	d.t.Helper()
	p := d.raw("unix")
	defer p.Close()
	_, _ = p.Conn.Write([]byte(bytes)) // the other side may have enough
	_ = p.halfClose()
	return len(statusLine.FindAllString(p.rest(), -1))
}

// statusLine begins an answer.
var statusLine = regexp.MustCompile(`HTTP/1\.\d \d{3} `)
