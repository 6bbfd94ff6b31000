package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// app is a directory with what "gen app" wrote, in use: nvsessd, nginx in front of it, and Node.
type app struct {
	t    *testing.T
	dir  string
	port string // nginx's
}

// newApp has gen app write, and starts what it wrote.
func newApp(t *testing.T, options ...string) *app {
	t.Helper()
	a := newDirectory(t)
	a.ctl(append([]string{"gen", "app", "-d", a.dir, "-I", "127.0.0.1", "-P", a.port, "-U", nginxUser(t), "--self_signed"}, options...)...)
	a.startServers()
	return a
}

// newDirectory is one with nothing in it, for programs that have to be there.
func newDirectory(t *testing.T) *app {
	t.Helper()
	for _, tool := range []string{"node", "nginx"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	a := &app{t: t, dir: t.TempDir(), port: freePort(t)}
	if err := os.Chmod(filepath.Dir(a.dir), 0o755); err != nil { // nginx's user has to come in
		t.Fatal(err)
	}
	return a
}

// nginxUser is whom nginx's workers run as: another user where that is possible, so that the socket's mode and group are put to the test.
func nginxUser(t *testing.T) string {
	t.Helper()
	if _, err := user.Lookup("www-data"); err == nil && os.Geteuid() == 0 {
		return "www-data"
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.Username
}

// startServers starts nvsessd with nvsess.toml, and nginx if it has a part.
func (a *app) startServers() {
	a.t.Helper()
	daemon := a.start(exec.Command(daemonBinary, "-config", a.path("nvsess.toml")))
	a.wait("nvsessd", daemon, func() bool {
		_, err := admin.Dial(a.path("admin.sock"))
		return err == nil
	})
	if _, err := os.Stat(a.path("nginx.conf.part")); err != nil {
		return
	}
	nginx := a.start(exec.Command("nginx", "-p", a.dir, "-c", a.nginxConf(nginxUser(a.t))))
	a.wait("nginx", nginx, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+a.port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (a *app) path(name string) string { return filepath.Join(a.dir, name) }

// nginxConf puts nginx.conf.part where its comments say.
func (a *app) nginxConf(workers string) string {
	a.t.Helper()
	part, err := os.ReadFile(a.path("nginx.conf.part"))
	if err != nil {
		a.t.Fatal(err)
	}
	mainPart, httpPart, ok := strings.Cut(string(part), "#----$http_upgrade-----")
	if !ok {
		a.t.Fatalf("the parts are not marked:\n%s", part)
	}
	// A small machine's limit may be below; what is tested here takes a hundred connections.
	mainPart = strings.ReplaceAll(mainPart, "60000", "1024")
	conf := mainPart + "daemon off;\npid nginx.pid;\nerror_log stderr;\n"
	if os.Geteuid() == 0 {
		conf += "user " + workers + ";\n"
	}
	conf += "http {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += kind + "_temp_path " + a.path(kind) + ";\n"
	}
	if err := os.WriteFile(a.path("nginx.conf"), []byte(conf+httpPart+"}\n"), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return a.path("nginx.conf")
}

func (a *app) ctl(args ...string) string {
	a.t.Helper()
	var out, errs bytes.Buffer
	if err := run(context.Background(), args, strings.NewReader(""), &out, &errs); err != nil || errs.Len() > 0 {
		a.t.Fatalf("nvsessctl %q: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return out.String()
}

// process is a program that runs until the test ends.
type process struct {
	log  *lockedBuffer
	done chan struct{} // closed when it has ended
}

func (a *app) start(cmd *exec.Cmd) *process {
	a.t.Helper()
	p := &process{log: &lockedBuffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // its log tells
		close(p.done)
	}()
	a.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-p.done
		if a.t.Failed() {
			a.t.Logf("%s:\n%s", cmd.Path, p.log)
		}
	})
	return p
}

func (a *app) wait(what string, p *process, ready func() bool) {
	a.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ready() {
		select {
		case <-tick.C:
		case <-p.done:
			a.t.Fatalf("%s ended:\n%s", what, p.log)
		case <-deadline:
			a.t.Fatalf("waited in vain for %s", what)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// node runs Node in the directory, trusting the certificate that was made, if one was.
func (a *app) node(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = a.dir
	if _, err := os.Stat(a.path("ssl.crt")); err == nil {
		cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+a.path("ssl.crt"))
	}
	return cmd
}

// script runs JavaScript to its end and gives what it printed.
func (a *app) script(text string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := a.node(ctx, "-e", text).CombinedOutput()
	if err != nil {
		a.t.Fatalf("node: %v\n%s", err, out)
	}
	return string(out)
}
