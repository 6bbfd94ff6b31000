package webhook

import (
	"errors"
	"io"
	"log"
	"testing"
)

func TestAddress(t *testing.T) {
	for raw, want := range map[string]address{
		"http://a":                            {"http://a/", ""},
		"http://a:81?x=1":                     {"http://a:81/?x=1", ""},
		"https://[::1]:8/b/c%2Fd":             {"https://[::1]:8/b/c%2Fd", ""},
		"http+unix:///run/app.sock":           {"http://localhost/", "/run/app.sock"},
		"http+unix:///run/app.sock:/":         {"http://localhost/", "/run/app.sock"},
		"http+unix:///run/app.sock?x=1":       {"http://localhost/?x=1", "/run/app.sock"},
		"http+unix:///run/app.sock:/a:b?x=1":  {"http://localhost/a:b?x=1", "/run/app.sock"},
		"http+unix:///run/a%20b%3Ac:/d%2Fe":   {"http://localhost/d%2Fe", "/run/a b:c"},
		"http+unix:///run/a%3Ab/ö:/d e":       {"http://localhost/d e", "/run/a:b/ö"},
		"http+unix:///run/app.sock:/hook/%C3": {"http://localhost/hook/%C3", "/run/app.sock"},
	} {
		if got, err := parseAddress(raw); err != nil || got != want {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{
		"", "/run/app.sock", "ftp://a/", "http:///x", "http:a", "http://u:p@a/", "http://a/#x", "http+unix://host/run/a", "http+unix:", "http+unix:///",
		"http+unix:///run/app.sock:hook", "unix:/run/app.sock", "http://a b/", "http://a:x/", "http://[fe80::1%25%5B]/",
	} {
		if got, err := parseAddress(raw); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %+v, %v", raw, got, err)
		}
	}
	if _, err := New(Options{URL: "http://a/"}); err == nil {
		t.Error("without sessions")
	}
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
