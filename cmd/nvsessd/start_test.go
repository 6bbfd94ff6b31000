package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/selfsigned"
)

func TestTwoListenersAndModes(t *testing.T) {
	t.Parallel()
	conf := "listen = [\"unix:%t/a.sock\", \"tcp:127.0.0.1:0\"]\nmode = \"echo\"\n[socket]\nmode = \"0606\"\n[admin]\nmode = \"0640\"\n"
	p := launch(t, append(configured(t, conf), "-mode", "forward"), inShell("umask 077"))
	ready := p.Logged("ready")
	if ready.Mode != "forward" || len(ready.Listen) != 2 {
		t.Fatalf("ready: %+v", ready)
	}
	a := visit(t, "ws+unix://"+p.socket("a.sock"))
	b := visit(t, "ws://"+strings.TrimPrefix(ready.Listen[1], "tcp:")+"/", client.WithOrigin("http://127.0.0.1"))
	a.say(t, "from unix")
	b.hears(t, "from unix")
	b.say(t, "from tcp")
	a.hears(t, "from tcp")
	for name, want := range map[string]os.FileMode{"a.sock": 0o606, "admin.sock": 0o640} {
		fi, err := os.Stat(p.socket(name))
		if err != nil || fi.Mode() != want|os.ModeSocket {
			t.Errorf("%s: %v, %v, want %v", name, fi.Mode(), err, want)
		}
	}
	p.Signal(syscall.SIGTERM)
	a.isClosed(t, 1001, goodbye)
	b.isClosed(t, 1001, goodbye)
	p.Ends(0)
}

func TestDefaultModes(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	for name, want := range map[string]os.FileMode{"nvsess.sock": 0o660, "admin.sock": 0o600} {
		fi, err := os.Stat(p.socket(name))
		if err != nil || fi.Mode() != want|os.ModeSocket {
			t.Errorf("%s: %v, %v, want %v", name, fi.Mode(), err, want)
		}
	}
}

