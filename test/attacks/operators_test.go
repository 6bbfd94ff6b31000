package attacks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// operator connects to the operators' socket.
func (d *daemon) operator() net.Conn {
	d.t.Helper()
	c, err := dial("unix", d.Admin)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// Two thousand connections to the operators' socket that say nothing get an
// eighth of the descriptors at most, and are cut: sessions come and go, and an
// operator who says something is heard.
func TestOperatorsConnectionsAreHoarded(t *testing.T) {
	t.Parallel()
	const files = 512
	attack(t, setting{files: files, unasked: true}, 16*mebi, func(d *daemon) {
		base := d.descriptors()
		connected, letGo := aswarm(t, 2000, d.Admin)
		d.Until("the hoarders have what they get", func() bool { return d.descriptors() >= base+files/8-8 })
		for range 100 {
			p := d.open()
			p.write(text("unharmed"))
			p.hears("unharmed")
			if n := d.descriptors(); n > base+files/8+100+8 {
				t.Fatalf("%d descriptors, %d before", n, base)
			}
			p.Close()
		}
		letGo()
		<-connected
		d.must("version", nil, nil)
	})
}

// Requests that come a byte at a time, heads and bodies, are cut off or go on,
// and hold up nobody.
func TestOperatorsSlowRequests(t *testing.T) {
	t.Parallel()
	attack(t, setting{unasked: true}, 32*mebi, func(d *daemon) {
		const head, whole = "POST /v1/version HTTP/1.1\r\nHost: x\r\nX-Long: ", "POST /v1/version HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
		var heads, bodies []net.Conn
		for range 150 {
			c := d.operator()
			_, _ = io.WriteString(c, head)
			heads = append(heads, c)
			c = d.operator()
			_, _ = io.WriteString(c, whole)
			bodies = append(bodies, c)
		}
		stop := make(chan struct{})
		var dribble sync.WaitGroup
		dribble.Go(func() {
			for {
				for i := range heads {
					_, _ = heads[i].Write([]byte{' '}) // it ends some time
					_, _ = bodies[i].Write([]byte{' '})
				}
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
		for _, c := range heads { // at the deadline, whatever was sent
			_, _ = io.Copy(io.Discard, c)
		}
		// Too many of the bodies were turned away at once; the others have places, which come back.
		turned := 0
		for _, c := range bodies[:20] {
			c.Close()
		}
		for _, c := range bodies[20:] {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
				turned++ // an answer, or the connection's end
			}
		}
		d.Until("an operator is heard", func() bool { return d.call("version", nil, nil) == nil })
		close(stop)
		dribble.Wait()
		for i := range heads {
			heads[i].Close()
			bodies[i].Close()
		}
		if turned == 0 {
			t.Error("no call was one too many")
		}
	})
}

// Ten thousand calls at a time are carried out or refused, each of them.
func TestTenThousandOperatorsCalls(t *testing.T) {
	t.Parallel()
	attack(t, setting{unasked: true}, 64*mebi, func(d *daemon) {
		var done, refused, full, late atomic.Int64
		begun := time.Now()
		var calls sync.WaitGroup
		for range 10_000 {
			calls.Go(func() {
				for {
					err := d.call("sesses", nil, nil)
					var e *admin.Error
					var silent *admin.NotReachableError
					switch {
					case err == nil:
						done.Add(1)
					case errors.As(err, &e) && e.Code == admin.CodeTooManyCalls:
						refused.Add(1)
					case errors.Is(err, syscall.EAGAIN): // the kernel's backlog
						full.Add(1)
						time.Sleep(10 * time.Millisecond)
						continue
					case errors.As(err, &silent) && time.Since(begun) < 2*patience: // a busy machine: it had no turn in time
						late.Add(1)
						continue
					default:
						t.Errorf("%v", err)
					}
					return
				}
			})
		}
		calls.Wait()
		t.Logf("%d carried out, %d refused; the backlog was full %d times, and %d calls given up and made again", done.Load(), refused.Load(), full.Load(), late.Load())
		if done.Load() == 0 || done.Load()+refused.Load() != 10_000 {
			t.Error("some calls had no end")
		}
	})
}

// Watchers that never read lose what they do not read, and hold up neither the
// sessions they watch nor the daemon's memory.
func TestWatchersThatNeverRead(t *testing.T) {
	t.Parallel()
	attack(t, setting{unasked: true}, 160*mebi, func(d *daemon) {
		var watchers []net.Conn
		for range 16 {
			c := d.operator()
			_, _ = io.WriteString(c, "GET /v1/watch?max-data=1000000 HTTP/1.1\r\nHost: x\r\n\r\n")
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
				t.Fatalf("%q %v", line, err)
			}
			watchers = append(watchers, c)
		}
		p := d.open()
		long := strings.Repeat("x", 500_000)
		for range 60 {
			p.write(text(long))
			p.hears(long)
		}
		p.Close()
		for _, c := range watchers {
			c.Close()
		}
	})
}

// Bodies of 100 MB, declared or not, are refused before they are read, and
// together take little memory.
func TestOperatorsLargeBodies(t *testing.T) {
	t.Parallel()
	attack(t, setting{unasked: true}, 160*mebi, func(d *daemon) {
		const size = 100 << 20
		block := make([]byte, 64<<10)
		var all sync.WaitGroup
		for i := range 60 {
			c := d.operator()
			all.Go(func() {
				defer c.Close()
				head := fmt.Sprintf("Content-Length: %d\r\n\r\n", size)
				if i%2 == 0 {
					head = "Transfer-Encoding: chunked\r\n\r\n"
				}
				_, err := io.WriteString(c, "POST /v1/ssend HTTP/1.1\r\nHost: x\r\n"+head)
				sent := 0
				for ; err == nil && sent < size; sent += len(block) {
					if i%2 == 0 {
						_, err = fmt.Fprintf(c, "%x\r\n%s\r\n", len(block), block)
					} else {
						_, err = c.Write(block)
					}
				}
				if err == nil {
					t.Errorf("all %d bytes were taken", sent)
				}
			})
		}
		all.Wait()
		d.must("version", nil, nil)
	})
}

// Heads beyond all measure are answered 431 or cut; a thousand requests in one
// packet are answered one after the other.
func TestOperatorsHeads(t *testing.T) {
	t.Parallel()
	attack(t, setting{unasked: true}, 32*mebi, func(d *daemon) {
		for _, bomb := range []string{
			"GET /v1/" + strings.Repeat("x", mebi) + " HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /v1/version HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 200_000) + "\r\n",
			"GET /v1/version HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", mebi) + "\r\n\r\n",
			strings.Repeat("\r\n", mebi),
			strings.Repeat("\x00", mebi),
			"GET /v1/version HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
			"GET /v1/sesses?" + strings.Repeat("a=b&", 10_000) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		} {
			c := d.operator()
			_, _ = io.WriteString(c, bomb) // it may not be taken to its end
			answer, _ := io.ReadAll(c)
			if strings.HasPrefix(string(answer), "HTTP/1.1 200") {
				t.Errorf("%.60q: %.200q", bomb, answer)
			}
			c.Close()
		}
		c := d.operator()
		go func() { _, _ = io.WriteString(c, strings.Repeat("GET /v1/loglevel HTTP/1.1\r\nHost: x\r\n\r\n", 1000)) }()
		r := bufio.NewReader(c)
		for i := range 1000 {
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("answer %d: %v", i, err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		c.Close()
	})
}

// Who may not call is told so, whatever he does, and takes no place of those who
// may.
func TestOperatorOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("to be another user takes root")
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl")
	}
	attack(t, setting{config: "[admin]\nmode = \"0666\"\n"}, 16*mebi, func(d *daemon) {
		if err := os.Chmod(d.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				cmd := exec.Command(curl, "-sS", "--unix-socket", d.Admin, "-d", `{"code":1000}`, "http://x/v1/restart", "http://x/v1/sesses")
				cmd.Dir = "/"
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
				out, _ := cmd.CombinedOutput() // beyond the first few it is cut off
				if strings.Contains(string(out), "sessions") || strings.Contains(string(out), "closed") {
					t.Errorf("%s", out)
				}
			})
		}
		all.Wait()
		if n := d.Count(`"operator refused"`); n == 0 || n > 80 {
			t.Errorf("%d lines about it", n)
		}
	})
}

