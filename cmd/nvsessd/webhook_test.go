package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/client"
)

// The daemon tells the webhook of what is configured, before anything else can
// happen and until the last session's end.
func TestWebhook(t *testing.T) {
	t.Parallel()
	sock := filepath.Join(t.TempDir(), "app.sock")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 100)
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Event, Text string
			Request     struct{ Resource string }
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		events <- strings.TrimSpace(e.Event + " " + e.Text)
		w.Header().Set("Content-Type", "application/json")
		switch e.Event {
		case "verify":
			fmt.Fprintf(w, `{"accept":%t}`, e.Request.Resource == "/friend")
		case "string":
			fmt.Fprintf(w, `{"reply_text":%q}`, "heard "+e.Text)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	t.Cleanup(func() { app.Close(); <-served })

	conf := fmt.Sprintf("mode = \"echo\"\nwebhook = \"http+unix://%s:/hook\"\n[webhooks]\nevents = [\"verify\", \"open\", \"string\", \"close\"]\n", sock)
	p := launch(t, configured(t, conf))
	p.Logged("ready")
	var refused *client.HandshakeError
	if _, err := client.Dial(t.Context(), "ws+unix://"+p.socket("nvsess.sock")+":/foe"); !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("a foe: %v", err)
	}
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock")+":/friend")
	g.say(t, "hello")
	g.hears(t, "heard hello")
	g.say(t, `{"json":"is not among the events"}`)
	g.hears(t, `{"json":"is not among the events"}`)
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	close(events)
	var got []string
	for e := range events {
		got = append(got, e)
	}
	if s := strings.Join(got, ", "); s != "verify, verify, open, string hello, close" {
		t.Errorf("it was told %s", s)
	}
	if strings.Contains(p.Said(), `"level":"warn"`) {
		t.Errorf("the daemon said: %s", p.Said())
	}
}

// A webhook that hangs does not keep the daemon from ending.
func TestWebhookHangsAtTheEnd(t *testing.T) {
	t.Parallel()
	sock := filepath.Join(t.TempDir(), "app.sock")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // connections are taken by the kernel, and nobody answers
	conf := fmt.Sprintf("webhook = \"http+unix://%s\"\n[webhooks]\nevents = [\"close\"]\n[shutdown]\ndeadline = \"300ms\"\n", sock)
	p := launch(t, configured(t, conf))
	p.Logged("ready")
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	if l := p.Logged("the webhook did not hear of everything"); !strings.Contains(l.Error, "1 events were dropped") {
		t.Errorf("%+v", l)
	}
	p.Ends(0)
}
