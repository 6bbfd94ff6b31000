package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	errServerEarly = errors.New("the server ended during the load")
	errNoReport    = errors.New("the load generator made no report")
)

// readyLine is what a load generator says when its sessions are open.
const readyLine = "ready"

// together is the load on all variants at the same time.
type together struct {
	o       publishedOptions
	dir     string
	loadgen string
	servers []server
	log     io.Writer
	sides   [len(variants)]*side

	watchers sync.WaitGroup // they end when what they watch has been stopped
}

// side is one server and its load generator.
type side struct {
	variant variant
	server  *process
	load    *loadRun
	cpuFrom time.Duration // the server's, when the load began
}

// run starts the servers, then the loads one after the other, each to the point
// where its sessions are open, and then lets all begin at once. An error means
// that the load did not go to its end on all of them.
func (t *together) run(ctx context.Context) error {
	defer t.stop()
	gateReader, gate, err := os.Pipe()
	if err != nil {
		return err
	}
	defer gate.Close()
	defer gateReader.Close()
	for i, v := range variants {
		s := &side{variant: v}
		t.sides[i] = s
		if err := t.open(ctx, i, s, gateReader); err != nil {
			return fmt.Errorf("%s: %w", v.title, err)
		}
		fmt.Fprintf(t.log, "%s: %s sessions are open\n", v.title, thousands(float64(t.o.connections)))
	}
	for _, s := range t.sides {
		if s.cpuFrom, err = s.server.cpu(); err != nil {
			return fmt.Errorf("%s: %w", s.variant.title, err)
		}
	}
	fmt.Fprintf(t.log, "the load begins, %v and %v of warm-up; figures are in that order\n", t.o.duration, publishedWarmup)
	gate.Close()
	return t.watch(ctx)
}

