package session

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
	"github.com/nvsess/nvsess/internal/ws"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// A host is a running server with real listeners.
type host struct {
	*Server
	unix, tcp string
	log       *await.Buffer
}

// start runs a server with two loops that ends with the test. Keepalive is off
// unless change turns it on.
func start(t testing.TB, change ...func(*Options)) *host {
	t.Helper()
	h := &host{log: new(await.Buffer), unix: filepath.Join(t.TempDir(), "s")}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), h.log, zap.InfoLevel)
	opt := Options{
		WS: ws.Options{
			Loops:        2,
			Mounts:       []*ws.Mount{{Origins: []string{"*"}, Limits: ws.Limits{Frame: 1 << 20, Message: 1 << 20, Fragments: 1024}}},
			QueueBytes:   1 << 20,
			CloseTimeout: 5 * time.Second,
		},
		Log: zap.New(core), Interval: 20 * time.Second, Drop: true, Grace: 10 * time.Second,
		AskTimeout: 10 * time.Second, MaxPending: 64, TrustedProxies: []string{"unix"},
	}
	for _, f := range change {
		f(&opt)
	}
	var err error
	if h.Server, err = NewServer(opt); err != nil {
		t.Fatal(err)
	}
	un, err := net.Listen("unix", h.unix)
	if err != nil {
		t.Fatal(err)
	}
	tn, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.tcp = tn.Addr().String()
	listeners := []*ws.Listener{listener(t, un, "unix"), listener(t, tn, "tcp")}
	if err := h.Start(listeners); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Shutdown(ctx, ws.CloseGoingAway, "test is over"); err != nil && err != ws.ErrServerShutdown {
			t.Errorf("shutdown: %v", err)
		}
		if n := h.Stats().Pending; n != 0 {
			t.Errorf("%d requests are still pending", n)
		}
	})
	return h
}

func listener(t testing.TB, ln net.Listener, network string) *ws.Listener {
	t.Helper()
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); ln.Close() })
	return &ws.Listener{FD: int(f.Fd()), Network: network}
}

// keepalive turns keepalive on.
func keepalive(interval, grace time.Duration) func(*Options) {
	return func(o *Options) { o.Keepalive, o.Interval, o.Grace = true, interval, grace }
}

// eventually is for what the server tells nobody about, such as a counter.
var eventually = await.That
