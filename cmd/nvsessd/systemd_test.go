package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unit is a listening unix socket as systemd holds it.
func unit(t *testing.T, name string) (path string, f *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = ln.File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); ln.Close() })
	return path, f
}

// activated passes sockets with those names.
func activated(names string, files ...*os.File) launching {
	return func(p *process) {
		p.Cmd.ExtraFiles = files
		p.Cmd.Env = append(p.Cmd.Env, "LISTEN_FDNAMES="+names, "LISTEN_FDS="+string(rune('0'+len(files))))
		inShell("export LISTEN_PID=$$")(p)
	}
}

// Sockets from systemd beat both file and flags, each kind for itself.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	a, fa := unit(t, "a")
	b, fb := unit(t, "b")
	op, fop := unit(t, "op")
	p := launch(t, []string{"-listen", "unix:%t/not-opened", "-admin", "%t/nor-this", "-mode", "forward"}, activated("nvsess:nvsess-admin:nvsess", fa, fop, fb))
	ready := p.Logged("ready")
	if len(ready.Listen) != 2 || ready.Listen[0] != "unix:"+a || ready.Listen[1] != "unix:"+b || len(ready.Admin) != 1 || ready.Admin[0] != "unix:"+op {
		t.Errorf("ready: %+v", ready)
	}
	if _, err := os.Stat(p.dir); err == nil {
		t.Error("the daemon made a runtime directory it does not need")
	}
	ga, gb := visit(t, "ws+unix://"+a), visit(t, "ws+unix://"+b)
	ga.say(t, "hello")
	gb.hears(t, "hello")
	c, err := net.Dial("unix", op)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Signal(syscall.SIGTERM)
	ga.isClosed(t, 1001, goodbye)
	gb.isClosed(t, 1001, goodbye)
	p.Ends(0)
	for _, path := range []string{a, b, op} { // systemd still listens there
		if _, err := net.Dial("unix", path); err != nil {
			t.Error(err)
		}
	}
}

func TestActivationOfOneKind(t *testing.T) {
	t.Parallel()
	op, fop := unit(t, "op")
	p := launch(t, nil, activated("nvsess-admin", fop))
	ready := p.Logged("ready")
	if len(ready.Listen) != 1 || ready.Listen[0] != "unix:"+p.socket("nvsess.sock") || len(ready.Admin) != 1 || ready.Admin[0] != "unix:"+op {
		t.Errorf("ready: %+v", ready)
	}
	if _, err := os.Stat(p.socket("admin.sock")); err == nil {
		t.Error("two admin sockets")
	}
}

// While the daemon waits for its sessions to go, who comes waits for the next
// daemon: nobody is answered, and no loop spins on a listener that is closed
// here but lives on in systemd.
func TestArrivalsDuringShutdownWait(t *testing.T) {
	t.Parallel()
	a, fa := unit(t, "a")
	p := launch(t, configured(t, patient), activated("nvsess", fa))
	p.Logged("ready")
	m := visitMute(t, a)
	p.Signal(syscall.SIGTERM)
	m.closeCode(t)
	late, err := net.Dial("unix", a)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	before := cpuTime(t, p)
	_ = m.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := m.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Fatalf("the daemon did not wait: %v", err)
	}
	if used := cpuTime(t, p) - before; used > 250*time.Millisecond {
		t.Errorf("%v of CPU in 500 ms of waiting", used)
	}
	p.Signal(syscall.SIGTERM)
	p.Ends(1)
	if strings.Contains(p.Said(), "cannot accept") {
		t.Error(p.Said())
	}
	next := launch(t, []string{"-mode", "echo"}, activated("nvsess", fa)) // takes who waited
	next.Logged("ready")
	_ = late.SetDeadline(time.Now().Add(patience))
	if _, err := late.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := late.Read(answer); err != nil || string(answer) != "HTTP/1.1 426" {
		t.Errorf("%q, %v", answer, err)
	}
}

// cpuTime is what a process has used, read from its clock.
func cpuTime(t *testing.T, p *process) time.Duration {
	t.Helper()
	clock := ^int32(p.Cmd.Process.Pid)<<3 | 2 // clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

func TestActivationRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	_, fa := unit(t, "a")
	_, fb := unit(t, "b")
	p := launch(t, nil, activated("nvsess:nvses", fa, fb))
	p.Ends(1)
	if want := `nvsessd: listen: inherited descriptor 4 ("nvses"): its name is unknown; allowed: FileDescriptorName=nvsess or nvsess-admin`; p.Said() != want {
		t.Errorf("%s\nwant %s", p.Said(), want)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	q := launch(t, nil, activated("nvsess", null))
	q.Ends(1)
	if !strings.Contains(q.Said(), `inherited descriptor 3 ("nvsess"): it is not a socket`) {
		t.Error(q.Said())
	}
}

// notifySocket is where systemd would listen.
func notifySocket(t *testing.T) (path string, sock *net.UnixConn) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close() })
	_ = sock.SetReadDeadline(time.Now().Add(patience))
	return path, sock
}

// systemd is told that the daemon is ready, that it is alive for as long as it
// is, and that it stops.
func TestNotify(t *testing.T) {
	t.Parallel()
	path, sock := notifySocket(t)
	receive := func() string {
		t.Helper()
		buf := make([]byte, 4096)
		n, err := sock.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return "\n" + string(buf[:n]) + "\n"
	}
	p := launch(t, nil, withEnv("FDSTORE=0", "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=2000000"), inShell("export WATCHDOG_PID=$$"))
	// Alive, too: after an upgrade the last word to the watchdog may be old.
	if s := receive(); !strings.Contains(s, "\nREADY=1\n") || !strings.Contains(s, "\nWATCHDOG=1\n") || !strings.Contains(s, "\nSTATUS=0 sessions, mode handlers\n") {
		t.Errorf("first: %q", s)
	}
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock")) // ready means ready
	for alive := 0; alive < 5; {
		s := receive()
		if !strings.Contains(s, "STATUS=") || strings.Contains(s, "READY") || strings.Contains(s, "STOPPING") {
			t.Errorf("then: %q", s)
		}
		if strings.Contains(s, "\nWATCHDOG=1\n") {
			alive++
		} else {
			t.Errorf("an idle daemon is not alive: %q", s)
		}
	}
	m := visitMute(t, p.socket("nvsess.sock"))
	p.Signal(syscall.SIGTERM)
	for s := ""; !strings.Contains(s, "\nSTOPPING=1\n"); {
		s = receive()
	}
	g.isClosed(t, 1001, goodbye)
	for s := ""; !strings.Contains(s, "\nWATCHDOG=1\n"); { // alive while it stops
		s = receive()
	}
	m.Close()
	p.Ends(0)
}

// Without a watchdog there is no talk of one.
func TestNotifyWithoutWatchdog(t *testing.T) {
	t.Parallel()
	path, sock := notifySocket(t)
	p := launch(t, nil, withEnv("FDSTORE=0", "NOTIFY_SOCKET="+path))
	p.Logged("ready")
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
	all := ""
	for !strings.Contains(all, "STOPPING=1") {
		buf := make([]byte, 4096)
		n, err := sock.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		all += string(buf[:n])
	}
	if !strings.HasPrefix(all, "READY=1\n") || strings.Contains(all, "WATCHDOG") {
		t.Errorf("%q", all)
	}
}
