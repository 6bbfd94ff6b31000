package restart

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/nvsess/nvsess/internal/selfsigned"
	"github.com/nvsess/nvsess/test/systembox"
)

// The daemon's own TLS, at a socket that is systemd's as the other one is.
const (
	tlsAddr   = "127.0.0.1:8443"
	tlsSocket = "[Socket]\nListenStream=" + tlsAddr + "\n"
	tlsConfig = `
mode = "handlers"
handlers = "/etc/nvsess/h.js"
tls_cert = "/etc/nvsess/tls/cert.pem"
tls_key = "/etc/nvsess/tls/key.pem"
log = {level = "info", format = "json"}
`
	echoes = `srv.regis_$str_handle$((s, conn) => { conn.ssend(s); if (s === 'bad') throw new Error(s) });
srv.regis_$on_close$((code, reason) => srv.sforward('gone: ' + code + ' ' + reason));
`
)

// A peer is one session's other end.
type peer struct {
	t *testing.T
	net.Conn
	rw io.ReadWriter // of it, with what came early
}

// joins opens a session in the service, over TLS or not.
func (s *service) joins(t *testing.T, secure bool) *peer {
	t.Helper()
	d := ws.Dialer{
		NetDial: func(context.Context, string, string) (net.Conn, error) {
			if secure {
				return s.Dial("tcp", tlsAddr)
			}
			return net.Dial("unix", s.Path("/run/nvsess/nvsess.sock"))
		},
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, Timeout: patience,
	}
	url := map[bool]string{false: "ws://localhost/", true: "wss://localhost/"}[secure]
	c, early, _, err := d.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p := &peer{t: t, Conn: c, rw: c}
	if early != nil {
		p.rw = struct {
			io.Reader
			io.Writer
		}{early, c}
	}
	return p
}

// frame reads a frame. (wsutil does not know the code 1012.)
func (p *peer) frame() (op ws.OpCode, payload []byte, err error) {
	_ = p.SetReadDeadline(time.Now().Add(patience))
	h, err := ws.ReadHeader(p.rw)
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, h.Length)
	_, err = io.ReadFull(p.rw, payload)
	return h.OpCode, payload, err
}

// hears waits for a text; what else comes does not matter.
func (p *peer) hears(want string) {
	p.t.Helper()
	for {
		op, text, err := p.frame()
		if err != nil || op == ws.OpClose {
			p.t.Fatalf("%q never comes: %v %q", want, err, text)
		}
		if op == ws.OpText && string(text) == want {
			return
		}
	}
}

// echoed checks that its session is there.
func (p *peer) echoed(text string) {
	p.t.Helper()
	if err := wsutil.WriteClientText(p, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
	p.hears(text)
}

// told waits for the close frame, answers it, and leaves.
func (p *peer) told() (code ws.StatusCode, reason string) {
	p.t.Helper()
	for {
		op, payload, err := p.frame()
		if err != nil {
			p.t.Fatalf("it ends without a close frame: %v", err)
		}
		if op == ws.OpClose {
			code, reason = ws.ParseCloseFrameData(payload)
			if err := ws.WriteFrame(p, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "")))); err != nil {
				p.t.Error(err)
			}
			_, _ = io.Copy(io.Discard, p) // the daemon closes first
			p.Close()
			return code, reason
		}
	}
}

// entry is a line of the daemon's log.
type entry struct {
	Time       time.Time
	Level, Msg string
	Took       time.Duration
}

func (s *service) entries(t *testing.T, since time.Time) (list []entry) {
	t.Helper()
	text, err := s.log(since)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for line := range strings.Lines(text) {
		var raw struct{ Time, Level, Msg, Took string }
		if json.Unmarshal([]byte(line), &raw) != nil {
			continue // systemd's own
		}
		at, err := time.Parse("2006-01-02T15:04:05.000Z0700", raw.Time)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		took, _ := time.ParseDuration(raw.Took) // 0: it says none
		list = append(list, entry{at, raw.Level, raw.Msg, took})
	}
	return list
}

// find is the place of the first line that says so, or -1.
func find(list []entry, msg string) int {
	for i, e := range list {
		if e.Msg == msg {
			return i
		}
	}
	return -1
}

// counts reports whether the metrics have a line.
func (s *service) counts(line string) (text string, ok bool) {
	text, err := s.Try("curl", "-sS", "--unix-socket", "/run/nvsess/admin.sock", "http://nvsessd/metrics")
	return text, err == nil && slices.Contains(strings.Split(text, "\n"), line)
}

