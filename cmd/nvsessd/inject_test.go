package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/session"
)

// inject makes system calls of a running daemon fail, by strace, until the
// returned function is called. Each of what is as in strace's inject=.
func (p *process) inject(what ...string) (stop func()) {
	p.t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		p.t.Skip("no strace: system calls cannot be made to fail")
	}
	var said bytes.Buffer
	args := []string{"-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-p", fmt.Sprint(p.Cmd.Process.Pid)}
	calls := "trace="
	for _, w := range what {
		args = append(args, "-e", "inject="+w)
		call, _, _ := strings.Cut(w, ":")
		calls += call + ","
	}
	cmd := exec.Command(strace, append(args, "-e", strings.TrimSuffix(calls, ","))...)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() { _ = cmd.Process.Signal(os.Interrupt); <-ended }
	for limit := time.Now().Add(patience); !p.traced(); {
		select {
		case <-ended:
			p.t.Skipf("strace may not trace: %s", said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(limit) {
			stop()
			p.t.Fatal("strace does not attach")
		}
	}
	return stop
}

// traced reports whether each of the daemon's threads is.
func (p *process) traced() bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.Cmd.Process.Pid))
	for _, name := range tasks {
		status, err := os.ReadFile(name)
		if err == nil && bytes.Contains(status, []byte("TracerPid:\t0\n")) {
			return false
		}
	}
	return len(tasks) > 0
}

// stats are the daemon's, as an operator sees them.
func (p *process) stats() (s session.Stats) {
	p.t.Helper()
	p.call("stats", nil, &s)
	return s
}

// call carries out an operator's command; answer may be nil.
func (p *process) call(name string, args, answer any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	a, err := admin.NewClient(p.socket("admin.sock")).Call(ctx, name, args)
	if err == nil && answer != nil {
		err = json.Unmarshal(a.Result, answer)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
}

// System calls that fail for a moment, for lack of memory, for a signal or for
// no reason, cost nobody his session, a message or the order of messages.
func TestSystemCallsThatFail(t *testing.T) {
	const messages = 24
	for _, what := range [][]string{
		{"sendto,sendmsg:error=ENOBUFS:when=1+3", "recvfrom:error=ENOMEM:when=1+3", "accept4:error=ENOBUFS:when=1+2"},
		{"sendto,sendmsg:error=ENOMEM:when=2+2", "recvfrom:error=EINTR:when=1+2", "accept4:error=ENOMEM:when=1+2"},
		{"sendto,sendmsg:error=EINTR:when=1+2", "recvfrom:error=ENOBUFS:when=2+3", "accept4:error=EINTR:when=1+2", "epoll_wait:error=EINTR:when=1+2"},
		{"sendto,sendmsg:error=EAGAIN:when=1+2", "recvfrom:error=EAGAIN:when=1+2", "accept4:error=ECONNABORTED:when=1+2"},
		{"accept4:error=EPERM:when=1+2"},
		{"accept4:error=EMFILE:when=1+2"},
		{"epoll_ctl:error=ENOMEM:when=2+3"},
	} {
		t.Run(strings.NewReplacer(":error=", "-", ":when=", "-").Replace(strings.Join(what, " ")), func(t *testing.T) {
			t.Parallel()
			p := launch(t, []string{"-mode", "forward"})
			p.Logged("ready")
			url := "ws+unix://" + p.socket("nvsess.sock")
			there := visit(t, url)
			stop := p.inject(what...)
			defer stop()
			unwatched := strings.HasPrefix(what[0], "epoll_ctl")
			var guests []*guest
			for tries := 0; len(guests) < 3 && tries < 30; tries++ {
				// One whose socket could not be watched is closed before it is a session.
				if g, err := tryVisit(t, url); err == nil {
					guests = append(guests, g)
				} else if !unwatched {
					t.Fatal(err)
				}
			}
			for i := range messages {
				from := guests[i%len(guests)]
				from.say(t, fmt.Sprint("message ", i))
				there.hears(t, fmt.Sprint("message ", i))
				for _, g := range guests {
					if g != from {
						g.hears(t, fmt.Sprint("message ", i))
					}
				}
			}
			if !unwatched { // an operator's connection that cannot be watched is cut
				p.call("version", nil, nil)
			}
			stop()
			s := p.stats()
			if s.Sessions != 1+len(guests) || s.Dropped != 0 || len(s.Closes) != 0 {
				t.Errorf("%+v", s)
			}
			if s.Starved == 0 && strings.HasPrefix(what[0], "sendto") && !strings.Contains(what[0], "EAGAIN") {
				t.Error("no call failed")
			}
			if n := strings.Count(p.Said(), "cannot accept connections"); n > 1 {
				t.Errorf("%d lines about accepting", n)
			}
			p.Signal(os.Interrupt)
			p.Ends(0)
		})
	}
}
