package attacks

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Who has as many sessions as his address may has no more of them under another
// name for the same address, or by claiming another one.
func TestAddressLimitsAreNotEvaded(t *testing.T) {
	t.Parallel()
	const most = 5
	attack(t, setting{config: fmt.Sprintf("[limits]\nsessions_per_address = %d\n", most)}, 8*mebi, func(d *daemon) {
		for what, c := range map[string]struct {
			network string
			lines   func(i int) []string
		}{
			"fields that nobody believes": {"tcp", func(i int) []string {
				return []string{fmt.Sprintf("X-Forwarded-For: 6.6.6.%d", i), fmt.Sprintf("X-Real-IP: 6.6.6.%d", i), fmt.Sprintf("Forwarded: for=6.6.6.%d", i)}
			}},
			"what a client adds before its proxy does": {"unix", func(i int) []string { return []string{fmt.Sprintf("X-Forwarded-For: 7.7.7.%d, 10.0.0.1", i)} }},
			"a field before the proxy's": {"unix", func(i int) []string {
				return []string{fmt.Sprintf("X-Forwarded-For: 8.8.8.%d", i), "X-Forwarded-For: 10.0.0.2"}
			}},
			"X-Real-IP beside the proxy's word": {"unix", func(i int) []string {
				return []string{fmt.Sprintf("X-Real-IP: 9.9.9.%d", i), "X-Forwarded-For: 10.0.0.3"}
			}},
			"addresses of a /64": {"unix", func(i int) []string { return []string{fmt.Sprintf("X-Forwarded-For: 2001:db8::%x:%x", i, i)} }},
			"spellings": {"unix", func(i int) []string {
				return []string{"X-Forwarded-For: " + []string{"10.0.0.4", "::ffff:10.0.0.4", "64:ff9b::a00:4", "::ffff:a00:4", " 10.0.0.4\t", "0:0:0:0:0:FFFF:10.0.0.4", "10.0.0.4"}[i]}
			}},
		} {
			var peers []*peer
			for i := range most + 2 {
				p := d.raw(c.network)
				p.write([]byte(request("/", c.lines(i)...)))
				want := 101
				if i >= most {
					want = 429
				}
				if got, head := p.answer(); got != want {
					t.Errorf("%s, session %d: %s", what, i, head)
				}
				peers = append(peers, p)
			}
			for _, p := range peers {
				p.Close()
			}
			d.Until("they are gone", func() bool { return d.stats().Connections == 1 })
		}
	})
}

// A peer that may send so many messages a second may not send more by sending
// something else: control frames count, between fragments too, as envelopes do
// that mean nothing; and what is compressed counts as what it becomes.
func TestRatesAreNotEvaded(t *testing.T) {
	t.Parallel()
	config := "[message]\nmax_frame_bytes = 65536\nmax_message_bytes = 65536\n" +
		"[[mount]]\npaths = [\"/limited\"]\nmode = \"echo\"\ncompression = \"on\"\nmessages_per_second = 1\nmessages_burst = 100\n" +
		"bytes_per_second = 1\nbytes_burst = 262144\nrate_policy = \"close\"\n"
	attack(t, setting{config: config}, 8*mebi, func(d *daemon) {
		zeros := frame(0x80|rsv1|opBinary, deflated(t, strings.Repeat("\x00", 65536)))
		for what, flood := range map[string][]byte{
			"texts":                      bytes.Repeat(text("x"), 150),
			"pings":                      bytes.Repeat(frame(0x80|opPing, nil), 150),
			"pongs":                      bytes.Repeat(frame(0x80|opPong, nil), 150),
			"pings between fragments":    append(frame(opText, nil), bytes.Repeat(append(frame(0x80|opPing, nil), frame(opContinuation, []byte("x"))...), 150)...),
			"empty messages":             bytes.Repeat(frame(0x80|opBinary, nil), 150),
			"pong envelopes":             bytes.Repeat(text(`{"___type___":"___pong___"}`), 150),
			"envelopes of the wrong way": bytes.Repeat(text(`{"___type___":"___sres___"}`), 150),
			"bytes":                      bytes.Repeat(frame(0x80|opBinary, make([]byte, 60_000)), 6),
			"bytes in small fragments":   append(frame(opBinary, nil), bytes.Repeat(frame(opContinuation, make([]byte, 60)), 5000)...),
			"compressed zeros":           bytes.Repeat(zeros, 6),
		} {
			p := d.raw("unix")
			p.write([]byte(request("/limited", "Sec-WebSocket-Extensions: permessage-deflate")))
			if status, head := p.answer(); status != 101 {
				t.Fatal(head)
			}
			_, _ = p.Write(flood)
			if code := p.ends(); code != 1008 && !(what == "bytes in small fragments" && code == 1009) {
				t.Errorf("%s: closed with %d", what, code)
			}
			p.Close()
		}
	})
}
