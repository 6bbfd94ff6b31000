package main

import (
	"crypto/tls"
	"fmt"
	"os/user"
	"strconv"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// sessionOptions translates the configuration.
func sessionOptions(c *config.Config, log *zap.Logger) (session.Options, error) {
	slow, ok := map[string]ws.SlowPolicy{
		config.PolicyClose: ws.SlowClose, config.PolicyDropNewest: ws.SlowDropNewest, config.PolicyDropOldest: ws.SlowDropOldest,
	}[c.Outbound.Policy]
	if !ok {
		return session.Options{}, fmt.Errorf("unknown outbound policy %q", c.Outbound.Policy)
	}
	var fr ws.Fragmentation
	if c.Message.FragmentOutgoing {
		fr.Threshold = c.Message.FragmentThresholdBytes
	}
	return session.Options{
		WS: ws.Options{
			Loops:            c.Loops,
			Policy:           ws.Policy{Paths: c.Paths, Origins: c.Handshake.Origins, Subprotocols: c.Subprotocols},
			Limits:           ws.Limits{Frame: int64(c.Message.MaxFrameBytes), Message: int64(c.Message.MaxMessageBytes), Fragments: c.Message.MaxFragments},
			MaxHeadBytes:     c.Handshake.MaxBytes,
			MaxFields:        c.Handshake.MaxHeaders,
			HandshakeTimeout: c.Handshake.Timeout.Std(),
			HandshakeRate:    float64(c.Handshake.Rate),
			Fragmentation:    fr,
			QueueBytes:       c.Outbound.QueueBytes,
			Slow:             slow,
			CloseTimeout:     c.Close.Timeout.Std(),
		},
		Log:            log,
		Mode:           c.Mode,
		Keepalive:      c.Keepalive.Enabled,
		Interval:       c.Keepalive.Interval.Std(),
		Drop:           c.Keepalive.Drop,
		Grace:          c.Keepalive.Grace.Std(),
		NativePings:    c.Keepalive.NativePings,
		AskTimeout:     c.Requests.Timeout.Std(),
		MaxPending:     c.Requests.MaxPending,
		TrustedProxies: c.Handshake.TrustedProxies,
	}, nil
}

// tlsConfig loads the certificate for the TCP listeners; nil means plain TCP.
func tlsConfig(c *config.Config) (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("tls_cert, tls_key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

// allowed resolves who may call the admin socket.
func allowed(a *config.Admin) (uids, gids []uint32, err error) {
	for _, name := range a.AllowUsers {
		id := name
		if u, err := user.Lookup(name); err == nil {
			id = u.Uid
		}
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("admin.allow_users: no such user: %s", name)
		}
		uids = append(uids, uint32(n))
	}
	for _, name := range a.AllowGroups {
		id := name
		if g, err := user.LookupGroup(name); err == nil {
			id = g.Gid
		}
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("admin.allow_groups: no such group: %s", name)
		}
		gids = append(gids, uint32(n))
	}
	return uids, gids, nil
}
