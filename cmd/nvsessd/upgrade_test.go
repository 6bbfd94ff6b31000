package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/nvsess/nvsess/internal/admin"
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
			p.logged("ready")
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
			p.until("it is said", func() bool { return strings.Contains(p.said(), c.said) })
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

// An upgrade that fails is counted wherever it does: most are refused by the new
// binary.
func TestFailedUpgradesAreCounted(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.logged("ready")
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
	p.logged("ready")
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	for i := range 5 {
		var got bytes.Buffer
		over := make(chan error, 1)
		go func() {
			over <- admin.NewClient(p.socket("admin.sock")).Profile(t.Context(), "profile", 500, &got)
		}()
		p.until("a profile is being made", func() bool { return strings.Count(p.said(), `"profile":"profile"`) == i+1 })
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
	if strings.Contains(p.said(), "upgrading all the same") {
		t.Error("the upgrade had to cut the profile off")
	}
}

// When execve itself fails, all is as it was: so is the limit of open files.
func TestFailedExecChangesNothing(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"-mode", "forward"}, inShell("ulimit -S -n 100"))
	p.logged("ready")
	a, b := visit(t, "ws+unix://"+p.socket("nvsess.sock")), visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	limits := func() string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before, open := limits(), p.descriptors()
	for range 3 {
		if err := p.upgrade(successor(t, `rm "$0"`)); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Fatalf("the upgrade: %v", err)
		}
		talk(t, a, b, "still here")
	}
	if after := limits(); after != before {
		t.Errorf("the limits were\n%sand are\n%s", before, after)
	}
	p.until("no descriptor is left over", func() bool { return p.descriptors() <= open })
	p.signal(syscall.SIGTERM)
	a.isClosed(t, 1001, goodbye)
	p.ends(0)
}