// Flags beat the file, each where it is given.
func TestFlagsBeatTheFile(t *testing.T) {
	t.Parallel()
	conf := "listen = [\"unix:%t/file.sock\"]\nmode = \"echo\"\n[admin]\nlisten = \"unix:%t/file-admin.sock\"\n"
	for name, c := range map[string]struct {
		args                []string
		listen, admin, mode string
	}{
		"none":   {nil, "[unix:%t/file.sock]", "[unix:%t/file-admin.sock]", "echo"},
		"listen": {[]string{"-listen", "unix:%t/x", "--listen=unix:%t/y"}, "[unix:%t/x unix:%t/y]", "[unix:%t/file-admin.sock]", "echo"},
		"admin":  {[]string{"-admin", "%t/x"}, "[unix:%t/file.sock]", "[unix:%t/x]", "echo"},
		"mode":   {[]string{"-mode=handlers"}, "[unix:%t/file.sock]", "[unix:%t/file-admin.sock]", "handlers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, append(configured(t, conf), c.args...))
			ready := p.Logged("ready")
			got := fmt.Sprintf("%s %s %s", ready.Listen, ready.Admin, ready.Mode)
			if want := strings.ReplaceAll(c.listen+" "+c.admin+" "+c.mode, "%t", p.dir); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	same := func(q *process) { q.Cmd.Env = append(q.Cmd.Env, "RUNTIME_DIRECTORY="+p.dir) }

	second := launch(t, nil, same)
	second.Ends(1)
	if want := fmt.Sprintf("nvsessd: listen: unix:%s is in use by another process (pid %d)", p.socket("nvsess.sock"), p.Cmd.Process.Pid); second.Said() != want {
		t.Errorf("%s\nwant %s", second.Said(), want)
	}
	admin := launch(t, []string{"-listen", "unix:%t/other.sock"}, same)
	admin.Ends(1)
	if !strings.Contains(admin.Said(), "admin.sock is in use by another process") {
		t.Error(admin.Said())
	}
	if _, err := os.Stat(p.socket("other.sock")); err == nil {
		t.Error("other.sock is left behind")
	}
	g.say(t, "still here")

	p.Signal(syscall.SIGKILL)
	<-p.Ended
	if _, err := os.Stat(p.socket("nvsess.sock")); err != nil {
		t.Fatal(err)
	}
	third := launch(t, []string{"-mode", "echo"}, same)
	third.Logged("ready")
	g = visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "again")
	g.hears(t, "again")
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := launch(t, []string{"-listen", "unix:%t/s", "-listen", "tcp:" + ln.Addr().String()})
	p.Ends(1)
	if want := "nvsessd: listen: tcp:" + ln.Addr().String() + " is in use by another process: bind: address already in use"; p.Said() != want {
		t.Errorf("%s\nwant %s", p.Said(), want)
	}
	p.noSockets()
}

// With too few descriptors it says so and ends, and with just enough it runs;
// when they are used up, who comes waits until somebody leaves.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	few := launch(t, nil, inShell("ulimit -n 63"))
	few.Ends(1)
	if !strings.HasPrefix(few.Said(), "nvsessd: the limit of open files (ulimit -n, LimitNOFILE=) is 63: at least 64 are needed") {
		t.Error(few.Said())
	}
	few.noSockets()

	p := launch(t, []string{"-mode", "echo"}, inShell("ulimit -n 64"))
	p.Logged("ready")
	var all []net.Conn
	for range 64 {
		c, err := net.Dial("unix", p.socket("nvsess.sock"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
	}
	p.Logged("cannot accept connections; retrying until there is room")
	// Now of all times the operator has to get through.
	operator, err := admin.Dial(p.socket("admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if answer, err := operator.Call(ctx, "stats", nil); err != nil {
		t.Errorf("stats: %v, %v", answer, err)
	}
	for _, c := range all {
		c.Close()
	}
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "there is room")
	g.hears(t, "there is room")
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

// TestDescriptorsOfOthersComeBack: what accepting leaves alone is measured by
// what is free now, not by what was once.
func TestDescriptorsOfOthersComeBack(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "echo"}, inShell("ulimit -n 80"))
	p.Logged("ready")
	hold := func(socket string, n int) (all []net.Conn) {
		for range n {
			c, err := net.Dial("unix", p.socket(socket))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			all = append(all, c)
		}
		return all
	}
	operators := hold("admin.sock", 12)
	// The daemon has accepted them all when it answers one that came later.
	operator, err := admin.Dial(p.socket("admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	connections := func() (n int) {
		answer, err := operator.Call(ctx, "stats", nil)
		if err != nil {
			t.Fatal(err)
		}
		var stats struct{ Connections int }
		if err := json.Unmarshal(answer.Result, &stats); err != nil {
			t.Fatal(err)
		}
		return stats.Connections
	}
	connections()
	clients := hold("nvsess.sock", 80)
	p.Logged("cannot accept connections; retrying until there is room")
	full := connections()
	for _, c := range operators {
		c.Close()
	}
	for connections() < full+8 { // until ctx ends, if it does not come to that
	}
	for _, c := range clients {
		c.Close()
	}
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	p := launch(t, configured(t, fmt.Sprintf("listen = [\"tcp:127.0.0.1:0\", \"unix:%%t/s\"]\nmode = \"forward\"\ntls_cert = %q\ntls_key = %q\n", cert, key)))
	ready := p.Logged("ready")
	addr := strings.TrimPrefix(ready.Listen[0], "tcp:")
	roots := x509.NewCertPool()
	pemBytes, err := os.ReadFile(cert)
	if err != nil || !roots.AppendCertsFromPEM(pemBytes) {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	secure := visit(t, "wss://localhost:"+port+"/", client.WithTLS(&tls.Config{RootCAs: roots}))
	plain := visit(t, "ws+unix://"+p.socket("s")) // unix stays plain
	for range 10 {
		secure.say(t, strings.Repeat("secret ", 10_000))
		plain.hears(t, strings.Repeat("secret ", 10_000))
		plain.say(t, "answer")
		secure.hears(t, "answer")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if c, err := client.Dial(ctx, "ws://"+addr+"/"); err == nil {
		_ = c.CloseNow()
		t.Error("plain TCP is served too")
	}
	open, err := net.Dial("tcp", addr) // a handshake that never comes
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	p.Signal(syscall.SIGTERM)
	secure.isClosed(t, 1001, goodbye)
	plain.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

// run can be called by a program: it returns when its context is done, and
// leaves nothing.
func TestRunReturns(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", filepath.Join(t.TempDir(), "r"))
	for range 2 { // the first leaves what the process keeps: the runtime's poller
		before := openFiles(t)
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- run(ctx, []string{"-listen", "unix:%t/s", "-listen", "tcp:127.0.0.1:0"}, io.Discard, w)
			w.Close()
		}()
		buf := make([]byte, 4096)
		for said := ""; !strings.Contains(said, `"ready"`); {
			n, err := r.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			said += string(buf[:n])
		}
		cancel()
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if after := openFiles(t); after > before+2 {
			t.Errorf("%d descriptors, before %d", after, before)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// What cfg shows is where the daemon listens, not how that was written.
func TestConfigurationInEffectNamesTheSockets(t *testing.T) {
	t.Parallel()
	p := launch(t, configured(t, "listen = [\"unix:%t/a.sock\", \"tcp:127.0.0.1:0\"]\n"))
	ready := p.Logged("ready")
	var cfg struct {
		Listen []string `json:"listen"`
		Admin  struct {
			Listen string `json:"listen"`
		} `json:"admin"`
	}
	p.call("cfg", nil, &cfg)
	if !slices.Equal(cfg.Listen, ready.Listen) || cfg.Admin.Listen != "unix:"+p.socket("admin.sock") {
		t.Errorf("%+v, listening at %v", cfg, ready.Listen)
	}
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
}
