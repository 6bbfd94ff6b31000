package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// What the host puts into the machine's root directory, and what it reads there.
const (
	daemonFile = "/nvsessd"
	reportFile = "/report"
	logFile    = "/log"

	passed = "nobody has noticed"
)

const configuration = `
listen = ["unix:/tmp/s"]
admin.listen = "unix:/tmp/a"
mode = "forward"
keepalive = {interval = "10s", grace = "10s"}
requests.timeout = "1s"
close.timeout = "30s"
log = {format = "json"}
`

const (
	// patience is how long what must happen may take on a busy machine.
	patience = 2 * time.Minute
	silence  = 20 * time.Second // after which keepalive closes
	year     = 365 * 24 * time.Hour
	members  = 10
	url      = "ws+unix:///tmp/s"
)

// main never returns: where the first process ends, the kernel panics.
func main() {
	err := run()
	text := passed
	if err != nil {
		text = err.Error()
	}
	_ = os.WriteFile(reportFile, []byte(text), 0o600) // without it the host knows, too
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// A machine is what there is to look at.
type machine struct {
	ctl     *admin.Client
	members []*member
	began   time.Time     // with the monotonic clock
	paused  time.Duration // at most, for an upgrade: ages stand still meanwhile
	ended   chan error
}

// A member is a session that behaves, but for not answering questions.
type member struct {
	conn  *client.Conn
	pings atomic.Uint64
	heard chan string
	ended chan error
}

func run() error {
	if err := prepare(); err != nil {
		return err
	}
	m, err := start()
	if err != nil {
		return err
	}
	began := time.Now()
	for _, by := range []time.Duration{30 * year, -20 * year} {
		silent, err := joinSilent()
		if err != nil {
			return err
		}
		set := began.Add(time.Since(began)).Round(0).Add(by)
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &unix.Timespec{Sec: set.Unix()}); err != nil {
			return fmt.Errorf("setting the clock: %w", err)
		}
		if off := time.Now().Round(0).Sub(set).Abs(); off > patience {
			return fmt.Errorf("the clock was set to %v and shows %v", set, time.Now())
		}
		if err := errors.Join(silent.check(), m.check()); err != nil {
			return fmt.Errorf("the clock was set to %v: %w", set, err)
		}
	}
	begun := time.Now()
	if _, err := m.ctl.Call(context.Background(), "upgrade", nil); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	m.paused = time.Since(begun)
	if err := m.check(); err != nil {
		return fmt.Errorf("after the upgrade: %w", err)
	}
	return nil
}

// prepare makes what programs expect of a machine.
func prepare() error {
	for _, mount := range []struct{ what, dir string }{{"proc", "/proc"}, {"tmpfs", "/tmp"}} {
		if err := unix.Mount(mount.what, mount.dir, mount.what, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", mount.dir, err)
		}
	}
	return os.WriteFile("/tmp/c.toml", []byte(configuration), 0o600)
}

func start() (*machine, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(daemonFile, "-config", "/tmp/c.toml")
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, []string{}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := &machine{ended: make(chan error, 1)}
	go func() { m.ended <- cmd.Wait() }()
	err = m.until("the daemon listens", func() bool {
		m.ctl, err = admin.Dial("/tmp/a")
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	for range members {
		j, err := join()
		if err != nil {
			return nil, err
		}
		m.members = append(m.members, j)
	}
	m.began = time.Now() // all are older than that
	return m, nil
}

func join() (*member, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	j := &member{heard: make(chan string, 100), ended: make(chan error, 1)}
	conn, err := client.Dial(ctx, url, client.WithHandlers(client.Handlers{
		String: func(_ *client.Conn, s string) { j.heard <- s },
		Close:  func(_ *client.Conn, err *client.CloseError) { j.ended <- err },
	}), client.WithTrace(func(_ *client.Conn, t client.Trace) {
		if !t.Sent && strings.Contains(t.What, "ping") {
			j.pings.Add(1)
		}
	}))
	if err != nil {
		return nil, err
	}
	j.conn = conn
	_, err = conn.WaitSession(ctx)
	return j, err
}

// until waits for something to become true while all sessions stay open.
func (m *machine) until(what string, holds func() bool) error {
	for limit := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-m.ended:
			return fmt.Errorf("the daemon has ended: %v", err)
		default:
		}
		for i, j := range m.members {
			select {
			case err := <-j.ended:
				return fmt.Errorf("session %d was closed: %w", i, err)
			default:
			}
		}
		if time.Now().After(limit) {
			return fmt.Errorf("waited %v in vain: %s", patience, what)
		}
	}
	return nil
}