// JavaScript that never ends, called in bulk, is ended each time, and calls whose
// callers leave are given up.
func TestOperatorsJavaScriptInBulk(t *testing.T) {
	t.Parallel()
	attack(t, setting{unasked: true, config: "[script]\ncpu_limit = \"20ms\"\n"}, 64*mebi, func(d *daemon) {
		p := d.open()
		id, _ := p.id()
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				switch i % 3 {
				case 0:
					_, err := d.ctl.Stream(ctx, "js", map[string]string{"code": "for (;;) {}"}, nil, func(*admin.Line) error { return nil })
					if err == nil {
						t.Error("a loop without end has ended")
					}
				case 1: // the caller leaves while it runs, or waits to
					begun := make(chan struct{}, 1)
					ctx, leave := context.WithCancel(ctx)
					time.AfterFunc(20*time.Millisecond, leave)
					_, _ = d.ctl.Stream(ctx, "js", map[string]string{"code": "await new Promise(() => {})"}, func() { begun <- struct{}{} }, func(*admin.Line) error { return nil })
				case 2:
					ctx, leave := context.WithTimeout(ctx, 50*time.Millisecond)
					defer leave()
					_, _ = d.ctl.Call(ctx, "send_jrr_sreq", map[string]any{"session": id, "data": 1})
				}
			})
		}
		all.Wait()
		p.Close()
		d.Until("JavaScript goes on", func() bool { return d.js("1 + 1") == "2" })
	})
}
