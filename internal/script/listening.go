package script

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/nvsess/nvsess/internal/ws"
)

// listeners tells where the daemon listens.
func (w *world) listeners() string {
	list := []map[string]any{}
	for _, l := range w.e.now().Listeners() {
		list = append(list, map[string]any{"network": l.Network, "address": l.Address, "tls": l.TLS})
	}
	return w.json(list)
}

// listeningAt is listeners for a message: "already listening at unix:/run/s.sock,
// tcp:127.0.0.1:8888".
func listeningAt(list []Listener) string {
	if len(list) == 0 {
		return "listening nowhere"
	}
	var at []string
	for _, l := range list {
		at = append(at, l.Network+":"+l.Address)
	}
	return "already listening at " + strings.Join(at, ", ")
}

// relative reports whether an address is a path that says nothing of where: such
// as ___usock___, which nv-session-simple's examples listen on.
func relative(address string) bool {
	return address != "" && !filepath.IsAbs(address) && !strings.Contains(address, ":")
}

// start takes sessions again and, given an address that nobody listens on yet,
// listens there: the address, whether with TLS, a certificate and its key in PEM
// or "". A relative path that may not be opened is passed over, with a warning.
func (w *world) start(address string, secure bool, cert, key string) goja.Value {
	srv := w.e.now().Sessions
	if list := w.e.now().Listeners(); w.e.now().Listen == nil && len(list) > 0 && relative(address) && !secure {
		if w.unopened != address {
			w.unopened = address
			w.e.out.write("warn", fmt.Sprintf("%s; script.listen is off, so nothing is opened at %s", listeningAt(list), address))
		}
		address = ""
	}
	return w.await("start", func(context.Context) (func() goja.Value, error) {
		list := w.e.now().Listeners()
		if address == "" || slices.ContainsFunc(list, func(l Listener) bool { return l.Address == address }) {
			srv.SetClosed(false)
			return nil, nil
		}
		listen := w.e.now().Listen
		if listen == nil {
			return nil, fmt.Errorf("scripts may not open listeners (%s): set script.listen in the configuration, or call start() without an address", listeningAt(list))
		}
		conf, err := w.e.serverTLS(secure, cert, key)
		if err != nil {
			return nil, err
		}
		if err := listen(address, conf); err != nil {
			return nil, err
		}
		srv.SetClosed(false)
		if secure && cert == "" {
			w.e.out.write("warn", "the certificate at "+address+" was made for this and is nobody's: a client has to be told to take it (rejectUnauthorized: false); "+
				"https takes {key, cert}")
		}
		return nil, nil
	})
}

// serverTLS is for a listener: with that certificate, or without one with a
// certificate for tests, as nv-session-simple has one.
func (e *Engine) serverTLS(secure bool, cert, key string) (*tls.Config, error) {
	if !secure {
		return nil, nil
	}
	certPEM, keyPEM := []byte(cert), []byte(key)
	if cert == "" {
		made := e.now().SelfSigned
		if made == nil {
			return nil, errors.New("https takes {key, cert}, both PEM")
		}
		var err error
		if certPEM, keyPEM, err = made(); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

// closeSessions takes no sessions any more, and closes those that are there. The
// promise is for their number.
func (w *world) closeSessions(restart bool) goja.Value {
	srv := w.e.now().Sessions
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
