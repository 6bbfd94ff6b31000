package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/route"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/webhook"
)

// A replan is another configuration about to take effect. Everything that can
// fail has been tried when it is made, but for the running of the handlers' file;
// nothing has changed.
type replan struct {
	d       *daemon
	cfg     *config.Config
	changes []config.Change

	sessions   func()
	routes     *route.Server
	cert       *tls.Certificate
	hook       *webhook.Hook // nil: none; else that of the daemon, or the first
	rehook     func()
	uids, gids []uint32
}

func (d *daemon) plan(c *config.Config, changes []config.Change) (p *replan, err error) {
	p = &replan{d: d, cfg: c, changes: changes, rehook: func() {}}
	defer func() {
		if err != nil {
			p.giveUp()
		}
	}()
	opt, err := sessionOptions(c, d.log)
	if err != nil {
		return p, err
	}
	if p.routes, err = newRoutes(c, d.log, d.routes); err != nil {
		return p, err
	}
	addRoutes(&opt, p.routes)
	if p.sessions, err = d.sessions.Reload(opt); err != nil {
		return p, err
	}
	if p.cert, err = loadPair(c); err != nil {
		return p, err
	}
	if p.uids, p.gids, err = d.operators(c); err != nil {
		return p, err
	}
	switch {
	case c.Webhook == "":
	case d.webhook == nil:
		p.hook, err = webhook.New(webhookOptions(c, d.sessions, d.log))
	default:
		p.hook = d.webhook
		p.rehook, err = d.webhook.Reload(webhookOptions(c, d.sessions, d.log))
	}
	return p, err
}

// giveUp is the end of a plan that is not carried out.
func (p *replan) giveUp() {
	if p.routes != nil {
		stopRoutes(context.Background(), p.routes, zap.NewNop())
	}
	if p.hook != nil && p.hook != p.d.webhook {
		_ = p.hook.Close(context.Background())
	}
}

// has reports whether one of the keys has changed.
func (p *replan) has(keys ...string) bool {
	return slices.ContainsFunc(p.changes, func(c config.Change) bool { return c.Effect != config.Restart && slices.Contains(keys, c.Key) })
}

// carryOut puts it in effect: first what may fail, after which nothing has
// changed.
func (p *replan) carryOut() error {
	d, old := p.d, p.d.config()
	d.reloads.commit <- struct{}{}
	defer func() { <-d.reloads.commit }()
	if d.reloads.ctx.Err() != nil {
		return errStopping
	}
	if len(p.changes) == 0 {
		p.giveUp()
		return nil
	}
	undo := d.script.Reload(d.scriptOptions(p.cfg)) // the file is to find its own limits
	if err := p.loadHandlers(); err != nil {
		undo()
		return err
	}
	if p.has("log.level") {
		_ = d.configuredLevel.UnmarshalText([]byte(p.cfg.Log.Level)) // valid
		d.level.SetLevel(d.configuredLevel.Level())
		d.keeping.note()
	}
	d.cfg.Store(p.cfg)
	if p.cert != nil {
		d.cert.pair.Store(p.cert)
	}
	p.sessions()
	p.rehook()
	p.setWebhook(old)
	d.admin.SetAccess(p.uids, p.gids, !p.cfg.Script.Console)
	if before := d.routes; before != nil {
		// No loop knows it any more; what it has been lent it gives back.
		d.serving.Go(func() { stopRoutes(d.reloads.former, before, d.log) })
	}
	d.routes = p.routes
	return nil
}

// loadHandlers runs the file if it is another one, or has changed.
func (p *replan) loadHandlers() (err error) {
	if !p.has("handlers") {
		return nil
	}
	e, ctx := p.d.script, p.d.reloads.ctx
	if p.cfg.Handlers == "" {
		err = e.Unload(ctx)
	} else {
		err = e.Load(ctx, p.cfg.Handlers)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errStopping
	}
	return fmt.Errorf("handlers: %w", err)
}

// setWebhook makes the webhook the handler of what it is to be told now, and of
// nothing else. A kind that it was told before is left to who has it since.
func (p *replan) setWebhook(old *config.Config) {
	d := p.d
	var before, after []string
	if old.Webhook != "" {
		before = old.Webhooks.Events
	}
	if p.cfg.Webhook != "" {
		after = p.cfg.Webhooks.Events
	}
	switch {
	case p.hook == nil && d.webhook != nil && old.Webhook != "":
		d.sessions.RemoveBackend(d.webhook)
	case p.hook != nil && old.Webhook == "":
		d.sessions.AddBackend(p.hook)
	}
	if p.hook != nil {
		d.webhook = p.hook
		d.telling.webhook.Store(p.hook)
	}
	for _, event := range before {
		if slices.Contains(after, event) {
			continue
		}
		if event == eventVerify {
			d.sessions.SetVerifier(d.webhook.Name(), nil)
		} else if k, err := session.ParseKind(event); err == nil {
			d.sessions.ResetHandler(k, d.webhook.Name())
		}
	}
	for _, event := range after {
		if slices.Contains(before, event) {
			continue
		}
		if event == eventVerify {
			d.sessions.SetVerifier(d.webhook.Name(), d.webhook)
		} else if k, err := session.ParseKind(event); err == nil && !d.scripted(k) {
			_ = d.sessions.SetHandler(k, d.webhook.Name())
		}
	}
}

// scripted reports whether JavaScript handles a kind: it goes before the webhook,
// as at the start.
func (d *daemon) scripted(k session.Kind) bool {
	return slices.ContainsFunc(d.sessions.Handlers(), func(h session.HandlerInfo) bool { return h.Kind == k && h.Name == d.script.Name() })
}
