package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/session"
)

// patience is how long what must happen may take on a busy machine.
const patience = time.Minute

// queueBytes is what may wait for a session: more than a round sends to all, less
// than it sends to those that do not read.
const queueBytes = 512 << 10

// A daemon is a running nvsessd.
type daemon struct {
	dir      string
	unix     string // URL for clients
	tcp      string // HOST:PORT for clients
	ctl      *admin.Client
	handlers handlers // nil: it forwards itself
	cmd      *exec.Cmd
	goneWith error         // how it ended
	ended    chan struct{} // closed when it has

	calls, lost atomic.Uint64 // of operators

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

// launch starts a daemon and waits until it listens.
func launch(binary string, s *setting) (*daemon, error) {
	dir, err := os.MkdirTemp("", "soak") // short enough for sockets
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir, unix: "ws+unix://" + dir + "/s", ended: make(chan struct{})}
	var config string
	if config, d.handlers, err = s.write(dir); err != nil {
		return nil, err
	}
	d.cmd = exec.Command(binary, "-config", config)
	d.cmd.Env = append(os.Environ(), "GOTRACEBACK=all", "GORACE=atexit_sleep_ms=0")
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_, _ = io.Copy(lockedWriter{d}, stderr) // its end is the daemon's
		d.goneWith = d.cmd.Wait()
		close(d.ended)
	}()
	if err := d.listens(); err != nil {
		d.kill()
		return nil, err
	}
	if d.handlers != nil {
		return d, nil
	}
	_, err = d.call(context.Background(), "handlers", map[string]any{"kind": "creq", "name": "echo"})
	return d, err
}

type lockedWriter struct{ d *daemon }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.d.log.Write(p)
}

func (d *daemon) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

var tcpAddress = regexp.MustCompile(`"tcp:(127\.0\.0\.1:[0-9]+)"`)

func (d *daemon) listens() error {
	for limit := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-d.ended:
			return fmt.Errorf("the daemon ended at once (%v):\n%s", d.goneWith, d.said())
		default:
		}
		if m := tcpAddress.FindStringSubmatch(d.said()); m != nil {
			ctl, err := admin.Dial(filepath.Join(d.dir, "a"))
			if err == nil {
				d.tcp, d.ctl = m[1], ctl
				return nil
			}
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the daemon does not listen:\n%s", d.said())
		}
	}
}

// call carries out an operator's command; what it answered is decoded into T by
// callFor. Of one that was lost nobody knows whether it was carried out.
func (d *daemon) call(ctx context.Context, name string, args any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d.calls.Add(1)
	a, err := d.ctl.Call(ctx, name, args)
	if wasLost(err) {
		d.lost.Add(1)
	}
	return a.Result, err
}

// stream is call for a command that streams.
func (d *daemon) stream(ctx context.Context, name string, args any, line func(*admin.Line) error) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	d.calls.Add(1)
	a, err := d.ctl.Stream(ctx, name, args, nil, line)
	if wasLost(err) {
		d.lost.Add(1)
	}
	return a.Result, err
}

// wasLost tells a call whose connection the daemon, or its client, gave up: on a
// machine with other things to do nobody is served within their patience.
func wasLost(err error) bool {
	var e *admin.NotReachableError
	return errors.As(err, &e)
}

// ask is callFor for what changes nothing, and can be asked again.
func ask[T any](ctx context.Context, d *daemon, name string, args any) (out T, err error) {
	for range 10 {
		if out, err = callFor[T](ctx, d, name, args); !wasLost(err) {
			break
		}
	}
	return out, err
}

func callFor[T any](ctx context.Context, d *daemon, name string, args any) (out T, err error) {
	raw, err := d.call(ctx, name, args)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

func (d *daemon) stats(ctx context.Context) (session.Stats, error) {
	return ask[session.Stats](ctx, d, "stats", nil)
}

// failures is how often handlers failed, and took too long, by the daemon's count.
func (d *daemon) failures(ctx context.Context) (errs, timeouts uint64, err error) {
	list, err := ask[struct{ Handlers []admin.HandlerInfo }](ctx, d, "handlers", nil)
	for _, h := range list.Handlers {
		errs += h.Errors
		timeouts += h.Timeouts
	}
	return errs, timeouts, err
}

// droppedBySession is what each session has lost so far, by its id. While
// sessions leave, some may be left out.
func (d *daemon) droppedBySession(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for args := map[string]any{"limit": 1000}; ; {
		page, err := ask[admin.Page](ctx, d, "sesses", args)
		n := len(page.Sessions)
		if err != nil || n == 0 {
			return out, err
		}
		for _, s := range page.Sessions {
			out[s.ID] = int(s.Dropped)
		}
		args["after"], args["offset"] = page.Sessions[n-1].ID, page.Offset+n
	}
}

// usage is what a process holds of the system.
type usage struct {
	rss, files, threads int // rss in bytes
}

func (d *daemon) usage() (u usage, err error) {
	proc := fmt.Sprintf("/proc/%d", d.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		n, _ := strconv.Atoi(fields[0]) // 0 of what is no number
		switch name {
		case "VmRSS":
			u.rss = n << 10
		case "Threads":
			u.threads = n
		}
	}
	files, err := os.ReadDir(proc + "/fd")
	u.files = len(files)
	return u, err
}

// idleUsage is the usage of a daemon that does nothing, without the connections
// of commands that are just over.
func (d *daemon) idleUsage() (usage, error) {
	least, err := d.usage()
	for range 20 {
		time.Sleep(25 * time.Millisecond)
		u, again := d.usage()
		if again != nil {
			return u, again
		}
		if u.files < least.files {
			least = u
		}
	}
	return least, err
}

// stop ends the daemon by a signal, and returns how it ended and what it said.
func (d *daemon) stop(sig syscall.Signal) (code int, said string, err error) {
	if err := d.cmd.Process.Signal(sig); err != nil {
		return 0, d.said(), err
	}
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.kill()
		return 0, d.said(), errors.New("the daemon does not end")
	}
	return d.cmd.ProcessState.ExitCode(), d.said(), os.RemoveAll(d.dir)
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.ended
	_ = os.RemoveAll(d.dir)
}

// goroutines counts those in what a daemon says when it gets SIGQUIT.
func goroutines(said string) int {
	return strings.Count(said, "\ngoroutine ")
}

var (
	resumed = regexp.MustCompile(`"msg":"resumed".*"closed":([0-9]+)`)
	cutOff  = regexp.MustCompile(`"msg":"handlers did not end in time[^"]*","calls":([0-9]+)`)
)

// sum adds up the numbers in lines of the log, and counts the lines.
func (d *daemon) sum(line *regexp.Regexp) (sum, lines int) {
	for _, m := range line.FindAllStringSubmatch(d.said(), -1) {
		n, _ := strconv.Atoi(m[1]) // they are digits
		sum += n
		lines++
	}
	return sum, lines
}

var trouble = regexp.MustCompile(`(?m)^.*(DATA RACE|^panic:|fatal error:|"level":"(error|dpanic|panic|fatal)").*$`)

// complaints are the lines of a log that should not be there.
func (d *daemon) complaints(said string) (lines []string) {
	lines = trouble.FindAllString(said, 10)
	if d.handlers == nil {
		return lines
	}
	for line := range strings.Lines(said) {
		if len(lines) < 10 && d.handlers.complaint(line) {
			lines = append(lines, line)
		}
	}
	return lines
}
