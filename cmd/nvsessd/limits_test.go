package main

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
)

// What [limits] says holds, each limit is counted under its name, and the log
// has a line for each burst.
func TestLimitsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	p := launch(t, configured(t, `
listen = ["unix:%t/a.sock", "tcp:127.0.0.1:0"]
mode = "echo"
[message]
timeout = "200ms"
[limits]
sessions = 4
sessions_per_address = 2
connections_per_address = 3
handshakes_per_address = 1
handshakes_burst = 7
messages_per_second = 1
messages_burst = 10
policy = "close"
`))
	ready := p.Logged("ready")
	url := "ws+unix://" + p.socket("a.sock")
	refused := func(want int, opts ...client.Option) {
		t.Helper()
		_, err := tryVisit(t, url, opts...)
		var he *client.HandshakeError
		if !errors.As(err, &he) || he.Status != want {
			t.Errorf("%v, want %d", err, want)
		}
	}
	as := func(addr string) client.Option { return client.WithHeader(http.Header{"X-Forwarded-For": {addr}}) }

	a, b := visit(t, url, as("192.0.2.1")), visit(t, url, as("192.0.2.1"))
	refused(429, as("192.0.2.1"))
	c, d := visit(t, url, as("192.0.2.2")), visit(t, url)
	for range 3 {
		refused(503, as("192.0.2.2"))
	}
	for range 3 {
		refused(503)
	}

	var silent []net.Conn
	for range 3 {
		nc, err := net.Dial("tcp", strings.TrimPrefix(ready.Listen[1], "tcp:"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		silent = append(silent, nc)
	}
	p.Until("they are there", func() bool { return p.stats().Connections >= int64(4+len(silent)) })
	nc, err := net.Dial("tcp", strings.TrimPrefix(ready.Listen[1], "tcp:"))
	if err == nil {
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, err = nc.Read(make([]byte, 1))
		nc.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a fourth: %v", err)
	}

	for range 30 {
		_ = a.SendString(t.Context(), "and more")
	}
	select {
	case err := <-a.ended:
		if err.Code != 1008 || err.Reason != "rate limit" {
			t.Errorf("%v", err)
		}
	case <-time.After(patience):
		t.Fatal("a flood ends nothing")
	}

	p.Until("its place is free", func() bool { return p.stats().Connections <= int64(3+len(silent)) })
	m := visitMute(t, p.socket("a.sock"))
	if _, err := io.WriteString(m, "\x01\x85abcdhe"); err != nil { // five bytes are promised
		t.Fatal(err)
	}
	if code, reason := m.closeCode(t); code != 1008 || !strings.Contains(reason, "took too long") {
		t.Errorf("%d %q", code, reason)
	}
	for i := range 9 { // pages count as well
		nc, err := net.Dial("unix", p.socket("a.sock"))
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.3\r\n\r\n")
		answer, err := io.ReadAll(nc)
		nc.Close()
		if limited := strings.HasPrefix(string(answer), "HTTP/1.1 429 "); err != nil || limited != (i >= 7) && i != 7 {
			t.Errorf("%d: %.100q %v", i, answer, err)
		}
	}

	for _, g := range []*guest{b, c, d} { // who did nothing of the kind
		g.say(t, "unharmed")
		g.hears(t, "unharmed")
	}
	want := map[string]uint64{"sessions_per_address": 1, "connections_per_address": 1, "rate_closed": 1,
		"rate_delayed": 0, "rate_dropped": 0, "message_timeouts": 1}
	got := maps.Clone(p.stats().Limited)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: %d, want %d (%v)", name, got[name], n, got)
		}
	}
	if got["sessions"] < 6 || got["handshakes_per_address"] == 0 {
		t.Errorf("%v", got)
	}
	if said := strings.Count(p.Said(), `"limits.sessions"`); said != 1 {
		t.Errorf("the log says %d times that there are too many sessions", said)
	}
}
