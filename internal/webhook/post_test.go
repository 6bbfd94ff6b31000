package webhook

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/session"
)

// An attempt that fails for want of an answer is made again, with the same id
// and data, and the next number.
func TestRetries(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 599} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			a := onUnix(t, func(w http.ResponseWriter, e told) {
				if e.Attempt < 3 {
					w.WriteHeader(status)
					return
				}
				say(200, `{"reply_text":"at last"}`)(w, e)
			})
			h := start(t, a.url, []string{"string"}, func(o *Options) { o.Retries = 2 })
			p := h.dial(t)
			p.text("x")
			p.want(gobwas.OpText, "at last")
			one, two, three := a.next(t), a.next(t), a.next(t)
			if one.Attempt != 1 || two.Attempt != 2 || three.Attempt != 3 {
				t.Errorf("%d %d %d", one.Attempt, two.Attempt, three.Attempt)
			}
			if same(one.raw) != same(two.raw) || same(one.raw) != same(three.raw) {
				t.Errorf("%s\n%s\n%s", one.raw, two.raw, three.raw)
			}
			if st := h.hook.Stats(); st.Retries != 2 || st.Failed != 0 || a.connections() != 1 {
				t.Errorf("%+v on %d connections", st, a.connections())
			}
		})
	}
}

// same is a body without the number of the attempt.
func same(raw string) string { _, rest, _ := strings.Cut(raw, ","); return rest }

// Attempts end; the session's next event goes on, and one failure is counted.
func TestRetriesEnd(t *testing.T) {
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		if *e.Text == "bad" {
			w.WriteHeader(500)
		}
	})
	h := start(t, a.url, []string{"string"}, func(o *Options) { o.Retries = 3 })
	p := h.dial(t)
	p.text("bad")
	p.text("good")
	eventually(t, "both are done", func() bool { return h.hook.Stats().Handled == 2 })
	for i := range 4 {
		if e := a.next(t); e.Attempt != i+1 || *e.Text != "bad" {
			t.Errorf("%s", e.raw)
		}
	}
	if e := a.next(t); e.Attempt != 1 || *e.Text != "good" {
		t.Errorf("%s", e.raw)
	}
	r := h.hook.Report(session.KindString)
	if r.Errors != 1 || r.Timeouts != 0 || r.Last != "it answered 500 Internal Server Error" || h.hook.Stats().Open {
		t.Errorf("%+v", r)
	}
	if d := h.hook.Attempts(); d.Count() != 5 || d.Sum == 0 {
		t.Errorf("%d attempts took %v", d.Count(), d.Sum)
	}
}

// Any other status is an answer, and not asked for again; nobody is redirected.
func TestNoRetries(t *testing.T) {
	elsewhere := onTCP(t, nil)
	for _, status := range []int{300, 301, 307, 308, 304, 400, 401, 403, 404, 408, 413, 422} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			a := onUnix(t, func(w http.ResponseWriter, e told) {
				w.Header().Set("Location", elsewhere.url)
				w.Header().Set("Retry-After", "1")
				say(status, "")(w, e)
			})
			h := start(t, a.url, []string{"string"}, func(o *Options) { o.Retries, o.OpenAfter = 5, 1 })
			p := h.dial(t)
			p.text("x")
			eventually(t, "it has failed", func() bool { return h.hook.Stats().Failed == 1 })
			if r := h.hook.Report(session.KindString); !strings.Contains(r.Last, fmt.Sprint(status)) || len(a.events) != 1 || h.hook.Stats().Open {
				t.Errorf("%+v, %d requests", r, len(a.events))
			}
			p.quiet()
		})
	}
	if len(elsewhere.events) != 0 {
		t.Error("redirected")
	}
}

