package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/test/nvsessd"
)

// A configuration with anything wrong changes nothing, and everything that is
// wrong is said, with its line: to the operator, to the log, and by -check in the
// same words.
func TestReloadIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	c := changing(t, echoing)
	g := visit(t, c.url("/"))
	same := func() {
		t.Helper()
		c.gets(200, "/healthz")
		g.say(t, "as before")
		g.hears(t, "as before")
		var cfg struct{ Mode string }
		if c.call("cfg", nil, &cfg); cfg.Mode != "echo" {
			t.Errorf("%+v", cfg)
		}
	}
	const bad = "mode = \"forward\"\n[http]\nhealth_path = \"/up\"\n[limits]\nsessions = -1\nfoo = 1\n"
	c.refuses(bad, c.path+":5: limits.sessions: -1 is out of range", c.path+":6: limits.foo: unknown key")
	same()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checker := exec.Command(exe, "-check", "-config", c.path)
	checker.Env = append(os.Environ(), asDaemon+"=1")
	out, err := checker.CombinedOutput()
	if err == nil {
		t.Error("-check finds nothing")
	}
	_, err = c.tries(nil)
	var e *admin.Error
	if !errors.As(err, &e) || strings.TrimSpace(string(out)) != "nvsessd: "+strings.Join(e.Problems, "\n") {
		t.Errorf("-check says\n%s\nreload\n%+v", out, e)
	}
	told := func() int { return strings.Count(c.Said(), c.path+":6: limits.foo: ") }
	before := told()
	c.Signal(syscall.SIGHUP)
	c.Until("SIGHUP is followed", func() bool { return told() > before })
	if l := c.Logged("the configuration is as it was: it cannot be read again"); l.Level != "error" || !strings.HasPrefix(l.Error, c.path+":5: limits.sessions: ") {
		t.Errorf("%+v", l)
	}
	same()
	c.refuses("mode = ", c.path+":1: ")
	c.refuses("[admin]\nallow_users = [\"nobody-has-this-name\"]\n", "admin.allow_users")
	c.refuses("[[route]]\npath = \"/w/*\"\nfiles = \"/nowhere/at/all\"\n", "/nowhere/at/all")
	c.refuses("[auth]\nmode = \"required\"\ntokens_file = \"/nowhere/at/all\"\n", "auth.tokens_file")
	same()

	// What is no file is not waited for.
	if err := os.Remove(c.path); err != nil {
		t.Fatal(err)
	}
	c.isRefused("no such file")
	if err := os.Mkdir(c.path, 0o700); err != nil {
		t.Fatal(err)
	}
	c.isRefused("it is no file")
	_ = os.Remove(c.path)
	if err := unix.Mkfifo(c.path, 0o600); err != nil {
		t.Fatal(err)
	}
	c.isRefused("it is no file")
	_ = os.Remove(c.path)
	if err := os.Symlink(c.path, c.path); err != nil {
		t.Fatal(err)
	}
	c.isRefused("too many levels of symbolic links")
	_ = os.Remove(c.path)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"handlers", "tls_key = \"/k\"\ntls_cert", "[auth]\nmode = \"required\"\ntokens_file"} {
		c.refuses(fmt.Sprintf("%s = %q\n", key, fifo), "it is no file")
	}
	if os.Geteuid() != 0 {
		c.write(echoing)
		if err := os.Chmod(c.path, 0); err != nil {
			t.Fatal(err)
		}
		c.isRefused("permission denied")
	}
	same()
}

// Without a file the command line is read again, and the files it names.
func TestReloadWithoutAFile(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "echo"})
	p.Logged("ready")
	r, err := changeable{p, ""}.tries(nil)
	if err != nil || len(r.Changes) != 0 || r.File != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// Flags beat the file each time it is read.
func TestReloadLeavesFlagsAlone(t *testing.T) {
	t.Parallel()
	args := configured(t, "mode = \"handlers\"\n")
	p := launch(t, append(args, "-mode", "echo", "-origin", "https://a.example"))
	p.Logged("ready")
	c := changeable{p, args[1]}
	g := visit(t, c.url("/"))
	c.becomes("mode = \"forward\"\n[handshake]\norigins = [\"*\"]\n[limits]\nidle = \"1h\"\n", "limits.idle live")
	g.say(t, "x")
	g.hears(t, "x")
	c.opensWith(403, "/", client.WithOrigin("https://b.example"))
}

