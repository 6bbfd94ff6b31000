package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// failer is what testing and testscript have in common here.
type failer interface {
	Fatalf(format string, args ...any)
	Helper()
}

// daemon is a real nvsessd.
type daemon struct {
	f       failer
	dir     string
	admin   string // socket
	clients string // URL
	cmd     *exec.Cmd
	log     bytes.Buffer
}

func newDaemon(f failer, dir string) *daemon {
	return &daemon{f: f, dir: dir, admin: filepath.Join(dir, "admin.sock"), clients: "ws+unix://" + filepath.Join(dir, "ws.sock")}
}

// start runs the daemon and waits until it answers.
func (d *daemon) start() {
	d.f.Helper()
	d.cmd = exec.Command(daemonBinary, "-listen", "unix:"+filepath.Join(d.dir, "ws.sock"), "-admin", d.admin)
	d.log.Reset()
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		d.f.Fatalf("%v", err)
	}
	d.wait("the daemon to answer", func() bool {
		_, err := admin.Dial(d.admin)
		return err == nil
	})
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
}

func (d *daemon) wait(what string, happened func() bool) {
	d.f.Helper()
	for deadline := time.Now().Add(patience); !happened(); runtime.Gosched() {
		if time.Now().After(deadline) {
			d.f.Fatalf("waited in vain for %s", what)
		}
	}
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
	d.f.Helper()
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
		d.f.Fatalf("%v", err)
	}
	if m.id, err = m.conn.WaitSession(ctx); err != nil {
		d.f.Fatalf("%v", err)
	}
	return m
}

// expect waits for a message.
func (m *member) expect(f failer, want string) {
	f.Helper()
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
			f.Fatalf("no message %q, but %s", want, all)
		}
	}
}

// startTestDaemon is a daemon for a test, with a session for each path.
func startTestDaemon(t *testing.T, paths ...string) (*daemon, []*member) {
	t.Helper()
	d := newDaemon(t, t.TempDir())
	d.start()
	t.Cleanup(func() { d.stop() })
	var members []*member
	for _, path := range paths {
		m := d.join(path, path == "/silent")
		t.Cleanup(func() { m.conn.CloseNow() })
		members = append(members, m)
	}
	return d, members
}
