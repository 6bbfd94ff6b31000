package route

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// sparse is a file of so many bytes.
func sparse(t testing.TB, size int64) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return name
}

// A client that takes nothing, or does not send what it promised, is cut off.
func TestStalledClientsAreCutOff(t *testing.T) {
	big := sparse(t, 256<<20)
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	s := start(t, Options{Routes: []Route{{Path: "/big", Files: big}, {Path: "/p", Proxy: backend}}}, func(o *session.Options) {
		o.WS.StallTimeout, o.WS.CloseTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	w := s.dial()
	w.send(get("/big"))
	eventually(t, "the request is under way", func() bool { return s.routes.Busy() == 1 })
	eventually(t, "it is cut off", func() bool { return s.routes.Busy() == 0 && s.sessions.Stats().Connections == 0 })
	w.Close()

	w = s.dial()
	w.send(request("POST", "/p", "Content-Length: 10") + "abc")
	if resp, _ := w.answer("POST"); resp.StatusCode != 408 {
		t.Errorf("half a body: %d", resp.StatusCode)
	}
	w.ends()
}

// A client that reads slowly but steadily has its answer, however long the
// kernel's buffer takes to have room again: it is not one that takes nothing.
func TestSlowClientsAreServed(t *testing.T) {
	const (
		stall = 3 * time.Second
		long  = 9 * time.Second // enough for a third of the kernel's buffer to take longer than stall
	)
	s := start(t, Options{Routes: []Route{{Path: "/big", Files: sparse(t, 24<<20)}}}, func(o *session.Options) { o.WS.StallTimeout = stall })
	w := s.dial()
	_ = w.Conn.(*net.TCPConn).SetReadBuffer(64 << 10) // so that what is read lets more come
	w.send(get("/big"))
	resp, err := http.ReadResponse(w.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	piece, read := make([]byte, 10_000), int64(0)
	pause := time.NewTicker(50 * time.Millisecond) // it is a slow reader that is tested
	defer pause.Stop()
	for begun := time.Now(); time.Since(begun) < long; <-pause.C {
		n, err := io.ReadFull(resp.Body, piece)
		if read += int64(n); err != nil {
			t.Fatalf("cut off after %d bytes, %v: %v", read, time.Since(begun), err)
		}
	}
	if s.routes.Busy() != 1 {
		t.Fatal("it is not under way any more: cut off, or all of it in the kernel's buffers")
	}
	rest, err := io.Copy(io.Discard, resp.Body)
	if err != nil || read+rest != 24<<20 {
		t.Errorf("%d bytes, %v", read+rest, err)
	}
	eventually(t, "it is done", func() bool { return s.routes.Busy() == 0 })
}
