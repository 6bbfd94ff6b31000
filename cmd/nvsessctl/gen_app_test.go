package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/test/nginx"
	"github.com/nvsess/nvsess/test/nvsessd"
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
	a := &app{t: t, dir: t.TempDir(), port: nginx.FreePort(t)}
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
	a.start(exec.Command(filepath.Join(nvsessd.Programs(a.t), "nvsessd"), "-config", a.path("nvsess.toml"))).Logged("ready")
	if _, err := os.Stat(a.path("nginx.conf.part")); err == nil {
		main, site := a.nginxPart()
		nginx.Start(a.t, nginx.Options{Dir: a.dir, User: nginxUser(a.t), Main: main, Site: site, Listen: "127.0.0.1:" + a.port})
	}
}

func (a *app) path(name string) string { return filepath.Join(a.dir, name) }

// nginxPart is what nginx.conf.part has for the main context and for http.
func (a *app) nginxPart() (main, site string) {
	a.t.Helper()
	part, err := os.ReadFile(a.path("nginx.conf.part"))
	if err != nil {
		a.t.Fatal(err)
	}
	main, site, ok := strings.Cut(string(part), "#----$http_upgrade-----")
	if !ok {
		a.t.Fatalf("the parts are not marked:\n%s", part)
	}
	// A small machine's limit may be below; what is tested here takes a hundred connections.
	return strings.ReplaceAll(main, "60000", "1024"), site
}

func (a *app) ctl(args ...string) string {
	a.t.Helper()
	var out, errs bytes.Buffer
	if err := run(context.Background(), args, strings.NewReader(""), &out, &errs); err != nil || errs.Len() > 0 {
		a.t.Fatalf("nvsessctl %q: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return out.String()
}

// start runs a program until the test ends.
func (a *app) start(cmd *exec.Cmd) *nvsessd.Process {
	a.t.Helper()
	p := &nvsessd.Process{Cmd: cmd}
	cmd.Stdout = p
	p.Start(a.t)
	a.t.Cleanup(func() {
		p.Terminate()
		<-p.Ended
	})
	return p
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
