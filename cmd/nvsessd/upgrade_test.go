package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/selfsigned"
)

// successor writes a program that is the daemon again. after is run, in a shell,
// when it has been asked whether it can take over.
func successor(t *testing.T, after string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nvsessd")
	text := fmt.Sprintf("#!/bin/sh\nexport %s=1\ncase \"$*\" in *-check-state*) '%s' \"$@\"; n=$?; %s; exit $n;; esac\nexec '%s' \"$@\"\n", asDaemon, exe, after, exe)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutInterpreter is a successor that execve refuses, though it is as it was.
func withoutInterpreter(t *testing.T) string {
	t.Helper()
	shell := filepath.Join(t.TempDir(), "sh")
	if err := os.Symlink("/bin/sh", shell); err != nil {
		t.Fatal(err)
	}
	path := successor(t, "rm '"+shell+"'")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("#!"+shell), bytes.TrimPrefix(text, []byte("#!/bin/sh"))...), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func (p *process) upgrade(binary string) error {
	_, err := admin.NewClient(p.socket("admin.sock")).Call(p.t.Context(), "upgrade", map[string]any{"binary": binary})
	return err
}

// What cannot be had any more, though the configuration is valid, does not end the
// process that has taken over, and with it the sessions.
func TestUpgradeWithoutWhatCannotBeHad(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	handlers := filepath.Join(t.TempDir(), "h.js")
	if err := os.WriteFile(handlers, []byte("throw new Error('not today')"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, config, after, said string }{
		{"a socket for sessions", `listen = ["unix:%%t/nvsess.sock", "tcp:%[1]s"]`, ":", "going on without a socket for sessions"},
		{"the address for metrics", "[metrics]\nlisten = \"tcp:%[1]s\"", ":", "going on without the address for metrics"},
		{"the file of handlers", `handlers = "%[2]s"`, ":", "going on without the file of handlers"},
		{"the operators' socket's file", "", "rm '%[3]s'", "the file of a socket was gone, and has been made again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := configured(t, "mode = \"forward\"\n")
			p := launch(t, args)
			p.Logged("ready")
			a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
			talk(t, a, b, "before")
			fill := func(s string) string {
				return strings.NewReplacer("%%", "%", "%[1]s", taken.Addr().String(), "%[2]s", handlers, "%[3]s", p.socket("admin.sock")).Replace(s)
			}
			if err := os.WriteFile(args[1], []byte("mode = \"forward\"\n"+fill(c.config)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := p.upgrade(successor(t, fill(c.after))); err != nil {
				t.Fatal(err)
			}
			p.Until("it is said", func() bool { return strings.Contains(p.Said(), c.said) })
			talk(t, a, b, "after")
			if _, err := tryVisit(t, "ws+unix://"+p.socket("nvsess.sock")); (err != nil) != (c.name == "the file of handlers") {
				t.Errorf("another session: %v", err)
			}
		})
	}
}

// What a reload has said to need a restart is in effect after an upgrade, too, of
// which no reload tells then.
func TestUpgradeSetsModesOfSockets(t *testing.T) {
	t.Parallel()
	const conf = "mode = \"forward\"\n[socket]\nmode = \"0600\"\n[admin]\nmode = \"0660\"\n"
	c := changing(t, "mode = \"forward\"\n")
	a, b := visit(t, c.url("/")), visit(t, c.url("/"))
	modes := func(public, admin os.FileMode) {
		t.Helper()
		for name, want := range map[string]os.FileMode{"nvsess.sock": public, "admin.sock": admin} {
			if fi, err := os.Stat(c.socket(name)); err != nil || fi.Mode().Perm() != want {
				t.Errorf("%s: %v, %v; want %v", name, fi.Mode(), err, want)
			}
		}
	}
	c.becomes(conf, "socket.mode restart", "admin.mode restart")
	modes(0o660, 0o600)
	if err := c.upgrade(successor(t, ":")); err != nil {
		t.Fatal(err)
	}
	modes(0o600, 0o660)
	c.becomes(conf)
	talk(t, a, b, "still here")
	visit(t, c.url("/"))
}

// An owner and a group that the configuration has no more are undone by an upgrade.
func TestUpgradeTakesSocketsBack(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	c := changing(t, "mode = \"forward\"\n[socket]\nowner = \"4242\"\ngroup = \"33\"\n[admin]\nmode = \"0660\"\ngroup = \"33\"\n")
	looks := func(want string) {
		t.Helper()
		got := ""
		for _, name := range []string{"nvsess.sock", "admin.sock"} {
			var st unix.Stat_t
			if err := unix.Lstat(c.socket(name), &st); err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%04o %d %d, ", st.Mode&0o7777, st.Uid, st.Gid)
		}
		if got != want {
			t.Errorf("the sockets are %s not %s", got, want)
		}
	}
	a, b := visit(t, c.url("/")), visit(t, c.url("/"))
	looks("0660 4242 33, 0660 0 33, ")
	c.becomes("mode = \"forward\"\n[admin]\nmode = \"0660\"\n", "socket.owner restart", "socket.group restart", "admin.group restart")
	if err := c.upgrade(successor(t, ":")); err != nil {
		t.Fatal(err)
	}
	looks(fmt.Sprintf("0660 0 %d, 0660 0 %[1]d, ", os.Getegid()))
	if strings.Contains(c.Said(), "a socket is not as the configuration says") {
		t.Error("it says that it cannot")
	}
	talk(t, a, b, "still here")
}

// An upgrade that fails is counted wherever it does: most are refused by the new
// binary.
func TestFailedUpgradesAreCounted(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	for i, binary := range []string{"/bin/true", successor(t, "rm \"$0\"")} {
		if err := p.upgrade(binary); err == nil {
			t.Fatalf("%s is a daemon", binary)
		}
		want := fmt.Sprintf("nvsess_upgrades_total{result=\"failed\"} %d\n", i+1)
		if _, text := fetch(t, overSocket(p), "GET", "http://nvsessd/metrics", nil); !strings.Contains(string(text), want) {
			t.Errorf("after %s there is no %s", binary, want)
		}
	}
}

// The level that the configuration says is the one that a reload has brought: what
// was set by hand, and only that, goes along to the next process.
func TestUpgradeAfterTheLevelWasReloaded(t *testing.T) {
	t.Parallel()
	c := changing(t, "")
	level := func(want string) {
		t.Helper()
		var got struct{ Level string }
		c.call("loglevel", nil, &got)
		if got.Level != want {
			t.Errorf("the level is %s, not %s", got.Level, want)
		}
	}
	c.becomes("[log]\nlevel = \"debug\"\n", "log.level live")
	c.write("[log]\nlevel = \"warn\"\n")
	if err := c.upgrade(successor(t, ":")); err != nil {
		t.Fatal(err)
	}
	level("warn") // debug was the configuration's
	c.becomes("[log]\nlevel = \"error\"\n", "log.level live")
	c.call("loglevel", map[string]any{"level": "warn"}, nil)
	if err := c.upgrade(successor(t, ":")); err != nil {
		t.Fatal(err)
	}
	level("warn") // by hand, though it is what the process began with
}

// A profile of the processor ends with the process that it is of, and not the next
// one: its timer would outlive execve(2).
func TestUpgradeWhileProfiling(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "forward"})
	p.Logged("ready")
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	for i := range 5 {
		var got bytes.Buffer
		over := make(chan error, 1)
		go func() {
			over <- admin.NewClient(p.socket("admin.sock")).Profile(t.Context(), "profile", 500, &got)
		}()
		p.Until("a profile is being made", func() bool { return strings.Count(p.Said(), `"profile":"profile"`) == i+1 })
		if err := p.upgrade(successor(t, ":")); err != nil {
			t.Fatal(err)
		}
		talk(t, a, b, "still here")
		if err := <-over; err != nil {
			t.Fatalf("the profile: %v", err)
		}
		if _, err := profile.ParseData(got.Bytes()); err != nil {
			t.Errorf("the profile: %v", err)
		}
	}
	if strings.Contains(p.Said(), "upgrading all the same") {
		t.Error("the upgrade had to cut the profile off")
	}
}

