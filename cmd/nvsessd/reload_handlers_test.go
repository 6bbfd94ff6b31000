package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/admin"
)

// What a script may changes for those that run.
func TestReloadOfScripts(t *testing.T) {
	t.Parallel()
	c := changing(t, "")
	o := command(t, c.process)
	if _, _, err := o.js(t.Context(), `await fetch("http://127.0.0.1:1/")`); err == nil || !strings.Contains(err.Error(), "may not use the network") {
		t.Errorf("%v", err)
	}
	c.becomes("[script]\nfetch = [\"127.0.0.1:1\"]\ncpu_limit = \"100ms\"\n", "script.cpu_limit live", "script.fetch live")
	if _, _, err := o.js(t.Context(), `await fetch("http://127.0.0.1:1/")`); err == nil || strings.Contains(err.Error(), "may not use the network") {
		t.Errorf("%v", err)
	}
	o.mustJS(`srv.regis_$str_handle$(() => { for (;;); })`)
	visit(t, c.url("/")).say(t, "x")
	eventually(t, "the handler is ended", func() bool {
		raw, err := o.call("handlers", nil)
		return err == nil && strings.Contains(string(raw), "took more than 100ms of processor time")
	})
	c.becomes("[script]\nconsole = false\n", "script.console live", "script.cpu_limit live", "script.fetch live")
	if _, _, err := o.js(t.Context(), `1`); err == nil || !strings.Contains(err.Error(), "script.console") {
		t.Errorf("%v", err)
	}
}

// The webhook comes, moves, is told of other events, and goes.
func TestReloadOfTheWebhook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	app := func(name string) string {
		sock := filepath.Join(dir, name)
		ln, err := net.Listen("unix", sock)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"reply_text":%q}`, "from "+name)
		})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ln) }()
		t.Cleanup(func() { srv.Close(); <-served })
		return fmt.Sprintf("webhook = \"http+unix://%s:/hook?key=hush\"\n", sock)
	}
	a, b := app("a"), app("b")
	const events = "[webhooks]\nevents = [%s]\n"
	c := changing(t, echoing)
	g := visit(t, c.url("/"))
	hears := func(want string) {
		t.Helper()
		g.say(t, "x")
		g.hears(t, want)
	}
	hears("x")
	c.becomes(echoing+a+fmt.Sprintf(events, `"string"`), "webhook live", "webhooks.events live")
	hears("from a")
	c.becomes(echoing+b+fmt.Sprintf(events, `"string"`), "webhook live")
	hears("from b")
	c.becomes(echoing+b+fmt.Sprintf(events, `"json"`), "webhooks.events live")
	hears("x") // as the mode says
	g.say(t, "{}")
	g.hears(t, "from b")
	c.becomes(echoing, "webhook live", "webhooks.events live")
	g.say(t, "{}")
	g.hears(t, "{}")
	c.becomes(echoing+a+fmt.Sprintf(events, `"string"`), "webhook live", "webhooks.events live")
	hears("from a")
	// Of a webhook that was not there at the start the metrics tell, too.
	if _, text := fetch(t, overSocket(c.process), "GET", "http://nvsessd/metrics", nil); !strings.Contains(string(text), `nvsess_webhook_events_total{outcome="handled"} 4`) {
		t.Errorf("the metrics tell nothing of the webhook: %s", text)
	}
	if strings.Contains(c.Said(), "hush") {
		t.Error("the query's value is in the log")
	}
}

func TestReloadOfHandlers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("handlers = %q\n", path)
	}
	saying := func(what string) string { return fmt.Sprintf("srv.regis_$str_handle$((s, c) => c.ssend(%q))", what) }
	c := changing(t, echoing)
	g := visit(t, c.url("/"))
	hears := func(want string) {
		t.Helper()
		g.say(t, "x")
		g.hears(t, want)
	}
	conf := file("a.js", saying("a"))
	c.becomes(echoing+conf, "handlers live")
	hears("a")
	file("a.js", saying("a2"))
	hears("a")
	c.becomes(echoing+conf, "handlers live content")
	hears("a2")
	c.becomes(echoing + conf) // it is not run again
	// One that does not compile, throws, or is none, along with another change.
	const more = "[http]\nhealth_path = \"/up\"\n"
	for what, problem := range map[string]string{"} {": "a.js:1:3: SyntaxError", saying("a3") + "\nthrow new Error('no')": "a.js:2:7: Error: no"} {
		file("a.js", what)
		c.write(echoing + conf + more)
		_, err := c.tries(nil)
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != admin.CodeBadConfig || len(e.Problems) != 1 || !strings.Contains(e.Problems[0], "handlers: "+problem) {
			t.Errorf("%+v", err)
		}
		hears("a2")
		c.gets(200, "/healthz")
	}
	conf = file("b.js", saying("b"))
	c.becomes(echoing+conf+more, "handlers live", "http.health_path live")
	hears("b")
	c.gets(200, "/up")
	c.becomes(echoing, "handlers live", "http.health_path live")
	hears("x") // as the mode says
}
