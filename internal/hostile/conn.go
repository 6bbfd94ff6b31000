package hostile

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// conn is the server's end of a connection that a case plays on.
type conn struct {
	tcp     *net.TCPConn
	br      *bufio.Reader
	request *http.Request
	split   int         // bytes of each write; 0: all at once
	rude    atomic.Bool // it does not hang up when the client closes
}

// write sends bytes. A client that has hung up makes it false.
func (c *conn) write(b []byte) bool {
	for len(b) > 0 {
		n := len(b)
		if c.split > 0 {
			n = min(n, c.split)
		}
		if _, err := c.tcp.Write(b[:n]); err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

// endless sends the same until the client hangs up.
func (c *conn) endless(b []byte) {
	b = slices.Repeat(b, 1+4096/len(b))
	for c.split = 0; c.write(b); {
	}
}

// trickle sends the same, now and then, until the client hangs up.
func (c *conn) trickle(b []byte) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.write(b) {
		<-tick.C
	}
}

// head is the right answer to the request, with fields changed: "Name: value"
// replaces, "Name" leaves out, "+Name: value" adds.
func (c *conn) head(changes ...string) []byte {
	sum := sha1.Sum([]byte(c.request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	lines := []string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]),
	}
	for _, change := range changes {
		name, _, some := strings.Cut(change, ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		switch {
		case strings.HasPrefix(change, "HTTP/"):
			lines[0] = change
		case strings.HasPrefix(change, "+"):
			lines = append(lines, change[1:])
		case i < 0:
			lines = append(lines, change)
		case some:
			lines[i] = change
		default:
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// reset ends the connection with a reset.
func (c *conn) reset() {
	c.tcp.SetLinger(0)
	c.tcp.Close()
}

// listen takes the client's frames until it hangs up, and judges them. A polite
// server ends its side when it has the client's close frame.
func (c *conn) listen() (v Verdict) {
	illegal := func(format string, args ...any) {
		if v.Illegal == "" {
			v.Illegal = fmt.Sprintf(format, args...)
		}
	}
	for {
		opcode, payload, wrong, err := c.frame()
		if err != nil {
			return v
		}
		if wrong != "" {
			illegal("%s", wrong)
			return v
		}
		if v.Told != 0 {
			illegal("a frame of opcode %d after the close frame", opcode)
		}
		if opcode != opClose {
			continue
		}
		v.Told = 1005
		switch {
		case len(payload) == 1:
			illegal("a close frame of one byte")
		case len(payload) > 1:
			v.Told = int(binary.BigEndian.Uint16(payload))
			if !utf8.Valid(payload[2:]) {
				illegal("a close reason that is not UTF-8: %q", payload[2:])
			}
			if v.Told < 1000 || v.Told >= 1004 && v.Told <= 1006 || v.Told > 1014 && v.Told < 3000 || v.Told > 4999 {
				illegal("the close code %d", v.Told)
			}
		}
		if !c.rude.Load() {
			c.tcp.CloseWrite()
		}
	}
}

// frame reads a client's frame. wrong: it is none.
func (c *conn) frame() (opcode byte, payload []byte, wrong string, err error) {
	var head [8]byte
	if _, err = io.ReadFull(c.br, head[:2]); err != nil {
		return 0, nil, "", err
	}
	fin, rsv, n := head[0]&0x80 != 0, head[0]>>4&7, int64(head[1]&0x7f)
	opcode = head[0] & 0x0f
	switch {
	case head[1]&0x80 == 0:
		return opcode, nil, "a frame that is not masked", nil
	case rsv != 0:
		return opcode, nil, fmt.Sprintf("reserved bits %b", rsv), nil
	case opcode > opBinary && opcode < opClose || opcode > opPong:
		return opcode, nil, fmt.Sprintf("opcode %d", opcode), nil
	case opcode >= opClose && (!fin || n > 125):
		return opcode, nil, "a control frame in fragments, or of more than 125 bytes", nil
	}
	switch n {
	case 126:
		_, err = io.ReadFull(c.br, head[:2])
		n = int64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(c.br, head[:8])
		n = int64(binary.BigEndian.Uint64(head[:]))
	}
	if err == nil && (n < 0 || n > 1<<24) {
		return opcode, nil, fmt.Sprintf("a frame of %d bytes", n), nil
	}
	payload = make([]byte, 4+n)
	if err == nil {
		_, err = io.ReadFull(c.br, payload)
	}
	mask, payload := payload[:4], payload[4:]
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return opcode, payload, "", err
}
