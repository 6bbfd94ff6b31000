package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// A webhook is a web server that handles messages. It is slow now and then, fails,
// hangs, dies and comes back; it says the same when it is asked the same again.
type webhook struct {
	run    *phase
	socket string
	server *http.Server
	served chan struct{} // closed when server has ended
	died   int
	told   ledger

	mu       sync.Mutex // guards what follows
	dice     *rand.Rand
	visits   map[string]*visit // by session
	refused  uint64            // events
	repeated int               // told again by another process
	replies  []key             // that the daemon was told to send in this round
}

// A visit is a session as the web server knows it. It has one event at a time.
type visit struct {
	event    string         // the last one's id
	what     string         // what it was, whatever its id
	attempts map[string]int // the latest of each event, by its id
	epoch    uint64         // upgrades that were over
	answer   hookAnswer
	brings   []key  // what is sent when it is done as answered
	seq      uint64 // of the last message
	over     bool
}

type hookAnswer struct {
	status int
	body   any
}

// A hookEvent is what the daemon tells.
type hookEvent struct {
	Attempt   int
	Event, ID string
	Session   struct{ ID string }
	RequestID string `json:"request_id"`
	Text      string
	Data      json.RawMessage
	Base64    []byte
	Code      int
}

func newWebhook(dir string) (handlers, error) {
	return &webhook{socket: filepath.Join(dir, "hook"), told: newLedger("the webhook"), visits: map[string]*visit{}}, nil
}

// attach begins to serve.
func (h *webhook) attach(p *phase) {
	h.run, h.dice = p, p.derive(p.rng.Uint64())
	h.serve()
}

// configuration lets an event be told again and again until it is answered, for
// then none may be lost.
func (h *webhook) configuration() string {
	return fmt.Sprintf(`
webhook = "http+unix://%s:/hook"
webhooks = {events = ["verify", "open", "string", "json", "binary", "creq", "close"], timeout = "3s", retries = 100, backoff = "20ms", max_backoff = "1s", concurrency = 16, open_after = 1000000}
verify.timeout = "1m"
`, h.socket)
}

func (h *webhook) serve() {
	ln, err := net.Listen("unix", h.socket)
	if err != nil {
		h.run.fault("%v", err)
		return
	}
	h.server, h.served = &http.Server{Handler: h}, make(chan struct{})
	go func(server *http.Server, served chan struct{}) {
		defer close(served)
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			h.run.fault("the web server: %v", err)
		}
	}(h.server, h.served)
}

// end cuts all connections, and removes the socket.
func (h *webhook) end() {
	_ = h.server.Close() // the listener's error says nothing that matters
	<-h.served
}

func (h *webhook) random(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dice.IntN(n)
}

// disturb lets the web server die, and come back.
func (h *webhook) disturb(ctx context.Context) {
	h.end()
	h.died++
	pause(ctx, time.Duration(h.random(900))*time.Millisecond)
	h.serve()
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e hookEvent
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was us who died
	}
	if err := json.Unmarshal(body, &e); err != nil {
		h.run.fault("the webhook was told %.200q: %v", body, err)
		return
	}
	answer := h.decide(&e)
	switch n := h.random(1000); { // it is answered the next time
	case n < 2:
		<-r.Context().Done()
		return
	case n < 12:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case n < 20:
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"reply_text": "not all of`))
		panic(http.ErrAbortHandler)
	case n < 60:
		pause(r.Context(), time.Duration(h.random(300))*time.Millisecond)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	if answer.body != nil {
		_ = json.NewEncoder(w).Encode(answer.body) // the daemon may have gone
	}
}

