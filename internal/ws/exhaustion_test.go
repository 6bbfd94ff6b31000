package ws

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// serveEnv makes the test binary a server on that unix socket with few
// descriptors, until its standard input ends.
const serveEnv = "NVSESS_WS_TEST_SERVE"

const childDescriptors = 40

func serveForParent(path string) {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: childDescriptors, Max: childDescriptors}); err != nil {
		panic(err)
	}
	core, logs := observer.New(zap.ErrorLevel)
	h := newRecorder(&testing.B{}).echo()
	s, err := NewServer(Options{Handler: h, Loops: 2, Log: zap.New(core)})
	if err != nil {
		panic(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	f, err := ln.(*net.UnixListener).File()
	if err != nil {
		panic(err)
	}
	if err := s.Start([]*Listener{{FD: int(f.Fd()), Network: "unix"}}); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = s.Shutdown(ctx, CloseGoingAway, "")
	fmt.Println("log", logs.Len(), "failed", s.Totals().AcceptFailed > 0, "left", s.Conns(), "err", err)
}

// Without descriptors to spare, what is open is unharmed, others wait in the
// backlog and get in when there is room, and the log has one line for it all.
func TestDescriptorsRunOut(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatal(lines.Text())
	}

	s := &testServer{t: t, network: "unix", addr: path}
	const n = 100
	clients := make([]*client, n)
	upgraded := make(chan *client, n)
	for i := range clients {
		clients[i] = s.dialRaw()
		clients[i].write([]byte(handshake))
		go func() {
			line, err := clients[i].br.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 101") {
				t.Errorf("%q: %v", line, err)
			}
			for err == nil && line != "\r\n" {
				line, err = clients[i].br.ReadString('\n')
			}
			upgraded <- clients[i]
		}()
	}
	in2 := func(k int) (open []*client) {
		for range k {
			open = append(open, receive(t, "upgrade", upgraded))
		}
		return open
	}
	open := in2(10)
	for range 20 { // while accepting fails all the time
		for _, c := range open {
			c.send(OpText, "unharmed")
			c.expect(OpText, "unharmed")
		}
	}
	// One goes, one comes, until all were in.
	for served := len(open); served < n; {
		c := open[0]
		open = open[1:]
		c.Close()
		if served < n {
			select {
			case c := <-upgraded:
				open = append(open, c)
				served++
			default:
				if len(open) == 0 {
					open = append(open, in2(1)...)
					served++
				}
			}
		}
	}
	for _, c := range open {
		c.send(OpText, "still")
		c.expect(OpText, "still")
		c.Close()
	}
	in.Close()
	if !lines.Scan() || lines.Text() != "log 1 failed true left 0 err <nil>" {
		t.Fatal(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
