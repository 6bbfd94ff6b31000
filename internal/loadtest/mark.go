package loadtest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// markKey is the member of a test's message that carries the mark.
const markKey = "tst"

// mark tells a copy of a test's message from any other message.
type mark struct {
	Run  string `json:"run"`
	From int    `json:"from"` // the client's number, fromControl for the control client
	Seq  uint64 `json:"seq"`  // 1, 2, 3... of that sender
	Sent int64  `json:"sent"` // nanoseconds since the run began
}

const fromControl = -1

// newRun names a run so that two at the same server do not count each other's messages.
func newRun() string { return strings.ToLower(rand.Text()[:12]) }

// DefaultMessage is what the control client says unless told otherwise.
const DefaultMessage = `{"action":"say hello to your left-sib!"}`

// CheckMessage tells whether text can be a test's message: a JSON object, to which the mark can be added.
func CheckMessage(text string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil || members == nil {
		return errors.New("it is not a JSON object")
	}
	if _, taken := members[markKey]; taken {
		return fmt.Errorf("the member %q is where the test writes its mark", markKey)
	}
	if _, taken := members["___type___"]; taken {
		return errors.New(`with a member "___type___" it may be part of the protocol, which no server forwards`)
	}
	return nil
}

// marked is the text with the mark, and padding to at least size bytes. The text passed CheckMessage.
func marked(text string, m mark, size int) string {
	var b bytes.Buffer
	_ = json.Compact(&b, []byte(text)) // it is JSON
	b.Truncate(b.Len() - 1)
	if b.Len() > 1 {
		b.WriteByte(',')
	}
	tail := fmt.Sprintf(`"run":"%s","from":%d,"seq":%d,"sent":%d}}`, m.Run, m.From, m.Seq, m.Sent)
	b.WriteString(`"` + markKey + `":{`)
	const around = len(`"pad":"",`)
	if pad := size - b.Len() - around - len(tail); pad >= 0 {
		b.WriteString(`"pad":"` + strings.Repeat("x", pad) + `",`)
	}
	b.WriteString(tail)
	return b.String()
}

// markOf finds the mark of this run in a message. now bounds what a server can claim.
func markOf(message []byte, run string, now time.Duration) (mark, bool) {
	if !bytes.Contains(message, []byte(run)) {
		return mark{}, false
	}
	// Thousands of copies arrive at once: what stands before the mark is not looked at, unless a server has set it anew.
	var m struct {
		Tst mark `json:"tst"`
	}
	tail := message[max(bytes.LastIndex(message, []byte(`"run":"`)), 0):]
	end := bytes.IndexByte(tail, '}') + 1
	if json.Unmarshal(append([]byte{'{'}, tail[:end]...), &m.Tst) != nil || m.Tst.Run != run || m.Tst.Seq == 0 {
		m.Tst = mark{}
		if json.Unmarshal(message, &m) != nil {
			return mark{}, false
		}
	}
	if m.Tst.Run != run || m.Tst.Seq == 0 || m.Tst.Sent < 0 || m.Tst.Sent > int64(now) {
		return mark{}, false
	}
	return m.Tst, true
}

// window remembers which numbers came, to tell a copy from a duplicate. A number 64 or more below the highest counts as a duplicate:
// messages of one sender arrive in order.
type window struct {
	highest uint64
	seen    uint64 // bit i: highest-i came
}

// first reports whether seq comes for the first time.
func (w *window) first(seq uint64) bool {
	if seq > w.highest {
		w.seen = w.seen<<(seq-w.highest) | 1 // 0 when shifted by 64 or more
		w.highest = seq
		return true
	}
	bit := uint64(1) << (w.highest - seq)
	if bit == 0 || w.seen&bit != 0 {
		return false
	}
	w.seen |= bit
	return true
}
