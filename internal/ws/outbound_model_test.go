package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// queueModel is the outbound queue as a list of messages, the first of which
// may have begun to leave.
type queueModel struct {
	messages [][]byte
	offset   int    // bytes of messages[0] that have left
	wire     []byte // what has left
	most     int    // bytes that have waited since it was empty
}

func (m *queueModel) size() (n int) {
	for _, b := range m.messages {
		n += len(b)
	}
	return n - m.offset
}

func (m *queueModel) sent(n int) {
	for n > 0 {
		b := m.messages[0][m.offset:]
		k := min(n, len(b))
		m.wire = append(m.wire, b[:k]...)
		m.offset += k
		n -= k
		if k == len(b) {
			m.messages, m.offset = m.messages[1:], 0
		}
	}
}

func (m *queueModel) begun() int { return min(m.offset, 1) }

func (m *queueModel) truncate() int {
	n := len(m.messages) - m.begun()
	m.messages = m.messages[:m.begun()]
	return n
}

func (m *queueModel) dropOldest(size int) (n int) {
	for m.size() > size && len(m.messages) > m.begun() {
		m.messages = slices.Delete(m.messages, m.begun(), m.begun()+1)
		n++
	}
	return n
}

// take takes n bytes from a queue as a write would.
func take(o *outbound, n int) (wire []byte) {
	wire = append(wire, o.first.b...)
	if o.rest != nil {
		for _, s := range o.rest.waiting() {
			wire = append(wire, s.b...)
		}
	}
	o.sent(n)
	return wire[:n]
}

// push notes a message that is queued.
func (m *queueModel) push(b []byte) {
	if m.size() == 0 {
		m.most = 0
	}
	m.messages = append(m.messages, b)
	m.most = max(m.most, m.size())
}

// checkOutbound compares what a queue holds with the model, and its inner rules.
func checkOutbound(o *outbound, m *queueModel) error {
	var got []byte
	all := []segment{o.first}
	if o.rest != nil {
		if len(o.rest.waiting()) == 0 {
			return fmt.Errorf("an empty tail is kept")
		}
		all = append(all, o.rest.waiting()...)
		for _, s := range o.rest.s[:o.rest.at] {
			if s.b != nil || s.own != nil {
				return fmt.Errorf("a segment that was shifted out is kept")
			}
		}
	}
	for i, s := range all {
		if len(s.b) == 0 && (i > 0 || o.size > 0) {
			return fmt.Errorf("segment %d is empty", i)
		}
		if s.own != nil {
			if !bytes.HasSuffix(s.own.b, s.b) || len(s.b) > 0 && &s.own.b[len(s.own.b)-1] != &s.b[len(s.b)-1] {
				return fmt.Errorf("segment %d is not its buffer's end", i)
			}
			// A buffer has room for what it was made for, or twice what it had.
			if cap(s.own.b) > max(1<<minBufferBits, 3*m.most) {
				return fmt.Errorf("segment %d: a buffer of %d bytes, when %d have waited at most", i, cap(s.own.b), m.most)
			}
		}
		got = append(got, s.b...)
	}
	var want []byte
	for _, b := range m.messages {
		want = append(want, b...)
	}
	want = want[m.offset:]
	if !bytes.Equal(got, want) {
		return fmt.Errorf("holds %d bytes, want %d, or others", len(got), len(want))
	}
	if int(o.size) != len(want) || o.empty() != (len(want) == 0) {
		return fmt.Errorf("size %d, want %d", o.size, len(want))
	}
	begun := 0
	if m.offset > 0 {
		begun = len(m.messages[0]) - m.offset
	}
	if int(o.begun) != begun || begun > len(o.first.b) {
		return fmt.Errorf("begun %d, want %d, in a segment of %d", o.begun, begun, len(o.first.b))
	}
	if o.size == 0 && (o.first.own != nil || o.rest != nil) {
		return fmt.Errorf("empty, and holds memory")
	}
	return nil
}

// runOutbound performs a program on a queue and its model.
func runOutbound(t testing.TB, program []byte) {
	t.Helper()
	var o outbound
	defer o.clear()
	var m queueModel
	sizes := []int{0, 1, 20, 120, 126, 250, 252, 300, 500, 1000, 3000, 70000}
	var taken []byte
	for i := 0; i+1 < len(program); i += 2 {
		op, arg := program[i]%8, int(program[i+1])
		payload := bytes.Repeat([]byte{byte(i)}, sizes[arg%len(sizes)])
		fr := Fragmentation{Threshold: []int{0, 100, 400}[arg/len(sizes)%3]}
		var what string
		switch op {
		case 0, 1:
			what = "pushFrame"
			f := fr.NewFrame(OpBinary, payload)
			o.pushFrame(f)
			m.push(bytes.Clone(f.wire))
		case 2, 3:
			what = "pushBytes"
			n := fr.wireLen(len(payload))
			o.pushBytes(n, func(dst []byte) []byte { return fr.Append(dst, OpBinary, payload) })
			b := fr.Append(nil, OpBinary, payload)
			if len(b) != n {
				t.Fatalf("wireLen(%d) is %d, and %d bytes came", len(payload), n, len(b))
			}
			m.push(b)
		case 4, 5, 6:
			what = "sent"
			n := min(int(o.size), []int{1, 7, 100, 700, 2000, 50000, 1 << 20}[arg%7])
			if n > 0 {
				taken = append(taken, take(&o, n)...)
				m.sent(n)
			}
		default:
			if arg%8 == 0 {
				what = "truncate"
				if got, want := o.truncate(), m.truncate(); got != want {
					t.Fatalf("step %d: truncate dropped %d, want %d", i/2, got, want)
				}
			} else {
				what = "dropOldest"
				size := []int{0, 10, 200, 1000, 5000, 70000}[arg%6]
				if got, want := o.dropOldest(size), m.dropOldest(size); got != want {
					t.Fatalf("step %d: dropOldest(%d) dropped %d, want %d", i/2, size, got, want)
				}
			}
		}
		if err := checkOutbound(&o, &m); err != nil {
			t.Fatalf("step %d, %s(%d): %v", i/2, what, arg, err)
		}
		if o.size > 1<<17 { // checking takes time in proportion
			o.clear()
			m = queueModel{}
			taken = nil
		}
	}
	if !bytes.Equal(taken, m.wire) {
		t.Fatal("what left is not what was pushed")
	}
}

