package attacks

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
)

// Frames that no client may send end their connections with the right code, and
// none of them reaches anybody: the bystander would hear what is forwarded.
func TestIllegalFrames(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 8*mebi, func(d *daemon) {
		unmasked := func(first byte, payload string) []byte { return append([]byte{first, byte(len(payload))}, payload...) }
		declared := func(first byte, n uint64) []byte {
			return append(binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, n), 1, 2, 3, 4)
		}
		for name, c := range map[string]struct {
			frame []byte
			code  int
		}{
			"unmasked text":             {unmasked(0x81, "hello"), 1002},
			"unmasked close":            {unmasked(0x88, "\x03\xe8"), 1002},
			"unmasked, fragmented":      {append(frame(opText, []byte("a")), unmasked(0x80, "b")...), 1002},
			"top bit of the length":     {declared(0x82, 1<<63), 1002},
			"all bits of the length":    {declared(0x82, 1<<64-1), 1002},
			"2^62 bytes":                {declared(0x82, 1<<62), 1009},
			"2^62 bytes, as an end":     {append(frame(opBinary, []byte("a")), declared(0x80, 1<<62)...), 1009},
			"a byte too many":           {declared(0x82, mebi+1), 1009},
			"5 bytes in 64 bits":        {append(declared(0x81, 5), "hello"...), 1002},
			"a long ping":               {declared(0x89, 126), 1002},
			"a fragmented ping":         {frame(opPing, nil), 1002},
			"RSV1 without an extension": {frame(0xc1, []byte("x")), 1002},
			"opcode 3":                  {frame(0x83, nil), 1002},
			"opcode 11":                 {frame(0x8b, nil), 1002},
			"a stray continuation":      {frame(0x80, nil), 1002},
			"text in text":              {append(frame(opText, nil), frame(opText, nil)...), 1002},
			"a close of one byte":       {frame(0x88, []byte{3}), 1002},
			"close 1005":                {closing(1005, ""), 1002},
			"close 999":                 {closing(999, ""), 1002},
			"close 65535":               {closing(65535, ""), 1002},
			"a close reason of ff":      {closing(1000, "\xff"), 1007},
			"text of ff":                {text("\xff"), 1007},
			"a surrogate":               {text("\xed\xa0\x80"), 1007},
			"an end within a character": {text("\xe2\x82"), 1007},
			"fragments without an end":  {bytes.Repeat(frame(opContinuation, nil), 2000), 1002},
			"fragments, more than 1024": {append(frame(opText, nil), bytes.Repeat(frame(opContinuation, nil), 2000)...), 1008},
			"TLS":                       {[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 1002},
			"a request in a session":    {[]byte(handshake), 1002},
			"zeros":                     {make([]byte, 64), 1002},
		} {
			for _, before := range []string{"", "legal"} {
				p := d.open()
				if before != "" {
					p.write(text(before))
					p.hears(before)
				}
				p.write(c.frame)
				p.write(text("after the end"))
				m := p.next()
				if m.op != opClose || len(m.payload) < 2 || int(binary.BigEndian.Uint16([]byte(m.payload))) != c.code {
					t.Errorf("%s, after %q: got %d %.100q, not close %d", name, before, m.op, m.payload, c.code)
				}
				if code := p.ends(); code != 1006 { // nothing after the close frame
					t.Errorf("%s: a second close frame, %d", name, code)
				}
				p.Close()
			}
		}
	})
}

// A thousand connections declare 2^62 bytes, or the most that is allowed, before
// anything else: nothing is set aside for what has not come.
func TestDeclaredLengthsCostNothing(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 6*mebi, func(d *daemon) {
		for _, n := range []uint64{1 << 62, mebi} {
			var peers []*peer
			for range 1000 {
				p := d.raw("unix")
				p.write(append(binary.BigEndian.AppendUint64(append([]byte(handshake), 0x82, 0x80|127), n), 1, 2, 3, 4))
				peers = append(peers, p)
			}
			for _, p := range peers {
				if status, head := p.answer(); status != 101 {
					t.Fatal(head)
				}
				if n > mebi {
					if code := p.ends(); code != 1009 {
						t.Fatalf("close %d", code)
					}
				}
				p.Close()
			}
		}
	})
}

