package main

import (
	"context"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/route"
	"github.com/nvsess/nvsess/internal/session"
)

// newRoutes opens what the configuration's routes name. Nil: there are none.
// after is what they take the place of, or nil.
func newRoutes(c *config.Config, log *zap.Logger, after *route.Server) (*route.Server, error) {
	if len(c.Routes) == 0 && after == nil {
		return nil, nil
	}
	opt := route.Options{
		After: after, MaxRequests: c.HTTP.MaxRequests, MaxBodyBytes: int64(c.HTTP.MaxBodyBytes), ProxyTimeout: c.HTTP.ProxyTimeout.Std(), Log: log,
	}
	for _, r := range c.Routes {
		fields := http.Header{}
		for _, f := range r.Headers {
			name, value, _ := strings.Cut(f, ":")
			fields.Add(name, strings.TrimSpace(value))
		}
		opt.Routes = append(opt.Routes, route.Route{
			Path: r.Path, Files: r.Files, Proxy: r.Proxy, Redirect: r.Redirect, Status: r.Status, Header: fields,
		})
	}
	return route.New(opt)
}

// addRoutes makes routes part of what a server answers.
func addRoutes(opt *session.Options, routes *route.Server) {
	if routes != nil {
		opt.Routes = routes
	}
}

// stopRoutes cuts what is left when the connections are gone.
func stopRoutes(ctx context.Context, routes *route.Server, log *zap.Logger) {
	if routes == nil {
		return
	}
	if err := routes.Close(ctx); err != nil {
		log.Warn("some HTTP requests were cut", zap.Error(err))
	}
}