func FuzzOutbound(f *testing.F) {
	f.Add([]byte{0, 7, 2, 8, 4, 2, 7, 1})
	f.Add([]byte{2, 2, 2, 2, 4, 0, 7, 2, 7, 0, 2, 3})
	f.Add([]byte{0, 11, 0, 2, 0, 2, 2, 24, 5, 4, 7, 3, 0, 9, 7, 2, 6, 6})
	f.Fuzz(func(t *testing.T, program []byte) { runOutbound(t, program[:min(len(program), 400)]) })
}

// TestOutboundModel is the fuzzer's property on random programs.
func TestOutboundModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		program := make([]byte, 2*r.IntN(60))
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		runOutbound(t, program)
	}
}

// The answer to the handshake is not a frame, and is never dropped or cut.
func TestOutboundKeepsAnswer(t *testing.T) {
	answer := bytes.Repeat([]byte("HTTP"), 50)
	message := appendFrame(nil, OpText, true, bytes.Repeat([]byte("x"), 100))
	for _, sent := range []int{0, 1, 199} {
		for _, drop := range []func(*outbound) int{(*outbound).truncate, func(o *outbound) int { return o.dropOldest(0) }} {
			var o outbound
			o.pushBytes(len(answer), func(dst []byte) []byte { return append(dst, answer...) })
			o.begun = o.size
			o.pushBytes(len(message), func(dst []byte) []byte { return append(dst, message...) })
			o.pushFrame(Frame{wire: message})
			take(&o, max(sent, 0))
			if n := drop(&o); n != 2 {
				t.Fatalf("dropped %d messages, want 2", n)
			}
			if got := take(&o, int(o.size)); !bytes.Equal(got, answer[sent:]) {
				t.Fatalf("left over after %d bytes: %q", sent, got)
			}
			o.clear()
		}
	}
}

// A peer that always lags a little never lets the queue become empty. What it
// has taken must not be kept.
func TestOutboundSteadyLag(t *testing.T) {
	for name, push := range map[string]func(*outbound, []byte){
		"bytes":        func(o *outbound, b []byte) { o.pushBytes(len(b), func(dst []byte) []byte { return append(dst, b...) }) },
		"small frames": func(o *outbound, b []byte) { o.pushFrame(Frame{wire: b}) },
		"large frames": func(o *outbound, b []byte) {
			o.pushFrame(Frame{wire: appendFrame(nil, OpBinary, true, make([]byte, 500))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var o outbound
			defer o.clear()
			message := appendFrame(nil, OpBinary, true, make([]byte, 98))
			for o.size < 10_000 {
				push(&o, message)
			}
			worst, segments := 0, 0
			for range 20_000 {
				before := int(o.size)
				push(&o, message)
				o.sent(int(o.size) - before)
				held := 0
				if o.rest != nil {
					segments = max(segments, cap(o.rest.s))
					for _, s := range o.rest.s {
						if s.own != nil {
							held += cap(s.own.b)
						}
					}
				}
				if o.first.own != nil {
					held += cap(o.first.own.b)
				}
				worst = max(worst, held)
			}
			if worst > 64<<10 || segments > 256 {
				t.Fatalf("%d bytes wait in %d bytes of buffers and %d segments", o.size, worst, segments)
			}
		})
	}
}

// Draining a long queue takes time in proportion to its length.
func TestOutboundLongQueue(t *testing.T) {
	var o outbound
	defer o.clear()
	const n = 100_000
	big := Frame{wire: appendFrame(nil, OpBinary, true, make([]byte, 300))}
	for range n {
		o.pushFrame(big) // a segment each
	}
	for range n {
		o.sent(len(big.wire)) // each the shift of a segment
	}
	if !o.empty() {
		t.Fatal("something is left")
	}
	for range n {
		o.pushFrame(big)
	}
	o.sent(1)
	for size := int(o.size); size > 0; size -= len(big.wire) {
		o.dropOldest(size)
	}
	if o.size != uint32(len(big.wire)-1) {
		t.Fatal(o.size)
	}
}

// Small frames that wait are gathered, so that one write takes them all.
func TestOutboundGathersSmallFrames(t *testing.T) {
	var o outbound
	defer o.clear()
	f := Fragmentation{}.NewFrame(OpText, []byte("hello"))
	for range 1000 {
		o.pushFrame(f)
	}
	if o.rest != nil {
		t.Fatalf("%d segments for frames of %d bytes", 1+len(o.rest.waiting()), f.Len())
	}
}

// Queueing takes no memory but the buffers, which are pooled.
func TestOutboundAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	payload := make([]byte, 100)
	small := Fragmentation{}.NewFrame(OpText, payload)
	big := Fragmentation{}.NewFrame(OpText, make([]byte, 1000))
	var o outbound
	if n := testing.AllocsPerRun(1000, func() {
		for range 4 {
			o.pushFrame(small)
			o.pushBytes(102, func(dst []byte) []byte { return appendFrame(dst, OpText, true, payload) })
			o.pushFrame(big)
		}
		o.sent(int(o.size))
	}); n > 0.1 {
		t.Fatalf("%v allocations", n)
	}
}
