// Command peers runs the Go servers nvsessd is measured against: small, honest
// ones, each on the fast path its library's own documentation recommends.
//
// They do no more than the measured scenario needs. What nvsessd does beside it
// (deadlines, limits, bounded queues, session records) they leave out, so they
// are a bar and not a replacement.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// settings are what every peer is told.
type settings struct {
	forward   bool          // a message goes to all others
	echo      bool          // a message returns to its sender; neither: it is dropped
	keepalive time.Duration // nv-session keepalive interval, 0 for none
}

// peers maps a name to its server; it serves until the listener is closed.
var peers = map[string]func(net.Listener, settings) error{
	"gorilla": serveGorilla,
	"gws":     serveGws,
	"gobwas":  serveGobwas,
}

var errUsage = errors.New("usage: peers -peer gorilla|gws|gobwas -listen unix:/path|tcp:host:port -mode echo|forward|idle [-keepalive 10s (gws only)]")

func run(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	peer := fs.String("peer", "", "which library serves: gorilla, gws, gobwas")
	listen := fs.String("listen", "", "unix:/path or tcp:host:port")
	mode := fs.String("mode", "echo", "echo, forward or idle")
	var s settings
	fs.DurationVar(&s.keepalive, "keepalive", 0, "nv-session keepalive `interval`, 0 for none (gws only)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	s.echo, s.forward = *mode == "echo", *mode == "forward"
	serve := peers[*peer]
	network, address, ok := strings.Cut(*listen, ":")
	if serve == nil || !ok || !s.echo && !s.forward && *mode != "idle" || s.keepalive > 0 && *peer != "gws" {
		return errUsage
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	err = serve(l, s)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
