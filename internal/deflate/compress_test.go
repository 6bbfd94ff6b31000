package deflate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"testing"

	stdflate "compress/flate"
)

func size(n int) string { return fmt.Sprintf("%dB", n) }

// furthest returns the greatest distance of a match in a payload, found by
// asking for less until it is refused.
func furthest(t testing.TB, payload []byte) int {
	t.Helper()
	return furthestAfter(t, payload, nil)
}

func furthestAfter(t testing.TB, payload, window []byte) int {
	t.Helper()
	far := 0
	i := new(reference)
	for low, high := 0, 1<<15; low <= high; {
		back := (low + high) / 2
		*i = reference{in: payload, back: back, limit: math.MaxInt, window: window}
		if i.message() == nil {
			far, high = back, back-1
		} else {
			low = back + 1
		}
	}
	return far
}

func TestRFC7692_7_2_1_PayloadHasNoTail(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		for n, m := range messages() {
			payload := Compress([]byte("before"), m, bits, nil)
			if !bytes.HasPrefix(payload, []byte("before")) {
				t.Fatal("it does not append")
			}
			payload = payload[6:]
			got, err := Inflate(nil, payload, bits, int64(len(m)), nil)
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("message %d with %d bits: %v", n, bits, err)
			}
			got, err = blocks(payload, nil, len(m))
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("message %d with %d bits: compress/flate: %v", n, bits, err)
			}
			if again := Compress(nil, m, bits, nil); !bytes.Equal(again, payload) {
				t.Fatalf("message %d with %d bits: another result the second time", n, bits)
			}
		}
	}
}

func TestRFC7692_7_2_3_6_EmptyMessageIsOneOctet(t *testing.T) {
	for _, w := range []*Window{nil, {}, {last: []byte("abc")}} {
		if got := Compress(nil, nil, 15, w); !bytes.Equal(got, []byte{0}) {
			t.Errorf("%x", got)
		}
	}
}

func TestRFC7692_7_1_2_CompressReachesNoFurtherThanAgreed(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		var w Window
		for round := range 2 {
			for n, m := range messages() {
				if far := furthest(t, Compress(nil, m, bits, nil)); far > 1<<bits {
					t.Errorf("message %d with %d bits reaches back %d", n, bits, far)
				}
				before := bytes.Clone(w.last)
				if far := furthestAfter(t, Compress(nil, m, bits, &w), before); far > 1<<bits {
					t.Errorf("message %d with %d bits after others, round %d, reaches back %d", n, bits, round, far)
				}
				if len(w.last) > 1<<bits || cap(w.last) > 1<<bits || !bytes.HasSuffix(slicesConcat(before, m), w.last) {
					t.Fatalf("the window is not the last %d bytes", len(w.last))
				}
			}
		}
	}
}

func TestContextTakeoverMakesMessagesShorter(t *testing.T) {
	m := messages()[3]
	for _, text := range [][]byte{m, m[:40], bytes.Repeat(m, 3)} {
		var w Window
		first := len(Compress(nil, text, 15, &w))
		if second := len(Compress(nil, text, 15, &w)); second > first/2 {
			t.Errorf("%d bytes: %d, then %d", len(text), first, second)
		}
	}
}

// Node's zlib reads a sequence of messages as a peer with exactly the agreed
// window would.
func TestNodeReadsWhatWasCompressed(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node")
	}
	type stream struct {
		Bits     int      `json:"bits"`
		Takeover bool     `json:"takeover"`
		Payloads []string `json:"payloads"`
		Messages []string `json:"messages"`
	}
	var streams []stream
	for bits := 8; bits <= 15; bits++ {
		for _, takeover := range []bool{false, true} {
			s := stream{Bits: bits, Takeover: takeover}
			var w *Window
			if takeover {
				w = new(Window)
			}
			for _, m := range append(messages(), messages()...) {
				s.Payloads = append(s.Payloads, base64.StdEncoding.EncodeToString(Compress(nil, m, bits, w)))
				s.Messages = append(s.Messages, base64.StdEncoding.EncodeToString(m))
			}
			streams = append(streams, s)
		}
	}
	in, err := json.Marshal(streams)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "-e", nodeReads)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("read %d", 16*2*len(messages())); err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%v\n%s", err, out)
	}
}

const nodeReads = `
const zlib = require('node:zlib')
const tail = Buffer.from([0, 0, 255, 255])
const bytes = s => Buffer.from(s, 'base64')
let n = 0
for (const { bits, takeover, payloads, messages } of JSON.parse(require('node:fs').readFileSync(0))) {
  let window = Buffer.alloc(0)
  for (const [i, p] of payloads.entries()) {
    const options = { windowBits: bits, finishFlush: zlib.constants.Z_SYNC_FLUSH, chunkSize: 256 }
    if (takeover && window.length > 0) options.dictionary = window
    const want = bytes(messages[i])
    const got = zlib.inflateRawSync(Buffer.concat([bytes(p), tail]), options)
    if (!got.equals(want)) throw new Error(bits + ' bits: message ' + i + ' of ' + want.length + ' bytes differs')
    window = Buffer.concat([window, want]).subarray(-(1 << bits))
    n++
  }
}
console.log('read ' + n)
`

// FuzzCompress: messages come back, in any sequence, with any window, and no
// match reaches further than agreed.
func FuzzCompress(f *testing.F) {
	for _, m := range messages()[:8] {
		f.Add(m, uint8(15), uint16(7), true)
		f.Add(m, uint8(8), uint16(300), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, bits uint8, step uint16, takeover bool) {
		b := 8 + int(bits)%8
		var sent, received, history *Window
		if takeover {
			sent, received, history = new(Window), new(Window), new(Window)
		}
		for n := 0; n < 20; n++ {
			m := text[:min(len(text), 1+n*int(step))]
			payload := Compress(nil, m, b, sent)
			if far := furthestAfter(t, payload, history.bytes()); far > 1<<b {
				t.Fatalf("message %d reaches back %d", n, far)
			}
			std, err := io.ReadAll(stdflate.NewReaderDict(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), history.bytes()))
			if err != nil || !bytes.Equal(std, m) {
				t.Fatalf("message %d: compress/flate: %v", n, err)
			}
			got, err := Inflate(nil, payload, b, int64(len(m)), received)
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("message %d: %v", n, err)
			}
			history.add(m, 1<<b)
			text = text[len(m):]
		}
	})
}

func TestNothingIsAllocatedForAMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	m := messages()[4]
	var sent, received Window
	dst, back := make([]byte, 0, 2*len(m)), make([]byte, 0, len(m))
	work := func(sent, received *Window) func() {
		return func() {
			payload := Compress(dst, m, 15, sent)
			if _, err := Inflate(back, payload, 15, int64(len(m)), received); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 100 { // until the windows are full
		work(&sent, &received)()
	}
	if n := testing.AllocsPerRun(200, work(nil, nil)); n >= 1 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(200, work(&sent, &received)); n >= 1 {
		t.Errorf("%v allocations with context takeover", n)
	}
}

func BenchmarkCompress(b *testing.B) {
	for _, n := range []int{3, 4, 5} {
		m := messages()[n]
		for _, takeover := range []bool{false, true} {
			name := map[bool]string{false: "alone", true: "takeover"}[takeover]
			b.Run(name+"/"+size(len(m)), func(b *testing.B) {
				var w *Window
				if takeover {
					w = new(Window)
					w.add(bytes.Repeat(messages()[8][:32], 1024), 1<<15)
				}
				dst := make([]byte, 0, 2*len(m)+100)
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				for b.Loop() {
					Compress(dst, m, 15, w)
				}
			})
		}
	}
}
