package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/gen"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/ws"
)

// startScript makes the engine, and loads the file of handlers. It must come
// before the first session. For what the file would have decided about, a process
// that takes over without it takes no new sessions.
func (d *daemon) startScript(from *takenState) error {
	c := d.config()
	d.script = script.New(d.scriptOptions(c))
	if c.Handlers == "" {
		return nil
	}
	if err := d.script.Load(context.Background(), c.Handlers); err != nil {
		err = fmt.Errorf("handlers: %w", err)
		if without(from, d.log, "the file of handlers, and refusing new sessions", err) == nil {
			d.sessions.SetClosed(true)
			return nil
		}
		return errors.Join(err, d.script.Close(context.Background()))
	}
	return nil
}

// scriptOptions translates the configuration.
func (d *daemon) scriptOptions(c *config.Config) script.Options {
	opt := script.Options{
		Sessions: d.sessions, Log: d.log,
		CPULimit: c.Script.CPULimit.Std(), Timeout: c.Script.Timeout.Std(), MaxHeap: c.Script.MaxHeapBytes,
		FetchHosts: c.Script.Fetch,
		Config:     namedConfig(c),
		Listeners:  d.listeningAt,
		Changed:    d.keeping.note,
	}
	if c.Script.Listen {
		opt.Listen = d.listenAt
		opt.SelfSigned = func() (cert, key []byte, err error) { return gen.SelfSigned(gen.PrimaryAddress()) }
	}
	return opt
}

// stopScript lets handlers hear of the last sessions' ends, until ctx is done.
func (d *daemon) stopScript(ctx context.Context) {
	d.script.Flush(ctx)
	if err := d.script.Close(ctx); err != nil {
		d.log.Warn("JavaScript was still running", zap.Error(err))
	}
}

// listeningAt is where sessions may connect.
func (d *daemon) listeningAt() []script.Listener {
	d.sockets.mu.Lock()
	defer d.sockets.mu.Unlock()
	list := make([]script.Listener, len(d.sockets.public))
	for i, s := range d.sockets.public {
		secure, added := d.sockets.added[s]
		if !added {
			secure = !s.Addr.IsUnix() && d.config().TLSCert != ""
		}
		list[i] = script.Listener{Network: s.Addr.Network, Address: s.Addr.Address, TLS: secure}
	}
	return list
}

// listenAt opens one more listener, at a path or at HOST:PORT, for a script.
func (d *daemon) listenAt(address string, cert *tls.Config) error {
	text := "tcp:" + address
	if !strings.Contains(address, ":") || strings.Contains(address, "/") {
		path, err := filepath.Abs(address)
		if err != nil {
			return err
		}
		text = "unix:" + path
	}
	addr, err := config.ParseAddr(text)
	if err != nil {
		return err
	}
	if addr.IsUnix() && cert != nil {
		return errors.New("TLS is for TCP; a unix socket needs none")
	}
	sock, err := d.sockets.openAt(addr, d.sockets.publicAs)
	if err != nil {
		return err
	}
	if err := d.sockets.add(sock, &ws.Listener{FD: sock.FD, Network: addr.Network, TLS: cert, WhileDraining: true}, d.sessions.Listen); err != nil {
		return errors.Join(err, sock.Close())
	}
	d.log.Info("listening, as a script wants it", zap.Stringer("listen", sock))
	return nil
}

// namedConfig is srv.cfg_: the configuration as nv-session-simple names it.
func namedConfig(c *config.Config) map[string]any {
	ms := func(d config.Duration) int64 { return time.Duration(d).Milliseconds() }
	return map[string]any{
		"maxReceivedFrameSize":             c.Message.MaxFrameBytes,
		"maxReceivedMessageSize":           c.Message.MaxMessageBytes,
		"fragmentOutgoingMessages":         c.Message.FragmentOutgoing,
		"fragmentationThreshold":           c.Message.FragmentThresholdBytes,
		"keepalive":                        c.Keepalive.Enabled,
		"keepaliveInterval":                ms(c.Keepalive.Interval),
		"dropConnectionOnKeepaliveTimeout": c.Keepalive.Drop,
		"keepaliveGracePeriod":             ms(c.Keepalive.Grace),
		"useNativeKeepalive":               c.Keepalive.NativePings,
		"assembleFragments":                true,
		"autoAcceptConnections":            false,
		"ignoreXForwardedFor":              len(c.Handshake.TrustedProxies) == 0,
		"parseCookies":                     true,
		"parseExtensions":                  true,
		"disableNagleAlgorithm":            true,
		"closeTimeout":                     ms(c.Close.Timeout),
		"subprotocols":                     c.Subprotocols,
	}
}