// What a restart under systemd does before it hands over: sessions over TLS, which
// cannot go on, are told so while all runs, and a reload that is under way has its
// time to take effect.
func TestRestartIsOrderly(t *testing.T) {
	systembox.Need(t, "curl")
	s := &service{Box: systembox.Installed(t, programs(t, "v1")), t: t}
	cert, key := selfsigned.PEM(t, "localhost")
	s.Write(t, "/etc/nvsess/tls/cert.pem", cert, 0o644)
	s.Write(t, "/etc/nvsess/tls/key.pem", key, 0o640)
	s.Run(t, "chgrp", "nvsess", "/etc/nvsess/tls/key.pem")
	s.Write(t, "/etc/nvsess/nvsess.toml", tlsConfig, 0o644)
	s.Write(t, "/etc/nvsess/h.js", echoes, 0o644)
	s.Write(t, "/etc/systemd/system/nvsessd.socket.d/tls.conf", tlsSocket, 0o644)
	s.Run(t, "systemctl", "daemon-reload")
	s.Run(t, "systemctl", "start", "nvsessd")
	plain := s.joins(t, false)
	plain.echoed("hello")

	t.Run("TLS", func(t *testing.T) {
		since := time.Now()
		secure := []*peer{s.joins(t, true), s.joins(t, true)}
		for i, p := range secure {
			p.echoed(fmt.Sprint("number ", i))
		}
		restarted := make(chan error, 1)
		go func() { restarted <- s.systemctl("restart", "nvsessd")(t.Context(), 0) }()
		for i, p := range secure {
			if code, reason := p.told(); code != 1012 || reason != "service restart" {
				t.Errorf("number %d is closed with %d %q", i, code, reason)
			}
		}
		if err := <-restarted; err != nil {
			t.Fatal(err)
		}
		for range secure { // and handlers hear of it
			plain.hears("gone: 1012 service restart")
		}
		plain.echoed("still here")
		s.joins(t, true).echoed("back again")
		if list := s.entries(t, since); find(list, "resumed") < 0 || slices.ContainsFunc(list, func(e entry) bool { return e.Level == "error" }) {
			t.Errorf("the log: %+v", list)
		}
	})
	if t.Failed() {
		return
	}

	t.Run("counters", func(t *testing.T) { // of what is not the sessions'
		const failed = `nvsess_script_errors_total{handler="str_handle",reason="error"} 1`
		plain.echoed("bad")
		systembox.Eventually(t, "the error is counted", func() (string, bool) { return s.counts(failed) })
		s.Run(t, "systemctl", "reload", "nvsessd")
		s.Run(t, "systemctl", "restart", "nvsessd")
		for _, line := range []string{failed, `nvsess_upgrades_total{result="ok"} 1`} {
			if text, ok := s.counts(line); !ok {
				t.Errorf("there is no %s in\n%s", line, text)
			}
		}
	})

	t.Run("reload", func(t *testing.T) {
		// A restart must come while the file is run. When is up to the machine, so it is
		// tried more than once.
		const runs, from = 800 * time.Millisecond, 200 * time.Millisecond
		for n := range 5 {
			s.Write(t, "/etc/nvsess/h.js", fmt.Sprintf("%s// %d\nfor (const until = Date.now() + %d; Date.now() < until;) ;\n", echoes, n, runs.Milliseconds()), 0o644)
			since := time.Now()
			s.Run(t, "systemctl", "kill", "--kill-who=main", "-s", "HUP", "nvsessd")
			time.Sleep(from)
			s.Run(t, "systemctl", "restart", "nvsessd")
			plain.echoed(fmt.Sprint("after restart ", n))
			list := s.entries(t, since)
			reloaded, left, next := find(list, "the configuration was read again"), find(list, "handed over to the next process"), find(list, "resumed")
			if left < 0 || next < left {
				t.Fatalf("the sessions were not handed over: %+v", list)
			}
			if reloaded < 0 || reloaded > left {
				t.Fatalf("the reload was cut short, or not waited for: %+v", list)
			}
			if began := list[left].Time.Add(-list[left].Took); list[reloaded].Time.After(began) {
				return // it was waited for
			}
		}
		t.Error("no restart came while a reload was under way")
	})
}