// When execve itself fails, all is as it was: so is the limit of open files.
func TestFailedExecChangesNothing(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "forward"}, inShell("ulimit -S -n 100"))
	p.Logged("ready")
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	limits := func() string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.Cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before, open := limits(), p.descriptors()
	for range 3 {
		for _, binary := range []string{successor(t, `rm "$0"`), withoutInterpreter(t)} {
			if err := p.upgrade(binary); err == nil || !strings.Contains(err.Error(), "no such file") {
				t.Fatalf("the upgrade: %v", err)
			}
			talk(t, a, b, "still here")
		}
	}
	if after := limits(); after != before {
		t.Errorf("the limits were\n%sand are\n%s", before, after)
	}
	p.Until("no descriptor is left over", func() bool { return p.descriptors() <= open })
	p.Signal(syscall.SIGTERM)
	a.isClosed(t, 1001, goodbye)
	p.Ends(0)
}

// What JavaScript is at when the daemon is replaced it is told once more, and can
// ask whether that is so; what the session has sent since comes after it, in order.
func TestUpgradeRepeatsWhatJavaScriptIsAt(t *testing.T) {
	t.Parallel()
	handlers := filepath.Join(t.TempDir(), "h.js")
	text := `srv.regis_$str_handle$(async (s, conn) => {
		conn.ssend('begun ' + s + ' ' + srv.repeated_);
		if (s === 'slow' && !srv.repeated_) await new Promise(() => {});
		await null;
		conn.ssend('done ' + s + ' ' + srv.repeated_);
	});
	srv.regis_$bin_handle$(async (length, data, conn) => {
		conn.ssend([...data].join());
		data.fill(0);
		if (!srv.repeated_) await new Promise(() => {});
	})`
	if err := os.WriteFile(handlers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, configured(t, fmt.Sprintf("mode = \"handlers\"\nhandlers = %q\nscript.timeout = \"1h\"\n", handlers)))
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "slow")
	g.hears(t, "begun slow false")
	g.say(t, "a")
	g.say(t, "b")
	other := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	if err := other.SendBinary(t.Context(), []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	other.hears(t, "1,2,3")
	if err := p.upgrade(successor(t, ":")); err != nil {
		t.Fatal(err)
	}
	other.hears(t, "1,2,3")
	for _, s := range []string{"begun slow true", "done slow true", "begun a false", "done a false", "begun b false", "done b false"} {
		g.hears(t, s)
	}
}

