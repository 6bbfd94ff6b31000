package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestPrintReload(t *testing.T) {
	var dry bool
	answer := &Reloaded{File: "/etc/nvsess.toml", Changes: []Change{
		{Key: "limits.sessions", Old: "0", New: "5", Effect: "new sessions"},
		{Key: "handlers", Old: `"/h.js"`, New: `"/h.js"`, Effect: "live", Content: true},
		{Key: "mount[1]", New: "[\"/a\x1b[2J\"]", Effect: "live"},
		{Key: "route[0]", Old: `"/b"`, Effect: "live"},
		{Key: "loops", Old: "0", New: "2", Effect: "restart"},
	}}
	d := startDaemon(t, func(o *Options) {
		o.Reload = func(_ context.Context, d bool) (*Reloaded, error) {
			dry = d
			if answer == nil {
				return nil, ConfigError(errors.New("/f:1: a: wrong\x1b[2J\n/f:2: b: wrong" + strings.Repeat("\n/f:3: c", 200)))
			}
			return answer, nil
		}
	})
	run := func(line string) (string, error) {
		t.Helper()
		inv, err := ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		_, err = d.client.Do(t.Context(), inv, NewPrinter(&b), nil)
		return b.String(), err
	}
	got, err := run("reload --check")
	want := `new sessions     limits.sessions  0 -> 5
live             handlers         "/h.js" has other content
live             mount[1]         added ["/a\x1b[2J"]
live             route[0]         removed "/b"
needs a restart  loops            0 -> 2
4 changes applied, 1 needs a restart
`
	if got != want || err != nil || !dry {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := run("reload"); err != nil || dry {
		t.Errorf("%v, dry %t", err, dry)
	}
	answer.Changes = nil
	if got, err := run("reload"); got != "nothing has changed\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	answer = nil
	_, err = run("reload")
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeBadConfig || len(e.Problems) != 101 || e.Problems[100] != "and more" || e.Problems[1] != "/f:2: b: wrong" {
		t.Fatalf("%+v", e)
	}
	var b strings.Builder
	Explain(NewPrinter(&b), err)
	if s := b.String(); strings.Contains(s, "\x1b") || !strings.Contains(s, "\n  /f:2: b: wrong\n") {
		t.Errorf("%q", s)
	}
}