// Retry-After is honoured up to the longest pause.
func TestRetryAfter(t *testing.T) {
	var last time.Time
	var waits []time.Duration
	fields := []string{"3600", "1", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "-1", "soon", ""}
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		if now := time.Now(); e.Attempt > 1 {
			waits, last = append(waits, now.Sub(last)), now
		} else {
			last = now
		}
		if e.Attempt <= len(fields) {
			w.Header().Set("Retry-After", fields[e.Attempt-1])
			w.WriteHeader(503)
		}
	})
	const most = 80 * time.Millisecond
	h := start(t, a.url, []string{"string"}, func(o *Options) { o.Retries, o.MaxBackoff = len(fields), most })
	h.dial(t).text("x")
	eventually(t, "it is done", func() bool { return h.hook.Stats().Handled == 1 })
	if st := h.hook.Stats(); st.Failed != 0 || len(waits) != len(fields) {
		t.Fatalf("%+v, waited %v", st, waits)
	}
	for i, d := range waits {
		// The pauses are 1 ms to 32 ms by themselves, or half of that.
		if asked := i < 3; asked && d < most || d > patience/2 {
			t.Errorf("%q: waited %s", fields[i], d)
		}
	}
}

func TestPause(t *testing.T) {
	h := new(Hook)
	h.set.Store(&settings{Options: Options{Backoff: 100 * time.Millisecond, MaxBackoff: time.Second}})
	for attempt, full := range map[int]time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 6: 1000, 100: 1000} {
		full *= time.Millisecond
		seen := map[time.Duration]bool{}
		for range 100 {
			d := h.pause(attempt, 0)
			if seen[d] = true; d < full/2 || d > full {
				t.Errorf("after attempt %d: %s", attempt, d)
			}
		}
		if len(seen) < 10 {
			t.Errorf("after attempt %d: always the same", attempt)
		}
	}
	if d := h.pause(1, 700*time.Millisecond); d != 700*time.Millisecond {
		t.Error(d)
	}
	if d := h.pause(1, time.Hour); d != time.Second {
		t.Error(d)
	}
}

// A raw app accepts connections and does with them what a test wants, once the
// request has been read.
func raw(t *testing.T, do func(c net.Conn)) (url string) {
	t.Helper()
	path := tempSocket(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				do(c)
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return "http+unix://" + path
}

// until waits for the other side to end the connection.
func until(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// Servers that do not answer as they should cost the event, and nothing else.
func TestBrokenServers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	junk := strings.Repeat("x", 64<<10)
	for name, c := range map[string]struct {
		do      func(c net.Conn)
		what    string
		timeout bool
		retried bool
	}{
		"closes at once":         {func(net.Conn) {}, "closed the connection", false, true},
		"dies in the head":       {func(c net.Conn) { io.WriteString(c, head) }, "closed the connection", false, true},
		"dies in the body":       {func(c net.Conn) { io.WriteString(c, head+"Content-Length: 100\r\n\r\n{\"reply\":1}") }, "closed the connection", false, true},
		"dies in a chunk":        {func(c net.Conn) { io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"rep") }, "closed the connection", false, true},
		"speaks something else":  {func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH\u009b\r\n\r\n") }, "malformed HTTP", false, true},
		"endless head":           {func(c net.Conn) { endless(c, head+"X: "+junk, junk) }, "exceed", false, true},
		"hangs":                  {until, "no answer in time", true, true},
		"hangs in the head":      {func(c net.Conn) { io.WriteString(c, head); until(c) }, "no answer in time", true, true},
		"hangs in the body":      {func(c net.Conn) { io.WriteString(c, head+"Content-Length: 100\r\n\r\n{"); until(c) }, "no answer in time", true, true},
		"hangs in a body of 404": {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n"); until(c) }, "404", false, false},
		"sends 100 MB":           {func(c net.Conn) { endless(c, head+"Content-Length: 104857600\r\n\r\n", junk) }, "longer than", false, false},
		"sends endless chunks":   {func(c net.Conn) { endless(c, head+"Transfer-Encoding: chunked\r\n\r\n", "10000\r\n"+junk+"\r\n") }, "longer than", false, false},
		"compresses": {func(c net.Conn) {
			io.WriteString(c, head+"Content-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8b\x08")
		}, "not UTF-8", false, false},
		"switches protocols": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		}, "101", false, false},
		"answers in old HTTP":     {func(c net.Conn) { io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n{\"x\":1}") }, `a field "x"`, false, false},
		"answers 100 and no more": {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") }, "closed the connection", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := patience
			if strings.HasPrefix(name, "hangs") {
				limit = 200 * time.Millisecond
			}
			h := start(t, raw(t, c.do), []string{"string"}, func(o *Options) { o.Retries, o.Timeout = 1, limit })
			p := h.dial(t)
			p.text("x")
			eventually(t, "it has failed", func() bool { return h.hook.Stats().Failed == 1 })
			p.quiet()
			r, st := h.hook.Report(session.KindString), h.hook.Stats()
			if !strings.Contains(r.Last, c.what) || (r.Timeouts == 1) != c.timeout || (st.Retries == 1) != c.retried {
				t.Errorf("%+v, %+v", r, st)
			}
			if strings.Contains(h.log.String(), "\u009b") {
				t.Errorf("log: %s", h.log)
			}
		})
	}
}

