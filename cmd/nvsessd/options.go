package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/deflate"
	"github.com/nvsess/nvsess/internal/script"
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
	inbox, ok := map[string]session.InboxPolicy{
		config.PolicyClose: session.InboxClose, config.PolicyDropNewest: session.InboxDropNewest, config.PolicyDropOldest: session.InboxDropOldest,
	}[c.Inbox.Policy]
	if !ok {
		return session.Options{}, fmt.Errorf("unknown inbox policy %q", c.Inbox.Policy)
	}
	judge, err := newAuthenticator(c)
	if err != nil {
		return session.Options{}, err
	}
	var fr ws.Fragmentation
	if c.Message.FragmentOutgoing {
		fr.Threshold = c.Message.FragmentThresholdBytes
	}
	opt := session.Options{
		WS: ws.Options{
			Loops:            c.Loops,
			SecretQuery:      secretQuery(c),
			MaxHeadBytes:     c.Handshake.MaxBytes,
			MaxFields:        c.Handshake.MaxHeaders,
			HandshakeTimeout: c.Handshake.Timeout.Std(),
			HandshakeRate:    float64(c.Handshake.Rate),
			MessageTimeout:   c.Message.Timeout.Std(),
			Admission: ws.Admission{
				Sessions: c.Limits.Sessions, SessionsPerAddress: c.Limits.SessionsPerAddress, ConnectionsPerAddress: c.Limits.ConnectionsPerAddress,
				HandshakesPerAddress: float64(c.Limits.HandshakesPerAddress), HandshakeBurst: c.Limits.HandshakesBurst,
			},
			Fragmentation: fr,
			QueueBytes:    c.Outbound.QueueBytes,
			Slow:          slow,
			CloseTimeout:  c.Close.Timeout.Std(),
			IdleTimeout:   c.HTTP.IdleTimeout.Std(),
			StallTimeout:  c.HTTP.StallTimeout.Std(),
			Memory:        int64(c.Limits.MemoryBytes),
		},
		Log:            log,
		DebugLog:       withoutLevel(log),
		Mounts:         mounts(c),
		Keepalive:      c.Keepalive.Enabled,
		Interval:       c.Keepalive.Interval.Std(),
		Drop:           c.Keepalive.Drop,
		Grace:          c.Keepalive.Grace.Std(),
		NativePings:    c.Keepalive.NativePings,
		AskTimeout:     c.Requests.Timeout.Std(),
		MaxPending:     c.Requests.MaxPending,
		TrustedProxies: c.Handshake.TrustedProxies,
		Inbox: session.InboxOptions{
			Messages: c.Inbox.Messages, Bytes: c.Inbox.QueueBytes, TotalBytes: c.Inbox.TotalBytes, Policy: inbox,
		},
		VerifyTimeout: c.Verify.Timeout.Std(),
		MaxVerifying:  c.Verify.MaxPending,
		Idle:          c.Limits.Idle.Std(),
		Pages:         pages(c),
		HealthPath:    c.HTTP.HealthPath,
	}
	if judge != nil {
		opt.Auth = judge
	}
	return opt, nil
}

// mounts are the paths of sessions, the top level's first.
func mounts(c *config.Config) (list []session.Mount) {
	for _, m := range c.AllMounts() {
		list = append(list, session.Mount{Mode: m.Mode, Auth: authModes[m.Auth], Mount: &ws.Mount{
			Paths: m.Paths, Origins: m.Origins, Subprotocols: m.Subprotocols, MaxConns: m.Sessions,
			Limits:      ws.Limits{Frame: int64(m.MaxFrameBytes), Message: int64(m.MaxMessageBytes), Fragments: m.MaxFragments},
			Rates:       rates(m),
			Header:      headerLines(m.Headers),
			Compression: compression(c, m.Compression),
		}})
	}
	return list
}

func compression(c *config.Config, mode string) ws.Compression {
	return ws.Compression{
		Mode: map[string]ws.CompressionMode{
			config.CompressionOn: ws.CompressionOn, config.CompressionReceiveOnly: ws.CompressionReceiveOnly,
		}[mode],
		Threshold: c.Deflate.ThresholdBytes,
		Deflate: deflate.Options{
			ServerContextTakeover: c.Deflate.ServerContextTakeover, ClientContextTakeover: c.Deflate.ClientContextTakeover,
			ServerWindowBits: c.Deflate.ServerMaxWindowBits, ClientWindowBits: c.Deflate.ClientMaxWindowBits,
		},
	}
}

// headerLines encodes "Name: value" fields.
func headerLines(fields []string) (lines []byte) {
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		lines = append(lines, name+": "+strings.TrimSpace(value)+"\r\n"...)
	}
	return lines
}

func rates(m config.Mount) ws.Rates {
	return ws.Rates{
		Messages: float64(m.MessagesPerSecond), MessageBurst: m.MessagesBurst,
		Bytes: float64(m.BytesPerSecond), ByteBurst: m.BytesBurst,
		Policy: map[string]ws.RatePolicy{config.PolicyDrop: ws.RateDrop, config.PolicyClose: ws.RateClose}[m.RatePolicy],
	}
}

// check looks at what a valid configuration names: -check opens nothing.
func check(c *config.Config) error {
	for key, path := range c.Files() {
		// To open a FIFO is to wait for somebody who writes to it.
		if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
			return fmt.Errorf("%s: %s: it is no file", key, path)
		}
	}
	if _, err := loadPair(c); err != nil {
		return err
	}
	if _, err := newAuthenticator(c); err != nil {
		return err
	}
	if _, _, err := c.Admin.Allowed(); err != nil {
		return err
	}
	routes, err := newRoutes(c, zap.NewNop(), nil)
	if err != nil {
		return err
	}
	stopRoutes(context.Background(), routes, zap.NewNop())
	if c.Handlers != "" {
		if err := script.CheckFile(c.Handlers); err != nil {
			return fmt.Errorf("handlers: %w", err)
		}
	}
	for _, account := range []struct {
		key, name string
		id        func(string) (uint32, error)
	}{
		{"socket.owner", c.Socket.Owner, config.UserID}, {"socket.group", c.Socket.Group, config.GroupID},
		{"admin.owner", c.Admin.Owner, config.UserID}, {"admin.group", c.Admin.Group, config.GroupID},
	} {
		if account.name == "" {
			continue
		}
		if _, err := account.id(account.name); err != nil {
			return fmt.Errorf("%s: %q: %w", account.key, account.name, err)
		}
	}
	return nil
}
