package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/test/nginx"
	"github.com/nvsess/nvsess/test/nvsessd"
)

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

// Ports in place of the unix socket: each command by itself, with options that have to fit.
func TestGenPorts(t *testing.T) {
	a := newDirectory(t)
	internal := nginx.FreePort(t)
	a.ctl("nv_sess_internal_srv", "-d", a.dir, "-k", "false", "-p", internal, "-F")
	a.ctl("nv_sess_internal_client", "-d", a.dir, "-k", "false", "-p", internal)
	a.ctl("nv_sess_nginx", "-I", "127.0.0.1", "-P", a.port, "-R", "/chat/", "-S", "false", "-k", "false", "-p", internal, "-r", "/in/", "-o", a.path("nginx.conf.part"))
	a.ctl("nv_sess_external_client", "-d", a.dir, "-I", "127.0.0.1", "-P", a.port, "-R", "/chat/", "-S", "false")
	a.startServers()
	if got := a.script(exchange); got != "{ from: 'internal' }\n{ from: 'external' }\n" {
		t.Errorf("%s", got)
	}
}

// TLS up to nvsessd, with a certificate made for it.
func TestGenInternalTLS(t *testing.T) {
	a := newDirectory(t)
	internal := nginx.FreePort(t)
	a.ctl("gen", "server", "-d", a.dir, "-k", "false", "-p", internal, "-F", "-S", "--self-signed")
	a.ctl("gen", "internal-client", "-d", a.dir, "-k", "false", "-p", internal, "-S")
	a.ctl("gen", "external-client", "-d", a.dir, "-I", "127.0.0.1", "-P", internal)
	a.startServers()
	if got := a.script(exchange); got != "{ from: 'internal' }\n{ from: 'external' }\n" {
		t.Errorf("%s", got)
	}
}

// exchange sends a message each way, and shows what arrived.
const exchange = `
const next = (c) => new Promise((done) => {
  c.regis_$json_handle$(async (j) => { if (j.___type___ !== "___cfg___") done(j); });
});
(async () => {
  const internal = await require("./iclient")(), external = await require("./eclient")();
  const atExternal = next(external), atInternal = next(internal);
  await internal.sess_.conn_.ajsend({ from: "internal" });
  console.log(await atExternal);
  await external.sess_.conn_.ajsend({ from: "external" });
  console.log(await atInternal);
  await internal.close();
  await external.close();
})();`

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
		if out, err := exec.Command(filepath.Join(nvsessd.Programs(t), "nvsessd"), "-check", "-config", filepath.Join(dir, "nvsess.toml")).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", options, err, out)
		}
	}
}

// uncomment puts the commented lines of a generated file's handlers into use, as who edits it would.
func (a *app) uncomment(name string) {
	a.t.Helper()
	text, err := os.ReadFile(a.path(name))
	if err != nil {
		a.t.Fatal(err)
	}
	code := regexp.MustCompile(`(?m)^( +)// ((?:await|console)\b.*;)$`)
	if len(code.FindAll(text, -1)) < 2 {
		a.t.Fatalf("%s has no lines to put into use:\n%s", name, text)
	}
	if err := os.WriteFile(a.path(name), code.ReplaceAll(text, []byte("$1$2")), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// The handlers that are there as comments work when they are put into use: of the client, which answers the server, ...
func TestGenClientAnswers(t *testing.T) {
	a := newApp(t)
	a.uncomment("eclient.js")
	client := a.start(a.node(t.Context(), "-e", `require("./eclient")().then(() => console.log("ready"))`))
	client.Until("the client is ready", func() bool { return client.Count("ready") > 0 })
	socket := a.path("admin.sock")
	if got := a.ctl("-s", socket, "send_jrr_sreq", "fst", `{"hi":"you must reply"}`); !strings.Contains(got, "I got it") {
		t.Errorf("%s", got)
	}
	a.ctl("-s", socket, "jsend", "fst", `{"a":1}`)
	a.ctl("-s", socket, "ssend", "fst", "text")
	for _, want := range []string{"the server asks { hi: 'you must reply' }", "{ a: 1 }", "received string text"} {
		client.Until(want, func() bool { return client.Count(want) > 0 })
	}
}

// ... and of the server, which answers its clients.
func TestGenServerAnswers(t *testing.T) {
	a := newDirectory(t)
	a.ctl("gen", "server", "-d", a.dir, "-U", nginxUser(t))
	a.ctl("gen", "internal-client", "-d", a.dir)
	a.uncomment("srv.js")
	a.startServers()
	got := a.script(`
(async () => {
  const c = await require("./iclient")();
  console.log((await c.sess_.conn_.send_jrr_creq({ kkkk: "hi" })).___data___);
  await c.close();
})();`)
	if want := "{ myreply: 'I got it' }\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