// check looks at everything that has to do with time.
func (m *machine) check() error {
	before := make([]uint64, len(m.members))
	for i, j := range m.members {
		before[i] = j.pings.Load()
	}
	if err := m.until("everybody is pinged", func() bool {
		for i, j := range m.members {
			if j.pings.Load() < before[i]+2 {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	return errors.Join(m.checkDeadline(), m.checkAges(), m.checkForwarding())
}

// checkDeadline: a question that nobody answers ends at its deadline.
func (m *machine) checkDeadline() error {
	const deadline = 500 * time.Millisecond
	begun := time.Now()
	_, err := m.ctl.Call(context.Background(), "send_jrr_sreq", map[string]any{"session": "fst", "data": 1, "timeout": deadline.String()})
	took := time.Since(begun)
	if e := (*admin.Error)(nil); !errors.As(err, &e) || e.Code != admin.CodeNoReply || took < deadline || took > patience {
		return fmt.Errorf("a question of %v took %v and got %v", deadline, took, err)
	}
	return nil
}

// A silent session says nothing.
type silent struct {
	conn  net.Conn
	r     *bufio.Reader
	begun time.Time
}

const request = "GET / HTTP/1.1\r\nHost: clock\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func joinSilent() (*silent, error) {
	c, err := net.Dial("unix", "/tmp/s")
	if err != nil {
		return nil, err
	}
	s := &silent{conn: c, r: bufio.NewReader(c), begun: time.Now()}
	if _, err := c.Write([]byte(request)); err != nil {
		return nil, err
	}
	_, err = http.ReadResponse(s.r, nil)
	return s, err
}

// check: it is closed, after its interval and its grace.
func (s *silent) check() error {
	defer s.conn.Close()
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	for {
		h, err := ws.ReadHeader(s.r)
		if took := time.Since(s.begun); err != nil || h.OpCode == ws.OpClose && took < silence {
			return fmt.Errorf("a silent session was closed after %v: %v", took, err)
		}
		if h.OpCode == ws.OpClose {
			return nil
		}
		if _, err := io.CopyN(io.Discard, s.r, h.Length); err != nil {
			return err
		}
	}
}

// checkAges: nobody is older or younger than he is.
func (m *machine) checkAges() error {
	count := func(filter string) (int, error) {
		a, err := m.ctl.Call(context.Background(), "sess_filter", map[string]any{"expr": filter, "limit": 1})
		if err != nil {
			return 0, err
		}
		var page admin.Page
		err = json.Unmarshal(a.Result, &page)
		return page.Total, err
	}
	age := time.Since(m.began)
	for filter, want := range map[string]int{
		fmt.Sprintf("age>=%dms", (age - m.paused).Milliseconds()): members,
		fmt.Sprintf("age>=%dms", (age + patience).Milliseconds()): 0,
		fmt.Sprintf("idle>=%dms", patience.Milliseconds()):        0,
	} {
		if n, err := count(filter); err != nil || n != want {
			return fmt.Errorf("%d sessions are %s, and %d should be: %v", n, filter, want, err)
		}
	}
	return nil
}

// checkForwarding: who sends is heard by all others.
func (m *machine) checkForwarding() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text := fmt.Sprintf("it is %v", time.Now())
	if err := m.members[0].conn.SendString(ctx, text); err != nil {
		return err
	}
	for i, j := range m.members[1:] {
		select {
		case got := <-j.heard:
			if got != text {
				return fmt.Errorf("session %d got %q", i+1, got)
			}
		case <-ctx.Done():
			return fmt.Errorf("session %d got nothing", i+1)
		}
	}
	return nil
}
