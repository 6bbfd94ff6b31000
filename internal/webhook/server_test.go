package webhook

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// An app is a web server that is told events.
type app struct {
	url    string
	events chan told // as they come; the server waits when it is full

	mu    sync.Mutex // guards what follows
	conns int        // connections accepted
}

// told is an event as the server sees it, and its request.
type told struct {
	Event, ID string
	Attempt   int
	Time      string
	Session   *struct {
		ID, Remote, Protocol string
		OpenedAt             string `json:"opened_at"`
	}
	Request   map[string]any
	RequestID string `json:"request_id"`
	Data      json.RawMessage
	Text      *string
	Base64    *[]byte
	Code      *int
	Reason    *string
	ByClient  *bool `json:"by_client"`
	Clean     *bool

	raw  string
	http *http.Request
}

// A reply answers an event.
type reply func(w http.ResponseWriter, e told)

// onUnix runs an app on a unix socket until the test ends.
func onUnix(t testing.TB, answer reply) *app {
	t.Helper()
	path := tempSocket(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, ln, "http+unix://"+path+":/hook?key=1", answer)
}

func onTCP(t testing.TB, answer reply) *app {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, ln, "http://"+ln.Addr().String()+"/hook?key=1", answer)
}

func serve(t testing.TB, ln net.Listener, url string, answer reply) *app {
	a := &app{url: url, events: make(chan told, 100_000)}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the hook has gone
			}
			e := told{raw: string(body), http: r}
			if err := json.Unmarshal(body, &e); err != nil {
				t.Errorf("%v in %s", err, body)
			}
			a.events <- e
			if answer != nil {
				answer(w, e)
			}
		}),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				a.mu.Lock()
				a.conns++
				a.mu.Unlock()
			}
		},
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return a
}

// next waits for an event.
func (a *app) next(t testing.TB) told {
	t.Helper()
	return receive(t, "an event", a.events)
}

func (a *app) connections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns
}

// say answers with a status and JSON.
func say(status int, body string) reply {
	return func(w http.ResponseWriter, _ told) {
		if body != "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