// event is what a webhook is told.
type event struct {
	Event, ID, Text string
	Attempt         int
	Code            int
	Reason          string
}

// slowWebhook is a webhook that does not answer what says "slow" before the third
// attempt. It returns the configuration of a daemon that tells it of everything, and
// what waits for the next event.
func slowWebhook(t *testing.T) (config string, next func() event) {
	t.Helper()
	sock := filepath.Join(t.TempDir(), "app.sock")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan event, 100)
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		events <- e
		if e.Text == "slow" && e.Attempt < 3 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if e.Event == "string" {
			fmt.Fprintf(w, `{"reply_text":%q}`, "heard "+e.Text)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	t.Cleanup(func() { app.Close(); <-served })
	config = fmt.Sprintf("webhook = \"http+unix://%s:/hook\"\n[webhooks]\nevents = [\"string\", \"close\"]\ntimeout = \"5m\"\n", sock)
	return config, func() (e event) {
		t.Helper()
		select {
		case e = <-events:
		case <-time.After(patience):
			t.Fatal("the webhook is told nothing")
		}
		return e
	}
}

// A webhook that is told something once more can see that it is the same.
func TestUpgradeRepeatsWhatTheWebhookIsTold(t *testing.T) {
	t.Parallel()
	config, told := slowWebhook(t)
	p := launch(t, configured(t, config))
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "slow")
	g.say(t, "next")
	first := told()
	for n := 2; n <= 3; n++ {
		if err := p.upgrade(successor(t, ":")); err != nil {
			t.Fatal(err)
		}
		if e := told(); e != (event{Event: "string", ID: first.ID, Text: "slow", Attempt: n}) || first.Attempt != 1 {
			t.Errorf("it was told %+v, and before %+v", e, first)
		}
	}
	g.hears(t, "heard slow")
	g.hears(t, "heard next")
	if e := told(); e.ID == first.ID || e.Attempt != 1 {
		t.Errorf("the next one is %+v", e)
	}
}

// What a session that has ended has left to its handlers is handled by the next
// process, and the one after that.
func TestUpgradeAfterTheEnd(t *testing.T) {
	t.Parallel()
	config, told := slowWebhook(t)
	p := launch(t, configured(t, config))
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "slow")
	g.say(t, "next")
	first := told()
	if err := g.Close(t.Context(), 4001, "enough"); err != nil {
		t.Fatal(err)
	}
	<-g.Done()
	c := admin.NewClient(p.socket("admin.sock"))
	p.Until("the session has ended", func() bool {
		a, err := c.Call(t.Context(), "sesses", nil)
		return err == nil && !strings.Contains(string(a.Result), g.SessionID())
	})
	for n := 2; n <= 3; n++ {
		if err := p.upgrade(successor(t, ":")); err != nil {
			t.Fatal(err)
		}
		if e := told(); e.ID != first.ID || e.Attempt != n {
			t.Errorf("it was told %+v, and before %+v", e, first)
		}
	}
	if e := told(); e.Text != "next" || e.Attempt != 1 {
		t.Errorf("then it was told %+v", e)
	}
	if e := told(); e.Event != "close" || e.Code != 4001 || e.Reason != "enough" {
		t.Errorf("in the end it was told %+v", e)
	}
}