// What needs a restart is told each time, and does not keep the rest from taking
// effect. cfg shows what is in effect.
func TestReloadTellsWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	c := changing(t, "[web]\nclient_path = \"\"\n")
	var before, after struct {
		Listen []string
		Loops  int
		Admin  struct{ Mode string }
		HTTP   struct {
			HealthPath string `json:"health_path"`
		}
		Log struct{ Format string }
	}
	c.call("cfg", nil, &before)
	const next = "listen = [\"unix:%%t/other.sock\"]\nloops = 1\n[web]\nclient_path = \"\"\n[socket]\nmode = \"0600\"\n[admin]\nlisten = \"unix:%%t/a.sock\"\nmode = \"0660\"\n[log]\nformat = \"console\"\n[http]\nhealth_path = %q\n"
	restart := []string{"listen restart", "loops restart", "socket.mode restart", "admin.listen restart", "admin.mode restart", "log.format restart"}
	c.becomes(fmt.Sprintf(next, "/a"), slices.Concat(restart[:5], []string{"http.health_path live"}, restart[5:])...)
	c.becomes(fmt.Sprintf(next, "/b"), slices.Concat(restart[:5], []string{"http.health_path live"}, restart[5:])...)
	c.becomes(fmt.Sprintf(next, "/b"), restart...)
	c.gets(200, "/b")
	c.call("cfg", nil, &after)
	if before.HTTP.HealthPath = "/b"; fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("in effect is %+v, was %+v", after, before)
	}
	c.Logged("a change of the configuration needs a restart")
	if _, err := os.Stat(c.socket("other.sock")); err == nil {
		t.Error("the new listener is there")
	}
	c.becomes("[web]\nclient_path = \"\"\n", "http.health_path live")
}

