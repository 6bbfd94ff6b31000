package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// apiJSON is what a line asks of the API.
func apiJSON(t *testing.T, inv *Invocation) string {
	t.Helper()
	raw, err := marshal(inv.apiArgs(nil))
	if err != nil {
		t.Fatal(err)
	}
	return inv.Command.Name + " " + string(raw)
}

func TestParseLine(t *testing.T) {
	for line, want := range map[string]string{
		`sesses -l`:                `sesses {}`,
		`get_sess 'fst' --request`: `get_sess {"request":true,"session":"fst"}`,
		`jsend fst -- -5`:          `jsend {"data":-5,"session":"fst"}`,
		`get_sess 3`:               `get_sess {"session":"3"}`,
		`get_sess -abcd_12`:        `get_sess {"session":"-abcd_12"}`,
		`send_jrr_sreq fst {"hi": "you must reply"}`:        `send_jrr_sreq {"data":{"hi":"you must reply"},"session":"fst"}`,
		`send_jrr_sreq fst --timeout 5s {"a": "--timeout"}`: `send_jrr_sreq {"data":{"a":"--timeout"},"session":"fst","timeout":"5s"}`,
		`send_jrr_sreq fst {"a": 1} --timeout=5s`:           `send_jrr_sreq {"data":{"a":1},"session":"fst","timeout":"5s"}`,
		`ask -t 1m lst "a text"`:                            `send_jrr_sreq {"data":"a text","session":"lst","timeout":"1m0s"}`,
		`ssend fst   it's "quoted" --and dashed `:           `ssend {"data":"it's \"quoted\" --and dashed ","session":"fst"}`,
		`ssend fst "`:                    `ssend {"data":"\"","session":"fst"}`,
		`ssend fst -- -`:                 `ssend {"data":"-","session":"fst"}`,
		`close lst`:                      `close {"session":"lst"}`,
		`close lst 1001`:                 `close {"code":1001,"session":"lst"}`,
		`close lst 1001 back in an hour`: `close {"code":1001,"reason":"back in an hour","session":"lst"}`,
		`close lst going away`:           `close {"reason":"going away","session":"lst"}`,
		`sess_filter host=a query.n="John Smith" -l`:              `sess_filter {"expr":"host=a query.n=\"John Smith\""}`,
		`rgx_sess_filter /chrome -x/i --count`:                    `rgx_sess_filter {"count":true,"regex":"/chrome -x/i"}`,
		`jbroadcast --to fst,2 --filter "host=a idle>3s" [1,2]`:   `jbroadcast_ignore_reply {"data":[1,2],"filter":"host=a idle>3s","to":["fst","2"]}`,
		`watch --type open,close --kind json --session lst`:       `watch {"kind":["json"],"session":"lst","type":["open","close"]}`,
		`handlers json echo`:                                      `handlers {"kind":"json","name":"echo"}`,
		`bsend fst --hex "0a 14"`:                                 `bsend {"hex":"0a 14","session":"fst"}`,
		"\t ping   'fst'  ":                                       `ping {"session":"fst"}`,
		`jsend fst {"emoji": "😀", "nested": {"a": [1, 2, null]}}`: `jsend {"data":{"emoji": "😀", "nested": {"a": [1, 2, null]}},"session":"fst"}`,
	} {
		inv, err := ParseLine(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := apiJSON(t, inv); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
	for _, line := range []string{"", "  ", "# a comment", "  # one more"} {
		if inv, err := ParseLine(line); inv != nil || err != nil {
			t.Errorf("%q: %v %v", line, inv, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		`frobnicate`:                       `no command "frobnicate"`,
		`seses`:                            `did you mean sesses?`,
		`jsend fst -5`:                     `jsend has no option "-5"; if it is no option, use -- before it`,
		`close fst -bye`:                   `use -- before it`,
		`get_sess 1 2`:                     `"2" is more than get_sess takes`,
		`ping`:                             `ping needs SESS`,
		`ping fst --wait 3`:                `no option "--wait"`,
		`ping --timeout`:                   `needs a value`,
		`ping --timeout soon fst`:          `15s`,
		`handlers xml`:                     `string, json`,
		`watch --type open,shut`:           `open, close, message`,
		"ssend fst a\xff":                  `data is not text: byte 2 is not UTF-8; bsend sends bytes`,
		"close fst 1000 a\xff":             `reason is not text: byte 2 is not UTF-8`,
		`loglevel loud`:                    `debug, info`,
		`get_sess_with_port 70000`:         `65535`,
		`get_sess "fst`:                    `a quote is not closed`,
		`sesses --limit many`:              `whole number`,
		"get_sess_with_port x\x1b[31mevil": `\u001b[31mevil`,
	} {
		_, err := ParseLine(line)
		if u := (*UsageError)(nil); !errors.As(err, &u) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func TestJSONErrorsPointAtThePlace(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,}`:                "       ^ comma too many",
		`{'a':1}`:                 " ^ double quotes",
		`{a:1}`:                   " ^ double quotes",
		`{"a" 1}`:                 "     ^ colon",
		`{"a":1 "b":2}`:           "       ^ comma or }",
		`[1 2]`:                   "   ^ comma or ]",
		`{"a":undefined}`:         "     ^ true, false",
		`{"a":[1,{"b":2`:          "              ^ } ] } is missing",
		`{"a":"b`:                 "       ^ no closing quote",
		`{"ä😀":1} x`:              "         ^ more after the end",
		"{\"a\":\"b\tc\"}":        "       ^ \\u0009",
		``:                        "^ missing",
		`nul`:                     "   ^ too early",
		strings.Repeat("x", 5000): "^ a value was expected",
	} {
		err := CheckJSON(text)
		var j *JSONError
		if !errors.As(err, &j) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		caret, why, _ := strings.Cut(want, "^ ")
		if _, column := position(text, j.Offset); column != len(caret)+1 || !strings.Contains(j.Reason, why) {
			t.Errorf("%.40q: column %d, %s", text, column, j.Reason)
		}
	}
	var out strings.Builder
	p := NewPrinter(&out)
	p.Width = 60
	Explain(p, CheckJSON(`{"日本": "`+strings.Repeat("long ", 30)+`", "b": oops, "c": "`+strings.Repeat("more ", 30)+`"}`))
	lines := strings.Split(out.String(), "\n")
	if at := strings.Index(lines[1], "^"); TextWidth(lines[0]) > 60 || TextWidth(lines[0][:strings.Index(lines[0], "oops")]) != at {
		t.Errorf("the caret is not under the place:\n%s", out.String())
	}
}

func TestParseArgs(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"jsend", "fst", `{"a": 1}`, "--json"}, `jsend {"data":{"a":1},"session":"fst"}`},
		{[]string{"jsend", "fst", `{"a":`, `1}`}, `jsend {"data":{"a":1},"session":"fst"}`},
		{[]string{"ssend", "fst", "hello", "  there"}, `ssend {"data":"hello   there","session":"fst"}`},
		{[]string{"send_jrr_sreq", "fst", `{"a":1}`, "-t", "2s"}, `send_jrr_sreq {"data":{"a":1},"session":"fst","timeout":"2s"}`},
		{[]string{"jbroadcast", "--filter", "host=a idle>1s", "1"}, `jbroadcast_ignore_reply {"data":1,"filter":"host=a idle>1s"}`},
		{[]string{"sess_filter", "host=a", "path=/b", "-l"}, `sess_filter {"expr":"host=a path=/b"}`},
	} {
		inv, err := ParseArgs(c.args)
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if got := apiJSON(t, inv); got != c.want {
			t.Errorf("%q: %s, want %s", c.args, got, c.want)
		}
	}
	inv, err := ParseArgs([]string{"jsend", "fst"})
	if err != nil || !inv.NeedsPayload {
		t.Errorf("a payload from elsewhere: %v %v", inv, err)
	}
	inv, err = ParseArgs([]string{"bsend", "fst", "-"})
	if err != nil || inv.File != "-" || !inv.Binary() {
		t.Errorf("bytes from standard input: %+v %v", inv, err)
	}
	if _, err = ParseArgs([]string{"jsend", "fst", "{a:1}", "extra"}); err == nil {
		t.Error("JSON without quotes, as the shell leaves it")
	}
}

// Every example of the table is a line that works.
func TestExamplesParse(t *testing.T) {
	for _, c := range Commands() {
		for _, e := range c.Examples {
			if inv, err := ParseLine(e.Line); err != nil || inv.Command != c || inv.NeedsPayload {
				t.Errorf("%s: %v", e.Line, err)
			}
		}
	}
}

// FuzzParseLine: a line is refused in words that may stand on a terminal, or
// it asks the API for what the API reads as the same arguments.
func FuzzParseLine(f *testing.F) {
	for _, c := range Commands() {
		for _, e := range c.Examples {
			f.Add(e.Line)
		}
	}
	f.Add(`ssend fst "`)
	f.Fuzz(func(t *testing.T, line string) {
		inv, err := ParseLine(line)
		var out strings.Builder
		p := NewPrinter(&out)
		if err != nil {
			Explain(p, err)
		} else if inv != nil && !inv.Help {
			checkAPIArgs(t, line, inv)
		}
		Complete(line, noDaemon{})
		for _, r := range out.String() {
			if r != '\n' && !harmless(r) {
				t.Fatalf("%q printed %q", line, out.String())
			}
		}
	})
}

func checkAPIArgs(t *testing.T, line string, inv *Invocation) {
	t.Helper()
	asked := inv.apiArgs(nil)
	raw, err := marshal(asked)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		t.Fatalf("%q asks for %s: %v", line, raw, err)
	}
	if !utf8.ValidString(line) {
		return // JSON cannot say what was typed
	}
	read, err := inv.Command.decodeArgs(given)
	if inv.NeedsPayload || inv.File != "" || inv.Command.payload() != nil && !inv.Args.Has(inv.Command.payload().Name) {
		return // there is more to come
	}
	if err != nil {
		t.Fatalf("%q asks for %s, which is refused: %v", line, raw, err)
	}
	for name, v := range asked.values {
		got := read.values[name]
		if j, ok := v.(json.RawMessage); ok {
			var b bytes.Buffer
			if err := json.Compact(&b, j); err != nil || !reflect.DeepEqual(got, json.RawMessage(b.Bytes())) {
				t.Fatalf("%q asks for %s, and %s is read as %s, %v", line, raw, name, got, err)
			}
		} else if !reflect.DeepEqual(got, v) {
			t.Fatalf("%q asks for %s, and %s is read as %v", line, raw, name, got)
		}
	}
	if len(read.values) != len(asked.values) {
		t.Fatalf("%q asks for %s, which is read as %v", line, raw, read.values)
	}
}

// FuzzCheckJSON: a text is refused when encoding/json refuses it, at the first
// byte at which no JSON goes on.
func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{``, ` `, `{"a":[1,-2.5e3,"x\u00e9",null]}`, `{'a':1}`, `[1,]`, `{"a" 1}`, `{"a":1 "b"}`, `[1 2]`, `"a`, `{"a":[`, `tru`, `trux`, `01`, `1 2`, "\"\n\"", "[\xff]", "{\n \"a\": x}", `"\x"`, `-`, `1e`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := CheckJSON(text)
		if (err == nil) != (utf8.ValidString(text) && json.Valid([]byte(text))) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			return
		}
		var j *JSONError
		if !errors.As(err, &j) || j.Text != text || j.Offset < 0 || j.Offset > len(text) || j.Reason == "" || strings.Contains(j.Error(), "\n") {
			t.Fatalf("%q: %#v", text, err)
		}
		if !utf8.ValidString(text) {
			if before := text[:j.Offset]; !utf8.ValidString(before) || utf8.ValidString(text[:j.Offset+1]) && text[j.Offset] < utf8.RuneSelf {
				t.Fatalf("%q: not UTF-8 at %d", text, j.Offset)
			}
			return
		}
		if before := CheckJSON(text[:j.Offset]); j.Offset < len(text) && before != nil {
			if b := (*JSONError)(nil); !errors.As(before, &b) || b.Offset != j.Offset {
				t.Fatalf("%q breaks at %d, and what is before it: %v", text, j.Offset, before)
			}
		}
		if _, n := utf8.DecodeRuneInString(text[j.Offset:]); n > 0 {
			var after *JSONError
			if !errors.As(CheckJSON(text[:j.Offset+n]), &after) || strings.HasPrefix(after.Reason, endsTooEarly) {
				t.Fatalf("%q breaks at %d, but not when it ends there", text, j.Offset)
			}
		}
		if j.Incomplete() && j.Offset != len(text) {
			t.Fatalf("%q is incomplete at %d", text, j.Offset)
		}
	})
}
