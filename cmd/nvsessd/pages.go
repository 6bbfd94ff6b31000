package main

import (
	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
	"github.com/nvsess/nvsess/web"
)

// pages are what browsers are served, by path.
func pages(c *config.Config) map[string]*ws.Response {
	const javaScript = "text/javascript; charset=utf-8"
	list := map[string]*ws.Response{}
	module := session.NewPage(javaScript, web.Module())
	if dir := c.Web.ClientPath; dir != "" {
		list[dir+"nvsess.mjs"] = module
		list[dir+"bwsess.js"] = session.NewPage(javaScript, web.Script())
		list[dir+"nvsess.d.ts"] = session.NewPage("text/plain; charset=utf-8", web.Types())
	}
	if dir := c.Web.DemoPath; dir != "" {
		list[dir] = session.NewPage("text/html; charset=utf-8", web.Demo())
		list[dir+"nvsess.mjs"] = module // which the page loads from beside itself
	}
	return list
}