// open starts a server and its load, and returns when all sessions are open.
func (t *together) open(ctx context.Context, i int, s *side, gate *os.File) error {
	dir := filepath.Join(t.dir, strconv.Itoa(i))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	list := chosen(t.servers, s.variant.server)
	if len(list) != 1 {
		return fmt.Errorf("no server %s", s.variant.server)
	}
	in := instance{server: list[0], bin: t.dir, dir: dir, mode: s.variant.mode, interval: publishedInterval}
	argv, err := in.command()
	if err != nil {
		return err
	}
	if s.server, err = start(ctx, argv, in.socket()); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(argv[0]), err)
	}
	args := append([]string{"-addr", "unix:" + in.socket(), "-pid", strconv.Itoa(s.server.cmd.Process.Pid), "-json"}, t.o.arguments(i)...)
	if s.load, err = startLoad(t.loadgen, args, gate); err != nil {
		return err
	}
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	select {
	case <-s.load.ready:
		return nil
	case <-s.load.ended:
		return s.load.problem()
	case <-s.server.ended:
		return fmt.Errorf("%w: %s", errServerEarly, &s.server.output)
	case <-limit.C:
		return errors.New("its sessions do not open")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch waits for the loads' ends, and says how they are getting on.
func (t *together) watch(ctx context.Context) error {
	begun := time.Now()
	tick := time.NewTicker(publishedProgress)
	defer tick.Stop()
	ends := make(chan error, len(t.sides))
	for _, s := range t.sides {
		t.watchers.Go(func() { ends <- s.end() })
	}
	for left := len(t.sides); left > 0; {
		select {
		case err := <-ends:
			if err != nil {
				return err // the others' figures would be of another load
			}
			left--
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			t.progress(time.Since(begun))
		}
	}
	return nil
}

// end waits for the end of a load or its server. It is an error if the load did
// not go on for its whole time; what was lost in that time is for the report.
func (s *side) end() error {
	died := func() error { return fmt.Errorf("%s: %w: %s", s.variant.title, errServerEarly, &s.server.output) }
	select {
	case <-s.server.ended:
		return died()
	case <-s.load.ended:
	}
	if s.load.figures().complete() {
		return nil
	}
	// A server that dies is often noticed by its load first.
	select {
	case <-s.server.ended:
		return died()
	case <-time.After(time.Second):
	}
	return fmt.Errorf("%s: the load ended early: %w", s.variant.title, s.load.problem())
}

// progress prints a line.
func (t *together) progress(gone time.Duration) {
	var cpu, mem []string
	for _, s := range t.sides {
		used, err := s.server.cpu()
		if err != nil {
			return // it is ending, which watch is about to tell
		}
		cpu = append(cpu, fmt.Sprintf("%.1f", 100*float64(used-s.cpuFrom)/float64(gone)))
		mem = append(mem, fmt.Sprintf("%.0f", float64(s.server.rss())/(1<<20)))
	}
	left := max(0, t.o.duration+publishedWarmup-gone)
	fmt.Fprintf(t.log, "%v to go; CPU so far %s %% of a core; RSS %s MB\n", left.Round(time.Second), strings.Join(cpu, ", "), strings.Join(mem, ", "))
}

// stop ends all that runs.
func (t *together) stop() {
	for _, s := range t.sides {
		if s != nil && s.load != nil {
			s.load.stop()
		}
	}
	for _, s := range t.sides {
		if s != nil && s.server != nil {
			s.server.stop()
		}
	}
	t.watchers.Wait()
}

// results are what the loads reported, also those that ended early.
func (t *together) results() (list [len(variants)]publishedFigures) {
	for i, s := range t.sides {
		if s != nil && s.load != nil {
			list[i] = s.load.figures()
		}
	}
	return list
}

// loadRun is a load generator at work.
type loadRun struct {
	cmd   *exec.Cmd
	out   bytes.Buffer // its report; complete when ended is closed
	log   readyLog
	ready chan struct{} // closed when its sessions are open
	ended chan struct{} // closed when Wait has returned
	err   error         // of Wait
}

func startLoad(loadgen string, args []string, gate *os.File) (*loadRun, error) {
	l := &loadRun{cmd: exec.Command(loadgen, args...), ready: make(chan struct{}), ended: make(chan struct{})}
	l.log.ready = sync.OnceFunc(func() { close(l.ready) })
	l.cmd.Stdin, l.cmd.Stdout, l.cmd.Stderr = gate, &l.out, &l.log
	l.cmd.SysProcAttr = childAttributes()
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(l.ended)
		l.err = l.cmd.Wait()
	}()
	return l, nil
}

// stop ends the load, first politely, and waits until it is gone.
func (l *loadRun) stop() {
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.ended:
	case <-time.After(5 * time.Second):
		_ = l.cmd.Process.Kill()
		<-l.ended
	}
}

// problem is why an ended load failed.
func (l *loadRun) problem() error {
	said := strings.TrimPrefix(l.log.String(), readyLine)
	return fmt.Errorf("%w: %s", cmp.Or(l.err, errNoReport), strings.TrimSpace(said))
}

// figures of an ended load; zero if it has none.
func (l *loadRun) figures() (f publishedFigures) {
	if json.Unmarshal(l.out.Bytes(), &f) != nil {
		return publishedFigures{}
	}
	return f
}

// readyLog is what a load writes to standard error. It looks out for the line
// that says that the sessions are open.
type readyLog struct {
	tail
	ready func()
}

func (r *readyLog) Write(b []byte) (int, error) {
	n, err := r.tail.Write(b)
	if line, _, _ := strings.Cut(r.String(), "\n"); line == readyLine {
		r.ready()
	}
	return n, err
}

// cpu is the processor time a server has used, from the kernel's clock of the
// process; see clock_getcpuclockid(3).
func (p *process) cpu() (time.Duration, error) {
	const schedClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("cpu time of process %d: %w", p.cmd.Process.Pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// rss is a server's resident size in bytes, 0 if it is gone.
func (p *process) rss() (bytes int64) {
	_, _ = fmt.Sscanf(fieldOf(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), "VmRSS"), "%d kB", &bytes)
	return bytes << 10
}
