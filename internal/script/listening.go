package script

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"github.com/dop251/goja"
	"github.com/nvsess/nvsess/internal/ws"
)

// listeners tells where the daemon listens.
func (w *world) listeners() string {
	list := []map[string]any{}
	for _, l := range w.e.opt.Listeners() {
		list = append(list, map[string]any{"network": l.Network, "address": l.Address, "tls": l.TLS})
	}
	return w.json(list)
}

// start takes sessions again and, given an address that nobody listens on yet,
// listens there: the address, a certificate and its key in PEM or "".
func (w *world) start(address, cert, key string) goja.Value {
	srv := w.e.opt.Sessions
	return w.await("start", func(context.Context) (func() goja.Value, error) {
		open := func(l Listener) bool { return l.Address == address }
		if address == "" || slices.ContainsFunc(w.e.opt.Listeners(), open) {
			srv.SetClosed(false)
			return nil, nil
		}
		if w.e.opt.Listen == nil {
			return nil, errors.New("scripts may not open listeners: set script.listen in the configuration, or call start() without an address")
		}
		var conf *tls.Config
		if cert != "" {
			pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
			if err != nil {
				return nil, err
			}
			conf = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		}
		if err := w.e.opt.Listen(address, conf); err != nil {
			return nil, err
		}
		srv.SetClosed(false)
		return nil, nil
	})
}

// closeSessions takes no sessions any more, and closes those that are there. The
// promise is for their number.
func (w *world) closeSessions(restart bool) goja.Value {
	srv := w.e.opt.Sessions
	return w.await("close", func(ctx context.Context) (func() goja.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		code, reason := ws.CloseGoingAway, "server is closing"
		if restart {
			code, reason = ws.CloseServiceRestart, "service restart"
		}
		srv.SetClosed(!restart)
		n, err := srv.CloseSessions(ctx, code, reason)
		return func() goja.Value { return w.rt.ToValue(n) }, err
	})
}