func TestReloadDryRun(t *testing.T) {
	t.Parallel()
	c := changing(t, "")
	file := filepath.Join(t.TempDir(), "h.js")
	if err := os.WriteFile(file, []byte("throw 'it runs'"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.write(fmt.Sprintf("handlers = %q\n[http]\nhealth_path = \"/up\"\n", file))
	for _, name := range []string{"dry-run", "check"} {
		r, err := c.tries(map[string]bool{name: true})
		if err != nil || !r.DryRun || len(r.Changes) != 2 || r.Changes[1] != (admin.Change{Key: "http.health_path", Old: `"/healthz"`, New: `"/up"`, Effect: "live"}) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	c.gets(200, "/healthz")
	if strings.Contains(c.Said(), "it runs") {
		t.Error("the handlers were run")
	}
}

// nvsessctl shows the changes, and its exit code says whether there was anything
// wrong.
func TestReloadByNvsessctl(t *testing.T) {
	t.Parallel()
	ctl := filepath.Join(nvsessd.Programs(t), "nvsessctl")
	c := changing(t, "")
	run := func(code int, want string, args ...string) {
		t.Helper()
		cmd := exec.Command(ctl, append([]string{"-s", c.socket("admin.sock")}, args...)...)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code || string(out) != want {
			t.Errorf("%v: %d, %v\n%s\nwant %d\n%s", args, got, err, out, code, want)
		}
	}
	run(0, "nothing has changed\n", "reload")
	c.write("loops = 7\nmode = \"echo\"\n[handshake]\norigins = [\"*\"]\n[[mount]]\npaths = [\"/rooms/*\"]\n")
	table := `live             mode               "handlers" -> "echo"
needs a restart  loops              0 -> 7
new sessions     handshake.origins  ["same"] -> ["*"]
live             mount[0]           added ["/rooms/*"]
`
	run(0, table+"3 changes would be applied, 1 needs a restart\n", "reload", "--dry-run")
	run(0, table+"3 changes would be applied, 1 needs a restart\n", "reload", "--check")
	run(0, table+"3 changes applied, 1 needs a restart\n", "reload")
	run(0, "needs a restart  loops  0 -> 7\n0 changes applied, 1 needs a restart\n", "reload")
	c.write("loops = true\nfoo = 1\n")
	run(1, fmt.Sprintf("the configuration cannot be used; everything is as it was\n  %s:1: loops: must be an integer, not true; allowed: 0 to 1024\n  %[1]s:2: foo: unknown key; allowed: ", c.path)+
		unknownKeyAllowed(t, ctl, c), "reload")
	cmd := exec.Command(ctl, "-s", c.socket("admin.sock"), "--json", "reload")
	out, err := cmd.CombinedOutput()
	var answer struct{ Error admin.Error }
	if json.Unmarshal(out, &answer) != nil || answer.Error.Code != admin.CodeBadConfig || len(answer.Error.Problems) != 2 || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

// unknownKeyAllowed is the end of the answer above: the names of all keys.
func unknownKeyAllowed(t *testing.T, ctl string, c changeable) string {
	t.Helper()
	out, _ := exec.Command(ctl, "-s", c.socket("admin.sock"), "reload").CombinedOutput()
	_, names, ok := strings.Cut(string(out), "foo: unknown key; allowed: ")
	if !ok || !strings.HasPrefix(names, "listen, mode, ") {
		t.Errorf("%s", out)
	}
	return names
}

// Any number of reloads and SIGHUPs at once, while sessions talk: each reload is
// whole, no message is lost or out of order, and nothing is left behind.
func TestReloadAgainAndAgain(t *testing.T) {
	t.Parallel()
	conf := func(i int) string {
		return fmt.Sprintf("mode = \"echo\"\n[limits]\nmessages_per_second = %d\nmessages_burst = %d\n[keepalive]\ninterval = \"%ds\"\n"+
			"[[mount]]\npaths = [\"/m%d\"]\n[[route]]\npath = \"/r%d\"\nredirect = \"/\"\n[log]\nlevel = \"warn\"\n", 10_000+i, 10_000+i, 20+i%3, i%2, i%2)
	}
	c := changing(t, strings.Replace(conf(0), "[log]\nlevel = \"warn\"\n", "", 1))
	c.becomes(conf(0), "log.level live")
	var talking sync.WaitGroup
	done := make(chan struct{})
	for k := range 4 {
		g := visit(t, c.url([]string{"/", "/m0"}[k%2]))
		talking.Go(func() {
			for i := 0; ; i++ {
				text := strconv.Itoa(i)
				if err := g.SendString(t.Context(), text); err != nil {
					t.Error(err)
					return
				}
				select {
				case got := <-g.texts:
					if got != text {
						t.Errorf("heard %s, want %s", got, text)
						return
					}
				case err := <-g.ended:
					t.Error(err)
					return
				case <-time.After(patience):
					t.Errorf("%s is not answered", text)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	descriptors := c.descriptors()
	for round := range 10 {
		c.write(conf(round))
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() {
				if _, err := c.tries(nil); err != nil {
					t.Error(err)
				}
			})
			for range 20 {
				c.Signal(syscall.SIGHUP)
			}
		}
		calls.Wait()
		c.opensWith(101, "/m"+strconv.Itoa(round%2))
		c.opensWith(101, "/") // any other path
		c.gets(302, "/r"+strconv.Itoa(round%2))
	}
	close(done)
	talking.Wait()
	eventually(t, "what the earlier routes had is given back", func() bool { return c.descriptors() <= descriptors+4 })
	c.Signal(syscall.SIGTERM)
	c.Ends(0)
}

// While the daemon stops nothing is reloaded any more.
func TestReloadWhileStopping(t *testing.T) {
	t.Parallel()
	c := changing(t, "[shutdown]\ndelay = \"10m\"\n")
	g := visit(t, c.url("/"))
	c.Signal(syscall.SIGTERM)
	c.Logged("draining")
	c.write("[shutdown]\ndelay = \"0s\"\n[http]\nhealth_path = \"/up\"\n")
	_, err := c.tries(nil)
	var e *admin.Error
	if !errors.As(err, &e) || e.Code != admin.CodeShuttingDown {
		t.Errorf("%v", err)
	}
	c.Signal(syscall.SIGHUP)
	c.Until("that is refused, too", func() bool {
		return strings.Count(c.Said(), "the configuration is not read again: the daemon is stopping") == 2
	})
	c.Signal(syscall.SIGTERM) // ends the delay
	g.isClosed(t, 1001, goodbye)
	c.Ends(0)
}

// A handlers' file that takes its time does not keep the daemon from stopping.
func TestStopDuringAReload(t *testing.T) {
	t.Parallel()
	c := changing(t, "")
	file := filepath.Join(t.TempDir(), "h.js")
	if err := os.WriteFile(file, []byte("console.log('it waits'); await new Promise(() => {})"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.write(fmt.Sprintf("handlers = %q\n[script]\ntimeout = \"24h\"\n", file))
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := admin.NewClient(c.socket("admin.sock")).Call(ctx, "reload", nil)
		ended <- err
	}()
	c.Until("the file runs", func() bool { return strings.Contains(c.Said(), "it waits") })
	c.Signal(syscall.SIGTERM)
	if err := <-ended; err == nil {
		t.Error("it is loaded")
	}
	c.Ends(0)
}
