package route

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nvsess/nvsess/internal/session"
)

// A backend is asked for exactly what the client asked for.
func TestProxyKeepsTheTarget(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) })
	s := start(t, Options{Routes: []Route{{Path: "/api/*", Proxy: backend + ":/base"}, {Path: "/*", Proxy: backend}}})
	for asked, want := range map[string]string{
		"/api/x?a=1;b=2":                       "/base/api/x?a=1;b=2",
		"/api/x?x=%zz&&=":                      "/base/api/x?x=%zz&&=",
		"/api/x?":                              "/base/api/x?",
		"/api/admin%2Fx|y":                     "/base/api/admin%2Fx|y",
		`/api/%61"<>^{}\%2f`:                   `/base/api/%61"<>^{}\%2f`,
		"/api":                                 "/base/api",
		"//evil.example/x%2Fy?z":               "//evil.example/x%2Fy?z",
		"http://example.com/api/a%2Fb|c?d;":    "/base/api/a%2Fb|c?d;",
		"http://example.com?d":                 "/?d",
		"/api/" + strings.Repeat("%2F|", 1000): "/base/api/" + strings.Repeat("%2F|", 1000),
	} {
		if resp, body := s.ask(get(asked)); resp.StatusCode != 200 || body != want {
			t.Errorf("%.60q: %d, the backend was asked for %.60q", asked, resp.StatusCode, body)
		}
	}
}

// Whatever a client sends, no field that tells a backend who it is comes from it.
func TestProxyFieldsAreOurs(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			if strings.Contains(strings.ToLower(name), "forward") || strings.Contains(strings.ToLower(name), "real") {
				fmt.Fprintf(w, "%s=%s;", name, values)
			}
		}
		fmt.Fprintf(w, "host=%s", r.Host)
	})
	untrusted := func(o *session.Options) { o.TrustedProxies = nil }
	trusted := func(o *session.Options) { o.TrustedProxies = []string{"127.0.0.1"} }
	routes := Options{Routes: []Route{{Path: "/*", Proxy: backend}}}
	for _, tt := range []struct {
		name, request string
		change        func(*session.Options)
		has, hasNot   []string
	}{
		{"underscores", get("/", "X_Forwarded_For: 6.6.6.6", "X-Forwarded_Host: evil", "x_real_ip: 6.6.6.6", "X_Forwarded-Proto: https"), untrusted,
			[]string{"X-Forwarded-For=[127.0.0.1];", "X-Forwarded-Host=[example.com];", "X-Forwarded-Proto=[http];"}, []string{"6.6.6.6", "evil", "_"}},
		{"no host", "GET / HTTP/1.0\r\n\r\n", untrusted, []string{"host=localhost", "X-Forwarded-Proto=[http];"}, []string{"X-Forwarded-Host"}},
		{"junk of a trusted proxy", get("/", `X-Forwarded-Host: e"vil`, `X-Forwarded-For: 1.2.3.4, e"vil, 5.6.7.8`), trusted,
			[]string{"X-Forwarded-Host=[example.com];", "X-Forwarded-For=[1.2.3.4, 5.6.7.8, 127.0.0.1];"}, []string{"vil"}},
		{"a list of a trusted proxy", get("/", "X-Forwarded-Host: [::1]:80, other"), trusted, []string{"X-Forwarded-Host=[[::1]:80];"}, []string{"other"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, body := start(t, routes, tt.change).ask(tt.request)
			for _, part := range tt.has {
				if !strings.Contains(body, part) {
					t.Errorf("%s has no %s", body, part)
				}
			}
			for _, part := range tt.hasNot {
				if strings.Contains(body, part) {
					t.Errorf("%s has %s", body, part)
				}
			}
		})
	}
}

// A backend that is down is counted for each request, but logged once.
func TestDeadBackendIsLoggedOnce(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	s := start(t, Options{Log: zap.New(core), Routes: []Route{
		{Path: "/dead", Proxy: "http+unix://" + t.TempDir() + "/none"}, {Path: "/other", Proxy: "http+unix://" + t.TempDir() + "/none"}, {Path: "/away", Redirect: "/"},
	}})
	w := s.dial()
	for range 100 {
		w.send(get("/dead"))
		if resp, _ := w.answer("GET"); resp.StatusCode != 502 {
			t.Fatal(resp.StatusCode)
		}
	}
	s.ask(get("/away"))
	s.ask(get("/other"))
	if n := logs.Len(); n != 2 {
		t.Errorf("%d lines of the log, want one for each route", n)
	}
	want := map[string]uint64{"2xx": 0, "3xx": 1, "4xx": 0, "5xx": 101, "aborted": 0, "proxy_failures": 101, "under_way": 0}
	eventually(t, fmt.Sprint("the counters are ", want), func() bool { return fmt.Sprint(s.sessions.Stats().HTTP) == fmt.Sprint(want) })
}

func TestBurst(t *testing.T) {
	var b burst
	for i, tt := range []struct {
		at     time.Duration
		begins bool
	}{
		{1, true}, {2, false}, {9 * time.Second, false}, {18 * time.Second, false}, {29 * time.Second, true}, {30 * time.Second, false},
	} {
		if got := b.begins(tt.at); got != tt.begins {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// What the loop answers itself says when, as net/http's answers do.
func TestAnswersHaveADate(t *testing.T) {
	s := start(t, Options{Routes: []Route{{Path: "/away", Redirect: "/"}}})
	for _, r := range []string{get("/healthz"), get("/none"), get("/ws"), get("/away"), "GET /none\r\n\r\n"} {
		resp, _ := s.ask(r)
		if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(at).Abs() > patience || len(resp.Header["Date"]) != 1 {
			t.Errorf("%.20q: %q, %v", r, resp.Header["Date"], err)
		}
	}
}