// Pings without end from peers that read nothing: the pongs that wait are
// bounded by the outbound queue, and then the peer is too slow.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[outbound]\nqueue_bytes = 65536\n[close]\ntimeout = \"500ms\""}, 8*mebi, func(d *daemon) {
		full := frame(0x80|opPing, []byte(strings.Repeat("p", 125)))
		flood := bytes.Repeat(full, 1000)
		var wait sync.WaitGroup
		for range 8 {
			p := d.open()
			wait.Go(func() {
				for range 200 { // or until the daemon has enough
					if _, err := p.Write(flood); err != nil {
						break
					}
				}
				p.Close()
			})
		}
		wait.Wait()
		if s := d.stats(); s.SlowClosed != 8 {
			t.Errorf("%d closed for being slow, of 8", s.SlowClosed)
		}
		// Who reads gets his pongs, each once and in order.
		p := d.open()
		for i := range 10_000 {
			p.write(frame(0x80|opPing, []byte{byte(i), byte(i >> 8)}))
			if i%100 == 99 {
				for k := i - 99; k <= i; k++ {
					if m := p.next(); m.op != opPong || m.payload != string([]byte{byte(k), byte(k >> 8)}) {
						t.Fatalf("pong %d: %d %q", k, m.op, m.payload)
					}
				}
			}
		}
		p.Close()
	})
}

// Close frames without end are answered once; pongs nobody asked for, never.
func TestCloseAndPongFloods(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[close]\ntimeout = \"500ms\""}, 8*mebi, func(d *daemon) {
		for range 50 {
			p := d.open()
			p.write(bytes.Repeat(frame(0x80|opPong, []byte("12345678")), 1000))
			_, _ = p.Write(bytes.Repeat(closing(1000, "again and again"), 10_000))
			for n := 0; ; n++ {
				m, err := p.read()
				if err != nil {
					if n == 0 {
						t.Error("no answer to a close frame")
					}
					break
				}
				if m.op == opText { // the configuration
					n--
				} else if m.op != opClose || n > 0 {
					t.Errorf("got %d %q", m.op, m.payload)
				}
			}
			p.Close()
		}
	})
}

// Peers that do not read what is sent to all cost a bounded queue each, and are
// closed; everybody else gets all of it.
func TestNeverReadingPeers(t *testing.T) {
	t.Parallel()
	const deaf = 40
	attack(t, setting{config: "[outbound]\nqueue_bytes = 131072\n[close]\ntimeout = \"500ms\""}, 16*mebi, func(d *daemon) {
		for range deaf {
			d.open()
		}
		reader := d.open()
		var heard sync.WaitGroup
		const messages = 40
		news := `{"news":"` + strings.Repeat("x", 16<<10) + `"}`
		heard.Go(func() {
			for range messages {
				reader.hears(news)
			}
		})
		for range messages {
			d.must("jbroadcast_ignore_reply", map[string]any{"data": map[string]string{"news": strings.Repeat("x", 16<<10)}, "filter": "path=/"}, nil)
		}
		heard.Wait()
		reader.Close()
		d.Until("the deaf are closed", func() bool { return d.stats().SlowClosed == deaf })
	})
}

// Peers that stop halfway through a closing handshake, whoever began it, or that
// go on sending while they are closed, are gone when its time is over.
func TestHalfOpenClosings(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[close]\ntimeout = \"1s\""}, 16*mebi, func(d *daemon) {
		const each = 400
		var peers []*peer
		more := func(kind int) {
			p := d.open("X-Kind: " + string(rune('0'+kind)))
			switch kind {
			case 0: // closes, and then says nothing more
				p.write(closing(1000, ""))
			case 1: // is failed, and goes on
				p.write([]byte{0xff, 0xff})
			}
			peers = append(peers, p)
		}
		for kind := range 3 {
			for range each {
				more(kind)
			}
		}
		// The third kind is closed by an operator, and goes on sending.
		var page struct{ Sessions []struct{ ID string } }
		d.must("sess_filter", map[string]any{"expr": "header.x-kind=2", "limit": 1000}, &page)
		if len(page.Sessions) != each {
			t.Fatalf("%d sessions of the third kind", len(page.Sessions))
		}
		for _, s := range page.Sessions {
			d.must("close", map[string]any{"session": s.ID, "code": 4000}, nil)
		}
		babble := text(strings.Repeat("not heard", 100))
		for range 10 {
			for _, p := range peers {
				_, _ = p.Write(babble) // until it ends
			}
		}
		d.Until("all are gone, though nobody let go", func() bool { return d.stats().Connections == 1 })
		if code := peers[2*each].ends(); code != 4000 {
			t.Errorf("closed with %d", code)
		}
	})
}