// endless writes until the other side has had enough.
func endless(c net.Conn, head, again string) {
	_, err := io.WriteString(c, head)
	for err == nil {
		_, err = io.WriteString(c, again)
	}
}

func TestNobodyThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	for url, what := range map[string]string{
		"http+unix://" + tempSocket(t):     "no such file",
		"http://" + ln.Addr().String():     "connection refused",
		"http://nowhere.invalid/":          "nowhere.invalid",
		"https://" + ln.Addr().String():    "connection refused",
		"http+unix:///etc/passwd:/x?y=1#":  "connection refused",
		"http+unix:///proc/nobody/app.soc": "no such file",
	} {
		h := start(t, url, []string{"string"}, func(o *Options) { o.Retries = 1 })
		h.dial(t).text("x")
		eventually(t, "it has failed", func() bool { return h.hook.Stats().Failed == 1 })
		if r := h.hook.Report(session.KindString); !strings.Contains(r.Last, what) || strings.Contains(r.Last, "Post") || h.hook.Stats().Retries != 1 {
			t.Errorf("%s: %+v", url, r)
		}
	}
}

// A certificate is checked.
func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.ProtoMajor != 1 {
			t.Errorf("%s", r.Proto)
		}
		say(200, `{"reply_text":"safe"}`)(w, told{})
	}))
	srv.Config.ErrorLog = discardLog()
	srv.StartTLS()
	defer srv.Close()

	h := start(t, srv.URL, []string{"string"})
	p := h.dial(t)
	p.text("x")
	eventually(t, "it has failed", func() bool { return h.hook.Stats().Failed == 1 })
	if r := h.hook.Report(session.KindString); !strings.Contains(r.Last, "certificate") {
		t.Errorf("%+v", r)
	}
	p.quiet()

	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	h = start(t, srv.URL, []string{"string"}, func(o *Options) { o.TLS = &tls.Config{RootCAs: pool} })
	p = h.dial(t)
	p.text("x")
	p.want(gobwas.OpText, "safe")
}

// The deadline of a handshake covers its attempts and its waiting.
func TestVerifyTakesTooLong(t *testing.T) {
	a := onUnix(t, func(w http.ResponseWriter, e told) {
		if e.Request["resource"] == "/hang" {
			<-e.http.Context().Done()
			return
		}
		w.WriteHeader(500)
	})
	h := start(t, a.url, []string{"verify"}, func(o *Options) {
		o.VerifyTimeout, o.Retries, o.Concurrency, o.Backoff, o.MaxBackoff = 100*time.Millisecond, 100, 1, time.Hour, time.Hour
	})
	if n := h.refused(t, "/500"); n != 503 { // no time for a retry
		t.Error(n)
	}
	status := make(chan int, 2)
	go func() { status <- h.refused(t, "/hang") }()
	a.next(t)
	a.next(t)
	go func() { status <- h.refused(t, "/behind") }()
	for range 2 {
		if n := receive(t, "the refusal", status); n != 503 {
			t.Error(n)
		}
	}
	if r := h.hook.VerifyReport(); r.Errors != 3 || r.Timeouts < 1 || h.hook.Stats().Retries != 0 {
		t.Errorf("%+v", r)
	}
}
