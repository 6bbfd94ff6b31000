package loadtest

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/leak"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// faultyServer forwards what a session sends to the others, with the faults a test asks for. Sessions are numbered as they come.
type faultyServer struct {
	t        *testing.T
	url      string
	copies   func(from, to int) int           // of a message, 1 for no fault
	refuse   func(n int) int                  // the status for a handshake, 0 to accept it
	got      func(s *faultyServer, index int) // after a message of a session was forwarded
	attempts int

	mu       sync.Mutex // guards what follows, and writing
	sessions []net.Conn
	closes   []ws.StatusCode // codes of the close frames that came
}

func startFaulty(t *testing.T, s *faultyServer) *faultyServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.t, s.url = t, "ws://"+ln.Addr().String()+"/"
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.attempts++
			s.mu.Unlock()
			wg.Go(func() {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(patience))
				s.serve(nc, n)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait(); checkLeaks(t) })
	return s
}

func (s *faultyServer) serve(nc net.Conn, n int) {
	status := 0
	if s.refuse != nil {
		status = s.refuse(n)
	}
	u := ws.Upgrader{OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
		if status != 0 {
			return nil, ws.RejectConnectionError(ws.RejectionStatus(status))
		}
		return nil, nil
	}}
	s.mu.Lock() // a client that has its answer is among the sessions
	if _, err := u.Upgrade(nc); err != nil {
		s.mu.Unlock()
		return
	}
	index := len(s.sessions)
	s.sessions = append(s.sessions, nc)
	s.mu.Unlock()
	br := bufio.NewReader(nc)
	for {
		h, err := ws.ReadHeader(br)
		if err != nil || h.Length > 1<<16 {
			return
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(br, payload); err != nil {
			return
		}
		ws.Cipher(payload, h.Mask, 0)
		switch h.OpCode {
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			s.mu.Lock()
			s.closes = append(s.closes, code)
			_, _ = nc.Write(ws.MustCompileFrame(ws.NewCloseFrame(payload)))
			s.mu.Unlock()
			return
		case ws.OpText:
			s.forward(index, payload)
			if s.got != nil {
				s.got(s, index)
			}
		}
	}
}

func (s *faultyServer) forward(from int, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frame := ws.MustCompileFrame(ws.NewTextFrame(payload))
	for to, nc := range s.sessions {
		for range s.copies(from, to) {
			_, _ = nc.Write(frame) // it may be gone
		}
	}
}

func toOthers(from, to int) int {
	if from == to {
		return 0
	}
	return 1
}

// checkLeaks fails the test if goroutines of the test outlive it.
func checkLeaks(t *testing.T) { leak.Goroutines(t, "nvsess/client.", "loadtest.(*Test)") }

// runTest runs a test of a few clients.
func runTest(t *testing.T, cfg Config) (*Report, error) {
	t.Helper()
	cfg.Parallel, cfg.Timeout = 4, patience
	cfg.Options = append(cfg.Options, client.WithKeepalive(0))
	if cfg.Count == 0 {
		cfg.Count = 10
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := New(cfg).Run(ctx)
	if ctx.Err() != nil {
		t.Fatal("the test did not end by itself")
	}
	return r, err
}
