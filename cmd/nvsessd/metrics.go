package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/metrics"
	"github.com/nvsess/nvsess/internal/webhook"
)

// telling is what tells programs how the daemon does: on the admin socket, and at
// an address of its own if the configuration names one.
type telling struct {
	handler http.Handler
	webhook atomic.Pointer[webhook.Hook] // the daemon's; nil: none so far
	server  *metrics.Server              // nil: no address
	ln      net.Listener                 // of server
	ended   chan struct{}                // closed when server does not serve any more; nil: not yet
}

// openMetrics comes after everything that there is to tell of, and before what the
// process before has left, which an address that is not free must leave there.
func (d *daemon) openMetrics() error {
	d.telling.webhook.Store(d.webhook)
	reg := metrics.New(metrics.Options{
		Sessions: d.sessions, Script: d.script, Webhook: d.telling.webhook.Load, Version: versionString(),
		LogLost:     d.lines.Lost,
		MemoryLimit: func() int64 { return int64(d.config().Limits.MemoryBytes) },
		More:        d.handedOver,
	})
	d.telling.handler = metrics.Handler(reg, d.log)
	if d.config().Metrics.Listen == "" {
		return nil
	}
	addr, err := config.ParseAddr(d.config().Metrics.Listen)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	sock, err := listen.Open(addr, listen.Options{})
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	ln, err := sock.NetListener()
	if err != nil {
		_ = sock.Close()
		return fmt.Errorf("metrics.listen: %w", err)
	}
	// The listener has a descriptor of its own.
	if err := sock.Close(); err != nil {
		d.log.Warn("a descriptor of metrics.listen cannot be closed", zap.Error(err))
	}
	d.telling.server, d.telling.ln = metrics.NewServer(d.telling.handler, d.log), ln
	d.log.Info("metrics", zap.Stringer("listen", ln.Addr()), zap.Bool("loopback_only", onLoopback(ln.Addr())))
	if !onLoopback(ln.Addr()) {
		d.log.Warn("metrics can be read by whoever reaches this address; a loopback one is safer", zap.Stringer("listen", ln.Addr()))
	}
	return nil
}

// startMetrics comes when counters go on where the process before has left them:
// who asked earlier would see them begin anew.
func (d *daemon) startMetrics() {
	if d.telling.server == nil {
		return
	}
	d.telling.ended = make(chan struct{})
	go func() {
		defer close(d.telling.ended)
		if err := d.telling.server.Serve(d.telling.ln); err != nil { // the sessions matter more
			d.log.Error("metrics are not told at their address any more", zap.Error(err))
		}
	}()
}

// handedOver is what there is to tell of processes that follow one another.
func (d *daemon) handedOver() []metrics.Value {
	last := d.tookOver.Load()
	if last == nil {
		last = new(tookOver)
	}
	list := []metrics.Value{
		{Name: "nvsess_upgrades_total", Value: float64(last.upgrades), Labels: []string{"ok"}},
		{Name: "nvsess_upgrades_total", Value: float64(d.upgradesFailed.Load()), Labels: []string{"failed"}},
		{Name: "nvsess_resumed_sessions", Value: float64(last.sessions)},
		{Name: "nvsess_resumed_closed", Value: float64(last.closed)},
		{Name: "nvsess_resumed_unsent_bytes", Value: float64(last.unsent)},
		{Name: "nvsess_resumed_pause_seconds", Value: last.pause.Seconds()},
	}
	if d.keeping != nil {
		st := d.keeping.store.Stats()
		list = append(list, metrics.Value{Name: "nvsess_kept_connections", Value: float64(st.Kept)},
			metrics.Value{Name: "nvsess_kept_not", Value: float64(st.Waiting)})
	}
	return list
}

func onLoopback(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().IsLoopback()
}

// stopMetrics lets what is being told come to its end until ctx is done.
func (d *daemon) stopMetrics(ctx context.Context) {
	if d.telling.ended == nil {
		if d.telling.ln != nil {
			_ = d.telling.ln.Close()
		}
		return
	}
	if err := d.telling.server.Shutdown(ctx); err != nil {
		d.log.Warn("somebody who was being told metrics was cut off", zap.Error(err))
	}
	<-d.telling.ended
}
