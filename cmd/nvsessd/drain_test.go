package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// drain carries out the command to its end and returns the result.
func (p *process) drain(args map[string]any) (admin.Drain, error) {
	var d admin.Drain
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*patience)
	defer cancel()
	a, err := admin.NewClient(p.socket("admin.sock")).Stream(ctx, "drain", args, nil, func(*admin.Line) error { return nil })
	if err == nil {
		err = json.Unmarshal(a.Result, &d)
	}
	return d, err
}

func (p *process) undrain() {
	p.t.Helper()
	if _, err := admin.NewClient(p.socket("admin.sock")).Call(p.t.Context(), "undrain", nil); err != nil {
		p.t.Fatal(err)
	}
}

var sentAway = regexp.MustCompile(`^service restart; retry_after_ms=(\d+)$`)

// askedFor is what a close reason of a drain asks for.
func askedFor(t *testing.T, code int, reason string) time.Duration {
	t.Helper()
	m := sentAway.FindStringSubmatch(reason)
	if code != 1012 || m == nil {
		t.Errorf("closed with %d %q", code, reason)
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Error(err)
	}
	return time.Duration(n) * time.Millisecond
}

// A nomad is a client that comes back.
type nomad struct {
	mu     sync.Mutex // guards what follows
	opens  int
	closed time.Time
	back   time.Time
	why    *client.CloseError
	again  chan struct{} // closed when it is back
}

func wander(t *testing.T, url string, opts ...client.Option) *nomad {
	t.Helper()
	n := &nomad{again: make(chan struct{})}
	c, err := client.Connect(t.Context(), url, append(opts, client.WithReconnect(client.Reconnect{
		MinDelay: 10 * time.Millisecond, MaxDelay: 200 * time.Millisecond,
		OnConnect: func(*client.Conn) {
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.opens++; n.opens == 2 {
				n.back = time.Now()
				close(n.again)
			}
		},
		OnDisconnect: func(d client.Disconnect) {
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.why == nil && errors.As(d.Err, &n.why) {
				n.closed = time.Now()
			}
		},
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow(); <-c.Done() })
	return n
}

// One daemon sends its clients away and ends, another takes its address: all come
// back, each when it was told to and none before.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	a := launch(t, configured(t, "listen = [\"tcp:127.0.0.1:0\"]\n[shutdown]\ndelay = \"10m\"\n"))
	address := a.Logged("ready").Listen[0]
	var nomads []*nomad
	for range 40 {
		nomads = append(nomads, wander(t, "ws://"+strings.TrimPrefix(address, "tcp:")+"/"))
	}
	d, err := a.drain(map[string]any{"rate": "100", "back-in": "500ms", "delay": "0s"})
	if err != nil || d.Closed != 40 || d.Unanswered != 0 || d.Forced != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	a.Logged("drained")
	a.Signal(syscall.SIGTERM)
	a.Ends(0) // without another delay: nobody is left
	b := launch(t, configured(t, fmt.Sprintf("listen = [%q]\n", address)))
	b.Logged("ready")
	asked := map[time.Duration]bool{}
	for _, n := range nomads {
		select {
		case <-n.again:
		case <-time.After(patience):
			t.Fatal("a client never comes back")
		}
		n.mu.Lock()
		after := askedFor(t, n.why.Code, n.why.Reason)
		asked[after] = true
		// Planned: 400 ms of closing, 500 ms away.
		if took := n.back.Sub(n.closed); took < after || after < 900*time.Millisecond {
			t.Errorf("back after %v, asked for %v", took, after)
		}
		n.mu.Unlock()
	}
	if len(asked) < 20 {
		t.Errorf("only %d different delays", len(asked))
	}
	if n := b.sessions(); n != 40 {
		t.Errorf("%d have come back", n)
	}
}

// With --delay health speaks first, for load balancers; by default it is shutdown.delay.
func TestDrainOverHTTP(t *testing.T) {
	t.Parallel()
	path, f := unit(t, "s") // a socket of systemd's is answered at, too: the process stays
	p := launch(t, configured(t, "mode = \"echo\"\n[shutdown]\ndelay = \"10m\"\n"), activated("nvsess", f))
	p.Logged("ready")
	c := browser(t, false, func() (net.Conn, error) { return net.Dial("unix", path) })
	health := func(want int, body string) {
		t.Helper()
		if resp, got := fetch(t, c, "GET", "http://localhost/healthz", nil); resp.StatusCode != want || string(got) != body {
			t.Errorf("health: %d %q", resp.StatusCode, got)
		}
	}
	health(200, `{"status":"ok"}`+"\n")
	g := visit(t, "ws+unix://"+path)
	if d, err := p.drain(map[string]any{"detach": true}); err != nil || d.Phase != "announced" || d.DelayMS != 600_000 || d.DeadlineMS != 900_000 {
		t.Fatalf("%+v, %v", d, err)
	}
	health(503, draining)
	visit(t, "ws+unix://"+path).say(t, "late, but welcome")
	g.say(t, "still here")
	g.hears(t, "still here")
	p.undrain()
	health(200, `{"status":"ok"}`+"\n")

	if d, err := p.drain(map[string]any{"delay": "0s"}); err != nil || d.Closed != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := <-g.ended; askedFor(t, err.Code, err.Reason) >= time.Second {
		t.Error(err)
	}
	health(503, draining)
	var refused *client.HandshakeError
	if _, err := tryVisit(t, "ws+unix://"+path); !errors.As(err, &refused) || refused.Status != 503 || refused.Header.Get("Retry-After") != "5" {
		t.Errorf("%v", err)
	}
	p.undrain()
	health(200, `{"status":"ok"}`+"\n")
	visit(t, "ws+unix://"+path)
	p.Signal(syscall.SIGTERM)
	p.Logged("draining")
	p.Signal(syscall.SIGTERM) // no delay, please
	p.Ends(0)
}

// The daemon's end in the middle of a drain is an ordinary end.
func TestStopDuringDrain(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	first, second := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	over := make(chan error, 1)
	go func() { _, err := p.drain(map[string]any{"rate": "1/min"}); over <- err }()
	err := <-first.ended
	askedFor(t, err.Code, err.Reason)
	p.Signal(syscall.SIGTERM)
	second.isClosed(t, 1001, goodbye)
	var e *admin.Error
	if err := <-over; !errors.As(err, &e) || e.Code != admin.CodeShuttingDown {
		t.Errorf("drain ended with %v", err)
	}
	p.Ends(0)
	p.noSockets()
}

// Ten thousand sessions go, each told its own time.
func TestDrainOfTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur < 10_500 {
		t.Skipf("it takes 10500 descriptors; there are %d (%v)", lim.Cur, err)
	}
	const n = 10_000
	p := launch(t, configured(t, "listen = [\"unix:%t/nvsess.sock\"]\n"))
	p.Logged("ready")
	conns := make([]*mute, n)
	var all sync.WaitGroup
	dialer := gobwas.Dialer{Timeout: 2 * patience, NetDial: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", p.socket("nvsess.sock"))
	}}
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < n; i += 8 {
				c, br, _, err := dialer.Dial(context.Background(), "ws://localhost/")
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(5 * patience))
				if br == nil {
					br = bufio.NewReaderSize(c, 256)
				}
				conns[i] = &mute{Conn: c, r: br}
			}
		})
	}
	all.Wait()
	t.Cleanup(func() {
		for _, m := range conns {
			if m != nil {
				m.Close()
			}
		}
	})
	if t.Failed() {
		return
	}
	asked := make([]time.Duration, n)
	for worker := range 8 {
		all.Go(func() {
			// In the order in which they are closed, or nearly.
			for i := worker; i < n; i += 8 {
				code, reason := conns[i].closeCode(t)
				asked[i] = askedFor(t, code, reason)
				frame := gobwas.MaskFrame(gobwas.NewCloseFrame(gobwas.NewCloseFrameBody(gobwas.StatusCode(code), "")))
				if err := gobwas.WriteFrame(conns[i], frame); err != nil {
					t.Error(err)
				}
				conns[i].Close()
			}
		})
	}
	d, err := p.drain(map[string]any{"rate": "4000", "every": "100ms"})
	all.Wait()
	if err != nil || d.Total != n || d.Closed != n || d.Forced != 0 || d.ElapsedMS < 2000 {
		t.Errorf("%+v, %v", d, err)
	}
	different := map[time.Duration]bool{}
	for _, after := range asked {
		different[after] = true
	}
	if len(different) < 500 {
		t.Errorf("only %d different delays", len(different))
	}
	t.Logf("%+v", d)
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
}

