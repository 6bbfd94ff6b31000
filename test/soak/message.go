package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A message of the soak: who sent it, as the how-manieth, and when. Its bytes
// follow from that, so who receives it knows all of them.
type message struct {
	from int    // a member's number; below 0: one of the operators
	seq  uint64 // 1, 2, 3... of that sender
	sent int64  // nanoseconds since the soak began
	size int    // at least so many bytes
}

// kinds of a message, one after the other of a sender.
const (
	kindJSON = iota
	kindString
	kindBinary
)

func (m *message) kind() int { return int(m.seq % 3) }

// spoilt are the messages of members that JavaScript and the webhook fail at, and
// do not pass on; the rule stands in handlers.js as well.
func (m *message) spoilt() bool { return (m.from*7+int(m.seq))%11 == 0 }

const mark = "soak"

// encode is the message as it travels.
func (m *message) encode() []byte {
	head := fmt.Sprintf("%s %d %d %d %d ", mark, m.from, m.seq, m.sent, m.size)
	pad := strings.Repeat("abcdefgh", max(0, m.size-len(head))/8)
	switch m.kind() {
	case kindJSON:
		return []byte(`{"m":"` + head + pad + `"}`)
	case kindString:
		return []byte(head + pad + "\u20ac")
	}
	return []byte("\x00\xff" + head + pad)
}

// decode reads what arrived as a kind. What is not a message of the soak, bit
// for bit, is an error.
func decode(kind int, b []byte) (m message, err error) {
	at := bytes.Index(b, []byte(mark+" "))
	if at < 0 {
		return m, fmt.Errorf("not a message of the soak: %.100q", b)
	}
	fields := strings.SplitN(string(b[at:min(len(b), at+100)]), " ", 6)
	if len(fields) < 6 {
		return m, fmt.Errorf("not a whole message: %.100q", b)
	}
	var errs [4]error
	m.from, errs[0] = strconv.Atoi(fields[1])
	m.seq, errs[1] = strconv.ParseUint(fields[2], 10, 64)
	m.sent, errs[2] = strconv.ParseInt(fields[3], 10, 64)
	m.size, errs[3] = strconv.Atoi(fields[4])
	for _, err := range errs {
		if err != nil {
			return m, fmt.Errorf("not a message: %.100q: %w", b, err)
		}
	}
	switch {
	case m.size < 0 || m.size > 1<<20:
		return m, fmt.Errorf("a message of %d bytes", m.size)
	case m.kind() != kind:
		return m, fmt.Errorf("message %d of %d came as another kind", m.seq, m.from)
	case !bytes.Equal(m.encode(), b):
		return m, fmt.Errorf("message %d of %d was changed on the way: %.100q", m.seq, m.from, b)
	}
	return m, nil
}
