package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestReloadOfTheDaemon(t *testing.T) {
	t.Parallel()
	takesEffect(t, map[string]func(t *testing.T){
		"http.health_path, web": func(t *testing.T) {
			c := changing(t, "")
			c.gets(200, "/healthz")
			c.gets(200, "/nvsess/nvsess.mjs")
			c.becomes("[http]\nhealth_path = \"/up\"\n[web]\nclient_path = \"\"\ndemo_path = \"/demo/\"\n", "http.health_path live", "web.client_path live", "web.demo_path live")
			c.gets(200, "/up")
			c.gets(200, "/demo/")
			for _, path := range []string{"/healthz", "/nvsess/nvsess.mjs"} {
				if status, _ := c.get(path); status == 200 {
					t.Errorf("%s is still there", path)
				}
			}
		},
		"route": func(t *testing.T) {
			dir, _ := webRoot(t)
			route := func(key, value string) string {
				return fmt.Sprintf("[[route]]\npath = \"/w/*\"\n%s = %q\n", key, value)
			}
			c := changing(t, "")
			c.becomes(route("files", dir), "route[0] live")
			if status, body := c.get("/w/index.html"); status != 200 || body != "<p>page" {
				t.Errorf("%d %s", status, body)
			}
			c.becomes(route("redirect", "/elsewhere/*"), "route[0].files live", "route[0].redirect live")
			c.gets(302, "/w/x")
			if n := c.stats().HTTP; n["2xx"] != 1 || n["3xx"] != 1 {
				t.Errorf("the counters: %v", n)
			}
			c.refuses(route("files", filepath.Join(dir, "nowhere")), "route")
			c.gets(302, "/w/x")
			c.becomes("", "route[0] live")
			if status, _ := c.get("/w/x"); status == 302 {
				t.Error("the route is still there")
			}
		},
		"shutdown.delay": func(t *testing.T) {
			c := changing(t, "[shutdown]\ndelay = \"10m\"\n")
			c.becomes("", "shutdown.delay live")
			c.Signal(os.Interrupt)
			c.Ends(0)
		},
		"log.level": func(t *testing.T) {
			c := changing(t, "[handshake]\ntimeout = \"1s\"\n")
			c.becomes("[log]\nlevel = \"debug\"\n", "handshake.timeout new sessions", "log.level live")
			visit(t, c.url("/"))
			c.Logged("session opened")
		},
	})
}
