package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/selfsigned"
)

const goodbye = "server is shutting down"

func TestSignalsCloseEverySession(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			p := launch(t, nil)
			ready := p.Logged("ready")
			if want := "unix:" + p.socket("nvsess.sock"); len(ready.Listen) != 1 || ready.Listen[0] != want || ready.Mode != "handlers" {
				t.Errorf("ready: %+v", ready)
			}
			var guests []*guest
			for range 3 {
				guests = append(guests, visit(t, "ws+unix://"+p.socket("nvsess.sock")))
			}
			p.Signal(sig)
			for _, g := range guests {
				g.isClosed(t, 1001, goodbye)
			}
			p.Ends(0)
			p.noSockets()
		})
	}
}

// patient gives a daemon that waits long for its clients.
const patient = "[close]\ntimeout = \"5m\"\n[shutdown]\ndeadline = \"5m\"\n"

// The first signal waits for a client that never answers; the second does not.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := launch(t, configured(t, patient))
	p.Logged("ready")
	m := visitMute(t, p.socket("nvsess.sock"))
	p.Signal(syscall.SIGTERM)
	if code, reason := m.closeCode(t); code != 1001 || reason != goodbye {
		t.Errorf("closed with %d %q", code, reason)
	}
	if _, err := tryVisit(t, "ws+unix://"+p.socket("nvsess.sock")); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a session of a stopping daemon: %v", err)
	}
	p.Signal(syscall.SIGHUP) // means nothing without a terminal
	p.Signal(syscall.SIGINT)
	m.cut(t)
	p.Ends(1)
	p.Logged("ending at once")
	p.noSockets()
}

// Until the last session is gone whoever else comes is told that the daemon stops,
// over plain sockets and TLS. Those that say nothing hold up nothing.
func TestDrainingIsSeenByNewConnections(t *testing.T) {
	t.Parallel()
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	p := launch(t, configured(t, fmt.Sprintf("listen = [\"unix:%%t/nvsess.sock\", \"tcp:127.0.0.1:0\"]\ntls_cert = %q\ntls_key = %q\n", cert, key)+
		patient+"[handshake]\ntimeout = \"5m\"\n"))
	tcp := strings.TrimPrefix(p.Logged("ready").Listen[1], "tcp:")
	m := visitMute(t, p.socket("nvsess.sock"))
	p.Signal(syscall.SIGTERM)
	m.closeCode(t) // and does not answer
	p.tellsDraining(t)
	secure := browser(t, true, func() (net.Conn, error) { return net.Dial("tcp", tcp) })
	if resp, body := fetch(t, secure, "GET", "https://localhost/healthz", nil); resp.StatusCode != 503 || string(body) != draining {
		t.Errorf("over TLS: %d %q", resp.StatusCode, body)
	}
	for _, addr := range []string{"unix " + p.socket("nvsess.sock"), "tcp " + tcp} {
		network, address, _ := strings.Cut(addr, " ")
		silent, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
	}
	m.Close()
	p.Ends(0)
	p.noSockets()
}

const draining = `{"status":"draining"}` + "\n"

// tellsDraining checks what a stopping daemon says to a new connection.
func (p *process) tellsDraining(t *testing.T) {
	t.Helper()
	c := browser(t, false, func() (net.Conn, error) { return net.Dial("unix", p.socket("nvsess.sock")) })
	if resp, body := fetch(t, c, "GET", "http://localhost/healthz", nil); resp.StatusCode != 503 || string(body) != draining {
		t.Errorf("health: %d %q", resp.StatusCode, body)
	}
	if _, err := tryVisit(t, "ws+unix://"+p.socket("nvsess.sock")); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a session: %v", err)
	}
}

// With shutdown.delay the sessions go on at first, while health says already
// that the daemon stops. A second signal ends the delay, and is no error.
func TestShutdownDelay(t *testing.T) {
	for delay, skip := range map[string]bool{"5m": true, "300ms": false} {
		t.Run(delay, func(t *testing.T) {
			t.Parallel()
			p := launch(t, configured(t, "mode = \"echo\"\n[shutdown]\ndelay = \""+delay+"\"\n"))
			p.Logged("ready")
			g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
			began := time.Now()
			p.Signal(syscall.SIGTERM)
			if skip {
				p.Logged("draining")
				p.tellsDraining(t)
				g.say(t, "still here")
				g.hears(t, "still here")
				p.Signal(syscall.SIGHUP) // means nothing without a terminal
				p.Signal(syscall.SIGTERM)
			}
			g.isClosed(t, 1001, goodbye)
			if took := time.Since(began); !skip && took < 300*time.Millisecond {
				t.Errorf("closed after %v", took)
			}
			p.Ends(0)
			p.noSockets()
		})
	}
}

func TestShutdownDeadline(t *testing.T) {
	t.Parallel()
	p := launch(t, configured(t, strings.Replace(patient, `deadline = "5m"`, `deadline = "300ms"`, 1)))
	p.Logged("ready")
	m := visitMute(t, p.socket("nvsess.sock"))
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	m.closeCode(t)
	m.cut(t)
	p.Ends(0)
	if took := time.Since(began); took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	p.Logged("some sessions did not close in time and were cut")
	p.noSockets()
}

// A signal that comes while the daemon starts ends it like any other: it waits
// here for its certificate, with its sockets open.
func TestSignalDuringTheStart(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "cert.pem")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	p := launch(t, configured(t, fmt.Sprintf("listen = [\"tcp:127.0.0.1:0\", \"unix:%%t/nvsess.sock\"]\ntls_cert = %q\ntls_key = %q\n", fifo, key)))
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0) // opens when the daemon reads it
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.socket("admin.sock")); err != nil {
		t.Error(err)
	}
	p.Signal(syscall.SIGTERM)
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(pem); err != nil {
		t.Fatal(err)
	}
	f.Close()
	p.Ends(0)
	p.Logged("stopped")
	p.noSockets()
}

func TestHangupIsNoReasonToStop(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	p.Signal(syscall.SIGHUP)
	p.Logged("the configuration was read again")
	select {
	case err := <-g.ended:
		t.Errorf("%v", err)
	default:
	}
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
}

// Who reads the log has ended before the daemon stops, as with Ctrl-C and
// "nvsessd | tee log".
func TestStopsInOrderWithoutALog(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, func(p *process) { p.Cmd.Stdout = w }, inShell(`exec 3>&2 2>&1`), withEnv("GOTRACEBACK=none"))
	w.Close()
	line := make([]byte, 1<<16)
	for said := ""; !strings.Contains(said, "Ctrl-C ends it"); { // it is ready
		n, err := r.Read(line)
		if err != nil {
			t.Fatal(err)
		}
		said += string(line[:n])
	}
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	r.Close()
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}
