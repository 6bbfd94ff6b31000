package metrics

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/webhook"
	"github.com/nvsess/nvsess/internal/ws"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// eventually waits for what nobody tells.
var eventually = await.That

// host is all that there is to tell of, at work.
type host struct {
	Options
	hook   *webhook.Hook
	socket string
}

func start(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{socket: filepath.Join(dir, "s")}
	var err error
	h.Sessions, err = session.NewServer(session.Options{
		WS:   ws.Options{Loops: 2, QueueBytes: 1 << 16, Slow: ws.SlowDropNewest, Mounts: []*ws.Mount{{Limits: ws.Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 8}}}},
		Mode: session.ModeEcho, AskTimeout: patience, TrustedProxies: []string{"unix"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Script = script.New(script.Options{Sessions: h.Sessions})
	if h.hook, err = webhook.New(webhook.Options{URL: "http+unix://" + filepath.Join(dir, "none") + ":/", Sessions: h.Sessions, OpenAfter: 1, OpenFor: patience}); err != nil {
		t.Fatal(err)
	}
	h.Webhook = func() *webhook.Hook { return h.hook }
	h.Sessions.AddBackend(h.hook)
	h.Version = "1.2.3"
	h.LogLost = func() uint64 { return 7 }
	h.MemoryLimit = func() int64 { return 1 << 20 }
	ln, err := net.Listen("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Sessions.Start([]*ws.Listener{{FD: int(f.Fd()), Network: "unix"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Sessions.Shutdown(ctx, 1001, ""); err != nil {
			t.Error(err)
		}
		if err := h.Script.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := h.hook.Close(ctx); err != nil {
			t.Error(err)
		}
		f.Close()
		ln.Close()
	})
	return h
}
