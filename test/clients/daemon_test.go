package clients

import (
	"context"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// patience bounds every wait of a test; none is expected to last.
const patience = 60 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestMain(m *testing.M) { nvsessd.M{M: m}.Run() }

// daemon is a running nvsessd, with its URLs for clients.
type daemon struct {
	*nvsessd.Daemon
	url  string // ws://...
	unix string // ws+unix://...
}

func start(t *testing.T, mode, config string) *daemon {
	t.Helper()
	d := nvsessd.Start(t, nvsessd.Options{Config: config, Args: []string{"-mode", mode}})
	return &daemon{Daemon: d, url: "ws://" + d.TCP + "/", unix: "ws+unix://" + d.Sock}
}
