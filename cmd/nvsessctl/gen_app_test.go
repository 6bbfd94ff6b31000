package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
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

// newApp has gen app write, and starts what it wrote. nginx's workers are another user where that is possible, so that the socket's
// mode and group are put to the test too.
func newApp(t *testing.T, options ...string) *app {
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
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	nginxUser := me.Username
	if _, err := user.Lookup("www-data"); err == nil && os.Geteuid() == 0 {
		nginxUser = "www-data"
	}
	a.ctl(append([]string{"gen", "app", "-d", a.dir, "-I", "127.0.0.1", "-P", a.port, "-U", nginxUser, "--self_signed"}, options...)...)

	daemon := a.start(exec.Command(daemonBinary, "-config", a.path("nvsess.toml")))
	a.wait("nvsessd", daemon, func() bool {
		_, err := admin.Dial(a.path("admin.sock"))
		return err == nil
	})
	nginx := a.start(exec.Command("nginx", "-p", a.dir, "-c", a.nginxConf(nginxUser)))
	a.wait("nginx", nginx, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+a.port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return a
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
func (a *app) nginxConf(nginxUser string) string {
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
		conf += "user " + nginxUser + ";\n"
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

// node runs Node in the directory, trusting the certificate that was made.
func (a *app) node(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+a.path("ssl.crt"))
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

// What each client sends reaches the others, whatever way they came: through nginx, or straight to nvsessd.
func TestGenAppForwards(t *testing.T) {
	a := newApp(t, "-F", "-c", "chat", "-R", "/chat")
	got := a.script(`
const next = (c) => new Promise((done) => {
  c.regis_$json_handle$(async (j) => { if (j.___type___ !== "___cfg___") done(j); });
  c.regis_$str_handle$(async (s) => done(s));
  c.regis_$bin_handle$(async (length, data) => done([length, ...data]));
});
(async () => {
  const e0 = await require("./eclient")(), e1 = await require("./eclient")(), ctrl = await require("./iclient")();
  const all = [e0, e1, ctrl];
  const send = async (from, what) => {
    const heard = all.filter((c) => c !== from).map(next);
    await what(from.sess_.conn_);
    for (const h of heard) console.log(JSON.stringify(await h));
  };
  await send(ctrl, (conn) => conn.ajsend({ action: "do NOT reboot!" }));
  await send(e0, (conn) => conn.assend("hello"));
  await send(e1, (conn) => conn.absend(new Uint8Array([10, 20, 30])));
  console.log(e0.sess_.conn_.protocol, ctrl.sess_.conn_.protocol);
  for (const c of all) await c.close();
})();`)
	const want = `{"action":"do NOT reboot!"}
{"action":"do NOT reboot!"}
"hello"
"hello"
[3,10,20,30]
[3,10,20,30]
chat chat
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The page's client in a page's stead: a global Bwsess, and scripts that only know that.
func TestGenAppPage(t *testing.T) {
	a := newApp(t, "-F", "-n", "connect")
	got := a.script(`
globalThis.window = globalThis;
globalThis.Bwsess = require("./bwcls.js");
const load = (name) => require("node:vm").runInThisContext(require("node:fs").readFileSync(name, "utf8"), name);
load("bclient.js");
load("tst-browser.js");
(async () => {
  await tst(3);
  const heard = new Promise((done) => { console.log = (...args) => done(args); });
  regis_jhandle();
  c2.close();
  await c0.sess_.conn_.ajsend({ a: 1 });
  process.stdout.write(JSON.stringify(await heard) + "\n");
  c0.close();
  c1.close();
})();`)
	if want := `["c1",{"a":1}]` + "\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The scripts to try it with, from the shell as their comments say: many sessions, and one that commands.
func TestGenAppTrials(t *testing.T) {
	a := newApp(t, "-F")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	clients := a.node(ctx, "tst-eclient.js", "25")
	clients.Stderr = os.Stderr
	out, err := clients.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.Start(); err != nil {
		t.Fatal(err)
	}
	defer clients.Wait() //nolint:errcheck // it is killed
	defer cancel()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "25 sessions; Ctrl-C ends them\n" {
		t.Fatalf("%q %v", line, err)
	}
	if got := strings.Count(a.ctl("-s", a.path("admin.sock"), "--json", "sesses"), `"remote":`); got != 25 {
		t.Errorf("%d sessions", got)
	}
	ctrl := a.node(ctx, "tst-server-and-iclient.js", `{"action":"hello"}`)
	ctrl.Stderr = os.Stderr
	said, err := ctrl.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ctrl.Start(); err != nil {
		t.Fatal(err)
	}
	defer ctrl.Wait() //nolint:errcheck // it is killed
	defer cancel()
	seen := map[string]bool{}
	for range 25 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("after %v: %v", seen, err)
		}
		name, message, _ := strings.Cut(strings.TrimSpace(line), " ")
		if message != "{ action: 'hello' }" || seen[name] {
			t.Errorf("%q", line)
		}
		seen[name] = true
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || line != "sent { action: 'hello' }\n" {
		t.Errorf("%q %v", line, err)
	}
	cancel()
	_, _ = io.Copy(io.Discard, lines)
}

// nvsessd takes the configuration of every way to ask for it.
func TestGenServerConfigurations(t *testing.T) {
	for _, options := range [][]string{nil, {"-F"}, {"-k", "false"}, {"-k", "false", "-p", "18889", "-F", "-c", "a,b"}, {"-k", "false", "-S", "--self-signed"},
		{"-U", "nobody-has-this-name"}} {
		dir := filepath.Join(t.TempDir(), `50%t "q'`)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		args := append([]string{"gen", "server", "-d", dir}, options...)
		if err := run(context.Background(), args, strings.NewReader(""), &out, &errs); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if out, err := exec.Command(daemonBinary, "-check", "-config", filepath.Join(dir, "nvsess.toml")).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", options, err, out)
		}
	}
}
