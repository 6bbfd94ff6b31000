package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/test/nvsessd"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// daemon is a real nvsessd, which can be started again.
type daemon struct {
	*nvsessd.Daemon
	t       nvsessd.T
	options nvsessd.Options
	clients string // URL
}

func startDaemon(t nvsessd.T, dir string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, options: nvsessd.Options{Dir: dir, Args: args}}
	d.start()
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	d.Daemon = nvsessd.Start(d.t, d.options)
	d.clients = "ws+unix://" + d.Sock
}

// member is a client of the daemon. It keeps what it is sent, and answers requests unless it is silent.
type member struct {
	conn *client.Conn
	id   string

	mu   sync.Mutex // guards what follows
	got  []string
	more chan struct{} // closed and replaced when there is more
}

func (d *daemon) join(path string, silent bool) *member {
	d.t.Helper()
	m := &member{more: make(chan struct{})}
	take := func(s string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.got = append(m.got, s)
		close(m.more)
		m.more = make(chan struct{})
	}
	h := client.Handlers{
		String: func(_ *client.Conn, s string) { take("string " + s) },
		JSON:   func(_ *client.Conn, j json.RawMessage) { take("json " + string(j)) },
		Binary: func(_ *client.Conn, b []byte) { take(fmt.Sprintf("binary %x", b)) },
		Request: func(c *client.Conn, e client.Envelope) {
			take("request " + string(e.Data))
			if !silent {
				_ = c.Reply(context.Background(), e.ID, map[string]string{"path": path}) // it may be over
			}
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	url := d.clients
	if path != "/" {
		url += ":" + path
	}
	var err error
	if m.conn, err = client.Dial(ctx, url, client.WithHandlers(h)); err != nil {
		d.t.Fatalf("%v", err)
	}
	if m.id, err = m.conn.WaitSession(ctx); err != nil {
		d.t.Fatalf("%v", err)
	}
	return m
}

// expect waits for a message.
func (m *member) expect(t nvsessd.T, want string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		m.mu.Lock()
		more := m.more
		for i, got := range m.got {
			if got == want {
				m.got = append(m.got[:i], m.got[i+1:]...)
				m.mu.Unlock()
				return
			}
		}
		all := fmt.Sprintf("%q", m.got)
		m.mu.Unlock()
		select {
		case <-more:
		case <-timer.C:
			t.Fatalf("no message %q, but %s", want, all)
		}
	}
}

// startTestDaemon is a daemon for a test, with a session for each path.
func startTestDaemon(t *testing.T, paths ...string) (*daemon, []*member) {
	t.Helper()
	d := startDaemon(t, t.TempDir())
	var members []*member
	for _, path := range paths {
		m := d.join(path, path == "/silent")
		t.Cleanup(func() { m.conn.CloseNow() })
		members = append(members, m)
	}
	return d, members
}