// Behind nginx with two daemons: those that one sends away are at the other soon,
// though nginx still asks the first; and back again, the other way round.
func TestRollingRestartBehindNginx(t *testing.T) {
	t.Parallel()
	a, b := launch(t, nil), launch(t, nil)
	a.Logged("ready")
	b.Logged("ready")
	front := behindNginx(t, a.socket("nvsess.sock")+" max_fails=0;\nserver unix:"+b.socket("nvsess.sock"))
	address := relay(t, front)
	var nomads []*nomad
	for range 12 {
		nomads = append(nomads, wander(t, "wss://"+address+"/", client.WithTLS(&tls.Config{InsecureSkipVerify: true})))
	}
	if a.sessions() != 6 || b.sessions() != 6 {
		t.Errorf("nginx has sent %d and %d", a.sessions(), b.sessions())
	}
	d, err := a.drain(map[string]any{"rate": "100"})
	if err != nil || d.Closed != 6 || d.Unanswered != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	moved := 0
	eventually(t, "six have moved", func() bool {
		moved = 0
		for _, n := range nomads {
			n.mu.Lock()
			if n.opens == 2 {
				moved++
			}
			n.mu.Unlock()
		}
		return moved >= 6
	})
	if moved != 6 || a.sessions() != 0 || b.sessions() != 12 {
		t.Fatalf("%d have moved; %d and %d", moved, a.sessions(), b.sessions())
	}
	for _, n := range nomads {
		n.mu.Lock()
		if n.opens == 2 {
			if after := askedFor(t, n.why.Code, n.why.Reason); n.back.Sub(n.closed) < after || n.back.Sub(n.closed) > patience {
				t.Errorf("back after %v, asked for %v", n.back.Sub(n.closed), after)
			}
		}
		n.mu.Unlock()
	}
	a.undrain() // or a restart: it takes sessions again
	if d, err := b.drain(map[string]any{"rate": "100"}); err != nil || d.Closed != 12 {
		t.Fatalf("%+v, %v", d, err)
	}
	eventually(t, "all are at the first", func() bool { return a.sessions() == 12 })
}

func (p *process) sessions() int {
	p.t.Helper()
	a, err := admin.NewClient(p.socket("admin.sock")).Call(p.t.Context(), "sesses", map[string]any{"count": true})
	var n struct{ Total int }
	if err == nil {
		err = json.Unmarshal(a.Result, &n)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return n.Total
}

// relay is a TCP address of a unix socket: TLS has no other.
func relay(t *testing.T, socket string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		to.Close()
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("unix", socket)
			if err != nil {
				c.Close()
				continue
			}
			go pass(c, s)
			go pass(s, c)
		}
	}()
	return ln.Addr().String()
}