// A binary that does not say whether it can take over keeps nobody waiting: neither
// who reloads the configuration nor who ends the daemon. Those who wait for an
// upgrade are told.
func TestBinaryThatSaysNothing(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			p := launch(t, configured(t, ""))
			p.Logged("ready")
			g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
			dir := t.TempDir()
			binary, pids := filepath.Join(dir, "nvsessd"), filepath.Join(dir, "pids")
			text := fmt.Sprintf("#!/bin/sh\nsleep 1000 &\necho $$ $! >'%s.new'\nmv '%[1]s.new' '%[1]s'\nwait\n", pids)
			if err := os.WriteFile(binary, []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
			failed, other := make(chan error, 1), make(chan error, 1)
			go func() { failed <- p.upgrade(binary) }()
			p.Until("it is asked", func() bool { _, err := os.Stat(pids); return err == nil })
			go func() { other <- p.upgrade(binary) }() // waits for its turn, or comes too late
			if _, err := admin.NewClient(p.socket("admin.sock")).Call(t.Context(), "reload", nil); err != nil {
				t.Errorf("reload: %v", err)
			}
			p.Signal(syscall.SIGUSR2)
			p.Signal(syscall.SIGHUP)
			p.Signal(sig)
			g.isClosed(t, 1001, goodbye)
			var refused *admin.Error
			if err := <-failed; !errors.As(err, &refused) || refused.Code != admin.CodeShuttingDown {
				t.Errorf("who asked for the upgrade is told: %v", err)
			}
			if err := <-other; err == nil {
				t.Error("another upgrade is carried out")
			}
			p.Ends(0)
			list, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			for _, pid := range strings.Fields(string(list)) {
				eventually(t, "its process "+pid+" is gone", func() bool {
					state, err := os.ReadFile("/proc/" + pid + "/stat")
					return err != nil || strings.Contains(string(state), ") Z ")
				})
			}
		})
	}
}

// Sessions over the daemon's own TLS, which an upgrade ends, notice nothing of one
// that fails; and the handlers hear of their end.
func TestUpgradeAndTLS(t *testing.T) {
	t.Parallel()
	handlers := filepath.Join(t.TempDir(), "h.js")
	text := `srv.regis_$str_handle$((s, conn) => conn.ssend(s));
		srv.regis_$on_close$((code, reason) => srv.sforward('gone: ' + code + ' ' + reason))`
	if err := os.WriteFile(handlers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := selfsigned.Files(t, t.TempDir(), "localhost")
	p := launch(t, configured(t, fmt.Sprintf("listen = [\"unix:%%t/nvsess.sock\", \"tcp:127.0.0.1:0\"]\ntls_cert = %q\ntls_key = %q\nhandlers = %q\n", cert, key, handlers)))
	tcp := strings.TrimPrefix(p.Logged("ready").Listen[1], "tcp:")
	secure := func() *guest {
		t.Helper()
		return visit(t, "wss://"+tcp, client.WithTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	plain, guests := visit(t, "ws+unix://"+p.socket("nvsess.sock")), []*guest{secure()}
	for after, why := range map[string]string{`rm "$0"`: "no such file", `chmod 600 "$0"`: "permission denied", `echo '#' >>"$0"`: "has changed"} {
		if err := p.upgrade(successor(t, after)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("the upgrade, after %s: %v", after, err)
		}
		guests = append(guests, secure())
		for _, g := range guests {
			talk(t, g, g, after)
		}
	}
	answer, err := admin.NewClient(p.socket("admin.sock")).Call(t.Context(), "upgrade", map[string]any{"binary": successor(t, ":")})
	if err != nil {
		t.Fatal(err)
	}
	var done admin.Upgraded
	if err := json.Unmarshal(answer.Result, &done); err != nil {
		t.Fatal(err)
	}
	if done.Sessions != 1 || done.Closed != len(guests) {
		t.Errorf("%+v", done)
	}
	for _, g := range guests {
		g.isClosed(t, 1012, "service restart")
		plain.hears(t, "gone: 1012 service restart")
	}
	talk(t, plain, plain, "still here")
	g := secure()
	talk(t, g, g, "back again")
}
