//go:build linux

package client_test

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// daemon is what the examples talk to: the server part of nvsessd.
type daemon struct {
	*session.Server
	url  string
	file *os.File
	ln   net.Listener
}

// startDaemon runs a daemon whose handlers are those of mode: "echo", "forward"
// or "handlers". It listens on a free TCP port.
func startDaemon(mode string) *daemon {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return serveDaemon(mode, ln, "ws://"+ln.Addr().String()+"/")
}

// startUnixDaemon listens on a unix socket.
func startUnixDaemon(mode, path string) *daemon {
	ln, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	return serveDaemon(mode, ln, "ws+unix://"+path)
}

func serveDaemon(mode string, ln net.Listener, url string) *daemon {
	srv, err := session.NewServer(session.Options{
		WS:   ws.Options{Loops: 1, Mounts: []*ws.Mount{{Paths: []string{"/"}, Limits: ws.Limits{Frame: 64 << 10, Message: 1 << 20, Fragments: 1024}}}},
		Mode: mode, Keepalive: true, Interval: 20 * time.Second, Drop: true, Grace: 10 * time.Second,
		AskTimeout: 10 * time.Second, MaxPending: 64, TrustedProxies: []string{"unix"},
	})
	if err != nil {
		panic(err)
	}
	file, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		panic(err)
	}
	d := &daemon{srv, url, file, ln}
	if err := srv.Start([]*ws.Listener{{FD: int(file.Fd()), Network: ln.Addr().Network()}}); err != nil {
		panic(err)
	}
	return d
}

// stop ends the daemon, as SIGTERM does: its sessions are told 1001.
func (d *daemon) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d.Drain()
	d.file.Close()
	d.ln.Close() // removes a unix socket
	if err := d.Shutdown(ctx, ws.CloseGoingAway, "shutting down"); err != nil {
		panic(err)
	}
}