// decide is what an event is answered with.
func (h *webhook) decide(e *hookEvent) hookAnswer {
	if e.Event == "verify" {
		return hookAnswer{http.StatusOK, map[string]any{"accept": true}}
	}
	id, what := e.Session.ID, fmt.Sprintf("%s %s%s%s%s", e.Event, e.Text, e.Data, e.Base64, e.RequestID)
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.visits[id]
	if v == nil {
		if e.Event != "open" {
			h.run.fault("the webhook was told of %.200q before session %s was opened", what, id)
		}
		v = &visit{attempts: map[string]int{}}
		h.visits[id] = v
	}
	latest := v.attempts[e.ID]
	v.attempts[e.ID] = max(latest, e.Attempt)
	switch {
	case v.what == what && h.run.begun.Load() > v.epoch: // maybe by another process of the daemon
		h.repeated++
		h.run.mayRepeat(v.brings)
		v.event = e.ID
		return v.answer
	case e.Attempt < latest: // the daemon did not wait for it any more
		return v.answer
	case e.Attempt == latest || v.event == e.ID && v.what != what:
		h.run.fault("the webhook was told of %.200q as attempt %d of %s, after %.200q", what, e.Attempt, e.ID, v.what)
		return v.answer
	case v.event == e.ID:
		return v.answer
	case v.what == what:
		h.run.fault("the webhook was told of %.200q twice, as %s and as %s", what, v.event, e.ID)
		return v.answer
	case v.over:
		h.run.fault("the webhook was told of %.200q after session %s was closed", what, id)
	}
	v.event, v.what, v.epoch, v.brings = e.ID, what, h.run.ended.Load(), nil
	h.answer(v, e)
	return v.answer
}

// answer decides for the first time.
func (h *webhook) answer(v *visit, e *hookEvent) {
	v.answer = hookAnswer{status: http.StatusNoContent}
	var kind int
	var field string
	var data any
	raw := e.Data
	switch e.Event {
	case "open":
		h.told.opened(e.Session.ID)
		return
	case "close":
		v.over = true
		h.told.closed(e.Session.ID, e.Code)
		return
	case "creq":
		v.answer = hookAnswer{http.StatusOK, map[string]any{"reply": e.Data}}
		return
	case "json":
		kind, field, data = kindJSON, "data", e.Data
	case "string":
		kind, field, data, raw = kindString, "text", e.Text, []byte(e.Text)
	case "binary":
		kind, field, data, raw = kindBinary, "base64", e.Base64, e.Base64
	}
	m, err := decode(kind, raw)
	switch {
	case err != nil:
		h.run.fault("the webhook was told of %.200q: %v", v.what, err)
		return
	case m.seq <= v.seq:
		h.run.fault("the webhook was told of message %d of %d after message %d", m.seq, m.from, v.seq)
	}
	v.seq = m.seq
	if m.spoilt() {
		h.refused++
		v.answer.status = http.StatusBadRequest
		return
	}
	v.brings = []key{{m.from, m.seq}}
	do := map[string]any{"broadcast": map[string]any{field: data, "except_sender": true}}
	if (m.from+int(m.seq))%3 == 0 {
		reply, k := h.run.next(hook, 100)
		h.run.sending(k, map[int]bool{m.from: true})
		v.brings = append(v.brings, k)
		h.replies = append(h.replies, k)
		do["replies"] = []any{map[string]any{"data": rawJSON(reply)}}
	}
	v.answer = hookAnswer{http.StatusOK, do}
}

// check wants as many failures counted as there were refusals. All events are
// done, and so are the answers.
func (h *webhook) check(ctx context.Context) {
	h.mu.Lock()
	refused := h.refused
	h.run.accepted(h.replies...)
	h.replies = nil
	h.mu.Unlock()
	if h.run.begun.Load() > 0 { // they are counted from 0 again
		return
	}
	if errs, timeouts, err := h.run.d.failures(ctx); err != nil || errs != refused || timeouts > 0 {
		h.run.fault("the webhook refused %d events, and the daemon counts %d that failed and %d that had no answer, %v", refused, errs, timeouts, err)
	}
}

// over compares what the webhook was told with what happened. What waits for it of
// a session that is gone does not outlive the process. The daemon's connections
// are ended, for it would keep them for seconds.
func (h *webhook) over() {
	h.end()
	h.serve()
	cut, _ := h.run.d.sum(cutOff)
	h.told.check(h.run, cut)
}

func (h *webhook) toldAgain() bool { return true }

func (h *webhook) complaint(string) bool { return false }

func (h *webhook) report() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("the webhook died %d times, refused %d events, and was told %d again after upgrades", h.died, h.refused, h.repeated)
}
