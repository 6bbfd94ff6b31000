package attacks

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const deflating = "compression = \"on\"\n"

// compressed is a session that has agreed on permessage-deflate.
func (d *daemon) compressed(params string) *peer {
	d.t.Helper()
	p := d.raw("unix")
	p.write([]byte(request("/", "Sec-WebSocket-Extensions: permessage-deflate"+params)))
	if status, head := p.answer(); status != 101 || !strings.Contains(head, "permessage-deflate") {
		d.t.Fatalf("no compression: %s", head)
	}
	return p
}

// deflated is the payload of a compressed message (RFC 7692, section 7.2.1).
func deflated(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, s)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

const rsv1 = 0x40

// A message that inflates to gigabytes is inflated to the limit, and no further:
// whole or in pieces, one or fifty at a time.
func TestDecompressionBombs(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, mebi)
	part := append(deflated(t, string(zeros)), 0, 0, 0xff, 0xff) // ends at a byte, and what follows does not depend on it
	bomb := bytes.Repeat(part, 512)[:512*len(part)-4]
	t.Logf("a bomb of %d bytes", len(bomb))
	attack(t, setting{config: deflating}, 24*mebi, func(d *daemon) {
		for _, op := range []byte{opText, opBinary} {
			var peers []*peer
			for i := range 50 {
				p := d.compressed("")
				if i%2 == 0 {
					_, _ = p.Write(frame(0x80|rsv1|op, bomb))
				} else {
					first, piece := rsv1|op, len(bomb)/500
					for b := bomb; len(b) > 0; b = b[min(piece, len(b)):] {
						last := byte(0)
						if len(b) <= piece {
							last = 0x80
						}
						_, _ = p.Write(frame(first|last, b[:min(piece, len(b))]))
						first = opContinuation
					}
				}
				peers = append(peers, p)
			}
			for _, p := range peers {
				if code := p.ends(); code != 1009 {
					t.Errorf("closed with %d", code)
				}
				p.Close()
			}
		}
		// To the limit itself all is well.
		p := d.compressed("")
		p.write(frame(0x80|rsv1|opBinary, deflated(t, string(zeros))))
		if m := p.next(); m.op == opBinary && len(m.payload) > 2*mebi {
			t.Errorf("an echo of %d bytes", len(m.payload))
		}
		p.Close()
	})
}

// What cannot be inflated, or not to what it says, ends its session only.
func TestCorruptCompression(t *testing.T) {
	t.Parallel()
	hello := deflated(t, "hello")
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rand.Uint32()) | 0x06 // block type 3, which there is not, at the beginning
	}
	attack(t, setting{config: deflating}, 16*mebi, func(d *daemon) {
		for name, c := range map[string]struct {
			frames []byte
			code   int
		}{
			"noise":                       {frame(0x80|rsv1|opBinary, noise), 1007},
			"a stream that is cut":        {frame(0x80|rsv1|opText, hello[:len(hello)-2]), 1007},
			"a reach behind the window":   {frame(0x80|rsv1|opBinary, []byte{0x02, 0x04, 0x00}), 1007},
			"text that is none":           {frame(0x80|rsv1|opText, deflated(t, "\xff\xfe")), 1007},
			"last blocks without end":     {frame(0x80|rsv1|opBinary, bytes.Repeat([]byte{1, 0, 0, 0xff, 0xff}, 100_000)), 1007},
			"RSV1 on a continuation":      {append(frame(rsv1|opText, hello), frame(0x80|rsv1, nil)...), 1002},
			"RSV1 on a continuation only": {append(frame(opText, nil), frame(0x80|rsv1, hello)...), 1002},
			"RSV1 on a ping":              {frame(0x80|rsv1|opPing, hello), 1002},
			"RSV1 on a close":             {frame(0x80|rsv1|opClose, nil), 1002},
			"RSV2":                        {frame(0x80|0x20|opText, nil), 1002},
			"two megabytes, announced":    {append(header(0x80|rsv1|opBinary, 2*mebi), 0, 0, 0, 0), 1009},
		} {
			p := d.compressed("")
			p.write(frame(0x80|rsv1|opText, hello))
			p.hears("hello")
			_, _ = p.Write(c.frames)
			if code := p.ends(); code != c.code {
				t.Errorf("%s: closed with %d, not %d", name, code, c.code)
			}
			p.Close()
		}
		// A megabyte of nothing is nothing, in reasonable time.
		p := d.compressed("")
		began := time.Now()
		p.write(frame(0x80|rsv1|opBinary, append(bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 200_000), 0)))
		if m := p.next(); m.op != opBinary || len(m.payload) > 2 {
			t.Errorf("nothing came back as %d %q", m.op, m.payload)
		}
		t.Logf("200,000 empty blocks took %v", time.Since(began))
		p.Close()
	})
}

// A thousand sessions in the middle of compressed messages hold what they have
// sent, and no state of an inflater.
func TestUnfinishedCompressedMessages(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: deflating}, 8*mebi, func(d *daemon) {
		part := deflated(t, strings.Repeat("x", 10_000))
		var peers []*peer
		for range 1000 {
			p := d.compressed("; client_max_window_bits")
			p.write(frame(rsv1|opText, part[:len(part)-4]))
			peers = append(peers, p)
		}
		for _, p := range peers {
			p.Close()
		}
	})
}

// Contexts that are kept cost their windows, and no more, however much went
// through them.
func TestKeptContextsAreBounded(t *testing.T) {
	t.Parallel()
	const n = 300
	attack(t, setting{config: deflating + "[deflate]\nserver_context_takeover = true\nclient_context_takeover = true"}, (n*2*48<<10)+8*mebi, func(d *daemon) {
		random := make([]byte, 30_000)
		for i := range random {
			random[i] = 'a' + byte(rand.Uint32()%26)
		}
		message := frame(0x80|rsv1|opBinary, deflated(t, string(random))) // a client need not use its context
		var peers []*peer
		for range n {
			peers = append(peers, d.compressed(""))
		}
		for range 4 {
			for _, p := range peers {
				p.write(message)
				p.next()
			}
		}
		for _, p := range peers {
			p.Close()
		}
	})
}
