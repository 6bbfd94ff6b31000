package webhook

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// A host is a running session server with a hook.
type host struct {
	*session.Server
	hook *Hook
	sock string
	log  *await.Buffer
}

// everything is all events.
var everything = []string{"verify", "open", "string", "json", "binary", "creq", "cfg", "close"}

// start runs a session server that tells a webhook at url of the events. Both
// end with the test; the hook must have come to its end by itself then.
func start(t testing.TB, url string, events []string, change ...func(*Options)) *host {
	t.Helper()
	h := &host{log: new(await.Buffer), sock: filepath.Join(t.TempDir(), "s")}
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), h.log, zap.InfoLevel))
	var err error
	h.Server, err = session.NewServer(session.Options{
		WS: ws.Options{
			Loops:      2,
			Mounts:     []*ws.Mount{{Origins: []string{"*"}, Subprotocols: []string{"chat"}, Limits: ws.Limits{Frame: 4 << 20, Message: 4 << 20, Fragments: 1024}}},
			QueueBytes: 4 << 20, CloseTimeout: 5 * time.Second,
		},
		Log: log, Interval: 20 * time.Second, AskTimeout: patience, MaxPending: 64, TrustedProxies: []string{"unix"},
		Inbox: session.InboxOptions{Messages: 20_000}, VerifyTimeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{URL: url, Sessions: h.Server, Log: log, Version: "1.2", Timeout: patience, Backoff: time.Millisecond, MaxBackoff: time.Second, VerifyTimeout: patience, OpenAfter: 1000}
	for _, f := range change {
		f(&o)
	}
	if h.hook, err = New(o); err != nil {
		t.Fatal(err)
	}
	h.AddBackend(h.hook)
	for _, e := range events {
		if e == "verify" {
			h.SetVerifier(h.hook.Name(), h.hook)
			continue
		}
		k, err := session.ParseKind(e)
		if err == nil {
			err = h.SetHandler(k, h.hook.Name())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("unix", h.sock)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start([]*ws.Listener{{FD: int(f.Fd()), Network: "unix"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.shutdown(t)
		f.Close()
		ln.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.hook.Close(ctx); err != nil {
			t.Error(err)
		}
		if st := h.hook.Stats(); st.Waiting != 0 || st.UnderWay != 0 {
			t.Errorf("left: %+v", st)
		}
		if n := h.Server.Stats().HandlerWaiting; n != 0 {
			t.Errorf("%d events are not done", n)
		}
	})
	return h
}

func (h *host) shutdown(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.Shutdown(ctx, 1001, "over"); err != nil && err != ws.ErrServerShutdown {
		t.Error(err)
	}
}

// eventually waits for what nobody tells.
var eventually = await.That

// receive waits for a value.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

// tempSocket is a short path for a socket.
func tempSocket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hook")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "app.sock")
}
