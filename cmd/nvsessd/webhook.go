package main

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/webhook"
)

// eventVerify is the event of webhooks.events that is no kind of handler.
const eventVerify = "verify"

// webhookOptions translates the configuration.
func webhookOptions(c *config.Config, sessions *session.Server, log *zap.Logger) webhook.Options {
	w := c.Webhooks
	return webhook.Options{
		URL: c.Webhook, Sessions: sessions, Log: log, Version: versionString(),
		Timeout: w.Timeout.Std(), Retries: w.Retries, Backoff: w.Backoff.Std(), MaxBackoff: w.MaxBackoff.Std(),
		Concurrency: w.Concurrency, OpenAfter: w.OpenAfter, OpenFor: w.OpenFor.Std(), VerifyTimeout: c.Verify.Timeout.Std(),
	}
}

// startWebhook makes the webhook the handler of the events that it is to be
// told, whatever the mode says; nil: there is none. It must come before the
// first session.
func startWebhook(c *config.Config, sessions *session.Server, log *zap.Logger) (*webhook.Hook, error) {
	if c.Webhook == "" {
		return nil, nil
	}
	hook, err := webhook.New(webhookOptions(c, sessions, log))
	if err != nil {
		return nil, err
	}
	sessions.AddBackend(hook)
	for _, event := range c.Webhooks.Events {
		if event == eventVerify {
			sessions.SetVerifier(hook.Name(), hook)
			continue
		}
		k, err := session.ParseKind(event)
		if err == nil {
			err = sessions.SetHandler(k, hook.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("webhooks.events: %w", err)
		}
	}
	return hook, nil
}

// stopWebhook lets the last events go out until ctx is done. It comes after the
// last session.
func stopWebhook(ctx context.Context, hook *webhook.Hook, log *zap.Logger) {
	if hook == nil {
		return
	}
	if err := hook.Close(ctx); err != nil {
		log.Warn("the webhook did not hear of everything", zap.Error(err))
	}
}
