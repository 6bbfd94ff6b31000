package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

// evil is what a hostile peer would like to have printed.
const evil = "\x1b[2J\x1b]0;title\a\u009b31m\u202etxt.exe\x7f\r\n\x00\U000e0041"

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 日本 😀 👨‍👩‍👧": "plain ä 日本 😀 👨‍👩‍👧",
		"\x1b[31m":   `\x1b[31m`,
		"a\nb\tc\r":  `a\nb\tc\r`,
		"\u009b2J":   `\u009b2J`,
		"\u202eabc":  `\u202eabc`,
		"\xff\xfe":   `\xff\xfe`,
		"\U000e0041": `\U000e0041`,
		"\uFFFD":     "\uFFFD",
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzEscapeJSON: what is shown is harmless, and the value it was.
func FuzzEscapeJSON(f *testing.F) {
	f.Add(evil)
	f.Add("\xff")
	// As raw as JSON allows.
	f.Add("\r\n{\"\u009b2J\" :\t[1e999,\"\\ud83d\U000e0041\u202e\u007f\xff\\\\\"]}")
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		checkEscaped(t, raw)
		if json.Valid([]byte(s)) {
			checkEscaped(t, []byte(s))
		}
	})
}

func checkEscaped(t *testing.T, raw []byte) {
	t.Helper()
	shown := EscapeJSON(raw)
	for _, r := range string(shown) {
		if !harmless(r) && r != '\n' && r != '\t' { // which stand between tokens
			t.Fatalf("%q is shown as %q", raw, shown)
		}
	}
	value := func(text []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return v
	}
	if before, after := value(raw), value(shown); !reflect.DeepEqual(before, after) {
		t.Fatalf("%q became %q", before, after)
	}
}

// checkShown fails when what was printed could do something to a terminal.
func checkShown(t *testing.T, what, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("%s printed what is not UTF-8: %q", what, out)
	}
	for _, r := range out {
		if r != '\n' && !harmless(r) {
			t.Errorf("%s printed %q:\n%q", what, r, out)
			return
		}
	}
}

// A peer's text comes to the screen by many ways; none lets it through.
func TestNothingOfAPeerReachesTheTerminal(t *testing.T) {
	d := startDaemon(t, nil)
	header := http.Header{"User-Agent": {"x\u009b31m\u202e"}, "Cookie": {"sid=\u009b2J"}}
	p := d.connect("/p%1b?q=%1b%5b2J%0a%e2%80%ae%c2%9b&%c2%9b=1", gobwas.HandshakeHeaderHTTP(header))
	for _, line := range []string{
		"sesses", "sesses -l", "sesses --json", "fst_sess", "sess_filter path~.", "sess_filter -l path~.", "rgx_sess_filter .",
		"rgx_sess_filter --json .", "stats", "handlers",
	} {
		checkShown(t, line, d.must(line))
	}
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`send_jrr_sreq fst 1`, `send_jrr_sreq --json fst 1`, `jbroadcast_until_all_client_reply 1`, `jbroadcast_until_any_client_reply --json 1`} {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			// As raw as JSON allows: C1 controls and direction marks need no escaping in it.
			p.answer("\r\n{\"\u009b2J\" :" + string(quoted) + ",\"b\":\"\u202e\u009b\u007f\"}")
		}()
		checkShown(t, line, d.must(line))
		<-answered
	}
	_, err = d.call("close fst 1000 " + strings.Repeat(evil, 9))
	checkExplained(t, err)
	_, err = d.call("get_sess " + "nobody\u009b2J")
	checkExplained(t, err)
	for _, e := range []*Event{
		{Type: "open", Session: evil, Remote: evil},
		{Type: "close", Session: evil, Reason: evil},
		{Type: "message", Session: evil, Direction: "in", Kind: "string", Text: evil, Size: 5},
		{Type: "message", Session: evil, Direction: evil, Kind: evil, Text: evil, Size: 5},
		{Type: evil, Session: evil, Kind: "json", Text: `{"a": "` + "\u009b" + `"}`, Size: 5, Truncated: true},
		{Type: "message", Kind: "binary", Base64: evil},
	} {
		var out strings.Builder
		printer := NewPrinter(&out)
		printer.Color = true
		if err := printEvent(printer, nil, &Line{Event: e}); err != nil {
			t.Error(err)
		}
		for _, style := range []Style{reset, Bold, Dim, Red, Green, Yellow, Cyan} {
			s := strings.ReplaceAll(out.String(), string(style), "")
			out.Reset()
			out.WriteString(s)
		}
		checkShown(t, "an event", out.String())
		if strings.Count(out.String(), "\n") != 1 {
			t.Errorf("an event is one line: %q", out.String())
		}
	}
	checkShown(t, "the log", d.log.String())
}

func checkExplained(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("this should have failed")
		return
	}
	var out strings.Builder
	Explain(NewPrinter(&out), err)
	checkShown(t, "an error", out.String())
	checkShown(t, "an error as JSON", string(ErrorJSON(err)))
}
