package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var errEnded = errors.New("the server ended by itself")

// childAttributes makes a child end with this program, also if it is killed, and
// keeps a Ctrl-C of the terminal from reaching it: it is stopped in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	output tail
	ended  chan struct{} // closed when Wait has returned
}

// start runs a server and returns when it takes connections.
func start(ctx context.Context, argv []string, socket string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = childAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its end is what counts
	}()
	limit := time.NewTimer(15 * time.Second)
	defer limit.Stop()
	for {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
			return p, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
			continue
		case <-p.ended:
			err = fmt.Errorf("%w: %s", errEnded, &p.output)
		case <-limit.C:
			err = fmt.Errorf("the server does not listen: %w: %s", err, &p.output)
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.stop()
		return nil, err
	}
}

// stop ends the server, first politely, and waits until it is gone.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// load runs the load generator against the server.
func (p *process) load(ctx context.Context, loadgen, socket string, args []string) (figures, error) {
	var f figures
	args = append([]string{"-addr", "unix:" + socket, "-pid", strconv.Itoa(p.cmd.Process.Pid), "-json"}, args...)
	var out bytes.Buffer
	var log tail
	c := exec.CommandContext(ctx, loadgen, args...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	c.Stdout, c.Stderr = &out, &log
	c.SysProcAttr = childAttributes()
	if err := c.Run(); err != nil {
		select {
		case <-p.ended:
			return f, fmt.Errorf("%w: %s", errEnded, &p.output)
		default:
			return f, fmt.Errorf("%w: %s", err, &log)
		}
	}
	return f, json.Unmarshal(out.Bytes(), &f)
}

// tail keeps the last of what a child writes.
type tail struct {
	mu sync.Mutex // guards b
	b  []byte
}

const tailBytes = 600

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
