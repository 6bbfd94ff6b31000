package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/session"
)

// start makes everything, and takes over what the process before has left; nil:
// there was none.
func (d *daemon) start(from *takenState) (err error) {
	defer func() {
		if err != nil && d.script != nil {
			err = errors.Join(err, d.script.Close(context.Background()))
		}
		if err != nil {
			stopRoutes(context.Background(), d.routes, d.log)
			d.stopMetrics(context.Background())
		}
	}()
	cfg := d.config()
	d.reloads.begin(cfg)
	pair, err := loadPair(cfg)
	if err != nil {
		return err
	}
	d.cert.pair.Store(pair)
	listeners := d.sockets.listeners(d.cert.config())
	opt, err := sessionOptions(cfg, d.log)
	if err != nil {
		return err
	}
	if d.routes, err = newRoutes(cfg, d.log, nil); err != nil {
		return err
	}
	addRoutes(&opt, d.routes)
	if d.keeping != nil {
		opt.WS.Store = d.keeping.store
	}
	if d.sessions, err = session.NewServer(opt); err != nil {
		return err
	}
	if d.webhook, err = startWebhook(cfg, d.sessions, d.log); err != nil {
		return err
	}
	if err := d.startScript(from); err != nil {
		return err
	}
	if err := without(from, d.log, "the address for metrics", d.openMetrics()); err != nil {
		return err
	}
	uids, gids, err := d.operators(cfg)
	if err != nil {
		return err
	}
	d.admin = admin.NewServer(admin.Options{
		Sessions: d.sessions, Log: d.log, Version: versionString(),
		Config:     func() any { return d.effective() },
		LogLost:    d.lines.Lost,
		Metrics:    d.telling.handler,
		DrainDelay: func() time.Duration { return d.config().Shutdown.Delay.Std() },
		LogLevel:   func() string { return d.level.String() },
		SetLogLevel: func(s string) error {
			defer d.keeping.note()
			return d.level.UnmarshalText([]byte(s))
		},
		Script: newConsole(d.script), NoConsole: !cfg.Script.Console,
		Reload:  d.reload,
		Upgrade: d.askUpgrade, Upgraded: d.lastUpgrade,
		AllowUIDs: uids, AllowGIDs: gids,
	})
	d.adminErr, d.missing = make(chan error, 1), map[string]string{}
	var operators []net.Listener
	for _, s := range d.sockets.admin {
		ln, err := s.NetListener()
		if err != nil {
			closeAll(operators)
			return err
		}
		operators = append(operators, ln)
	}
	calls, callers, err := d.takeOver(from)
	if err != nil {
		closeAll(operators)
		return err
	}
	if d.keeping != nil {
		d.keeping.store.DropState() // which is untrue from here on
	}
	if err := d.sessions.Start(append(listeners, d.sockets.takeEarly()...)); err != nil {
		closeAll(operators)
		return fmt.Errorf("cannot start the event loops: %w", err)
	}
	d.startMetrics()
	d.sockets.closeSpare(d.log)
	d.sessions.StartHandlers()
	d.goOnWithCalls(calls)
	d.goOnWithCallers(callers)
	d.watchSettings()
	for i, ln := range operators {
		d.serveOperators(d.sockets.admin[i], ln)
	}
	return nil
}

// operators are who may call, by number.
func (d *daemon) operators(c *config.Config) (uids, gids []uint32, err error) {
	if uids, gids, err = c.Admin.Allowed(); err != nil {
		return nil, nil, err
	}
	// Whom the socket's group lets in by its mode, the daemon lets in, too.
	groups, err := d.sockets.adminGroups()
	return uids, append(gids, groups...), err
}

func closeAll(list []net.Listener) {
	for _, ln := range list {
		_ = ln.Close()
	}
}

// serveOperators answers on a socket for as long as it is open.
func (d *daemon) serveOperators(sock *listen.Socket, ln net.Listener) {
	d.sockets.operators[sock] = ln
	d.serving.Go(func() {
		if err := d.admin.Serve(ln); err != nil {
			select {
			case d.adminErr <- err:
			default: // another failed already
			}
		}
	})
}
