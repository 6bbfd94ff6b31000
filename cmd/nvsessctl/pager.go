package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/term"
)

// pager shows output that is longer than the screen through $PAGER, or less. What fits is written as it is, and so is everything when
// there is no pager, or when direct is asked for.
type pager struct {
	ctx    context.Context
	out    *os.File
	direct bool
	rows   int
	held   bytes.Buffer // what has come while it still may fit
	lines  int
	cmd    *exec.Cmd
	pipe   io.WriteCloser

	hasScreen func(bool) // told when the pager takes the screen and gives it back; may be nil
}

// errPagerLeft is the user having seen enough.
var errPagerLeft = errors.New("the pager was left")

func newPager(ctx context.Context, out *os.File, direct bool) *pager {
	_, rows, err := term.GetSize(int(out.Fd()))
	return &pager{ctx: ctx, out: out, direct: direct || err != nil || rows < 5, rows: rows}
}

func (p *pager) Write(b []byte) (int, error) {
	if p.pipe == nil && !p.direct {
		p.held.Write(b)
		if p.lines += bytes.Count(b, []byte("\n")); p.lines < p.rows-1 {
			return len(b), nil
		}
		p.start()
		if err := p.flush(); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return p.pass(b)
}

// pass writes on to the pager or the screen.
func (p *pager) pass(b []byte) (int, error) {
	if p.pipe == nil {
		return p.out.Write(b)
	}
	n, err := p.pipe.Write(b)
	if err != nil {
		return n, errPagerLeft
	}
	return n, nil
}

func (p *pager) flush() error {
	_, err := p.pass(p.held.Bytes())
	p.held.Reset()
	return err
}

// start runs the pager; without one everything is written as it is.
func (p *pager) start() {
	p.direct = true
	name := os.Getenv("PAGER")
	if name == "" {
		name = "less"
	}
	cmd := exec.Command("sh", "-c", "exec "+name) // $PAGER may have arguments
	cmd.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		cmd.Env = append(cmd.Env, "LESS=FRXK") // -K: Ctrl-C leaves it
	}
	if _, err := exec.LookPath(firstWord(name)); err != nil {
		return
	}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	pipe, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return
	}
	p.cmd, p.pipe = cmd, pipe
	if p.hasScreen != nil {
		p.hasScreen(true)
	}
}

func firstWord(s string) string {
	for i := range len(s) {
		if s[i] == ' ' {
			return s[:i]
		}
	}
	return s
}

// Close writes what is held and waits for the user to leave the pager; Ctrl-C makes it go.
func (p *pager) Close() error {
	if p.pipe == nil {
		return p.flush()
	}
	if p.hasScreen != nil {
		defer p.hasScreen(false)
	}
	err := p.pipe.Close()
	stop := context.AfterFunc(p.ctx, func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	if werr := p.cmd.Wait(); werr != nil || err != nil {
		return errPagerLeft
	}
	return nil
}
