package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// oracle reads an envelope with encoding/json: a map has exact keys, and the
// last of equal ones wins.
func oracle(text []byte) (env envelope, ok bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) != nil || m == nil {
		return env, false
	}
	str := func(key string) ([]byte, bool) {
		var s *string
		if v, ok := m[key]; !ok || json.Unmarshal(v, &s) != nil || s == nil {
			return nil, false
		}
		return []byte(*s), true
	}
	if typ, ok := str("___type___"); ok {
		switch string(typ) {
		case "___cfg___", "___ping___", "___pong___", "___creq___", "___sres___", "___sreq___", "___cres___":
			env.typ = string(typ)
		}
	}
	env.id, _ = str("___id___")
	if data, ok := m["___data___"]; ok {
		env.data = data
	}
	return env, env.typ != ""
}

func same(a, b envelope) bool {
	return a.typ == b.typ && bytes.Equal(a.id, b.id) && (a.id == nil) == (b.id == nil) &&
		bytes.Equal(a.data, b.data) && (a.data == nil) == (b.data == nil)
}

var envelopes = []struct {
	text     string
	typ      string // "": no envelope
	id, data string // "-": absent
}{
	{`{"___type___":"___ping___","___id___":"x","___data___":"20000"}`, "___ping___", "x", `"20000"`},
	{`{"___type___":"___cfg___","___data___":{"sessid":"s","keepaliveInterval":1}}`, "___cfg___", "-", `{"sessid":"s","keepaliveInterval":1}`},
	{"\r\n\t {\n\"___type___\" : \"___creq___\" ,\t\"___data___\" : [ 1 , {\"a\":2} ] \r} ", "___creq___", "-", `[ 1 , {"a":2} ]`},
	{`{"___data___":null,"___type___":"___cres___"}`, "___cres___", "-", "null"},
	{`{"___type___":"___sreq___","___type___":"___creq___"}`, "___creq___", "-", "-"},
	{`{"___type___":"___creq___","___type___":"other"}`, "", "-", "-"},
	{`{"___type___":"___creq___","___type___":1}`, "", "-", "-"},
	{`{"___type___":"___creq___","___id___":"a","___id___":2}`, "___creq___", "-", "-"},
	{`{"___type___":"___creq___","___id___":2,"___id___":"a"}`, "___creq___", "a", "-"},
	{`{"\u005f__type___":"___creq\u005f__"}`, "___creq___", "-", "-"},
	{`{"\u005F\u005f\u005f\u0074ype___":"___pong___","___i\u0064___":"\u0041\n"}`, "___pong___", "A\n", "-"},
	{`{"___type___":"___\u0063fg___","_\u005f_data___":{"a":"}"}}`, "___cfg___", "-", `{"a":"}"}`},
	{`{"___type___":"___cfg___","a":"\\","___id___":"\""}`, "___cfg___", `"`, "-"},
	{`{"___Type___":"___ping___"}`, "", "-", "-"},
	{`{"___TYPE___":"___PING___"}`, "", "-", "-"},
	{`{"___type___":"___PING___"}`, "", "-", "-"},
	{`{"___type___":" ___ping___"}`, "", "-", "-"},
	{`{"___type__":"___ping___"}`, "", "-", "-"},
	{`{"___type___ ":"___ping___"}`, "", "-", "-"},
	{`{"___type___":"___nosuch___","___id___":"x"}`, "", "-", "-"},
	{`{"___type___":""}`, "", "-", "-"},
	{`{"___type___":null}`, "", "-", "-"},
	{`{"___type___":["___ping___"]}`, "", "-", "-"},
	{`{"___type___":{"___type___":"___ping___"}}`, "", "-", "-"},
	{`{"a":{"___type___":"___ping___"}}`, "", "-", "-"},
	{`{"a":"\"___type___\":\"___ping___\""}`, "", "-", "-"},
	{`[{"___type___":"___ping___"}]`, "", "-", "-"},
	{`["___type___","___ping___"]`, "", "-", "-"},
	{`{"___type___":"___ping___"`, "", "-", "-"},
	{`{"___type___":"___ping___"}}`, "", "-", "-"},
	{`{"___type___":"___ping___"} x`, "", "-", "-"},
	{`{"___type___":"___ping___",}`, "", "-", "-"},
	{`{'___type___':'___ping___'}`, "", "-", "-"},
	{"\ufeff" + `{"___type___":"___ping___"}`, "", "-", "-"},
	{"\v" + `{"___type___":"___ping___"}`, "", "-", "-"},
	{`"___type___"`, "", "-", "-"},
	{``, "", "-", "-"},
	{`{}`, "", "-", "-"},
	{` `, "", "-", "-"},
	{`{"\\___type___":"___ping___"}`, "", "-", "-"},
	{`{"___type___":"___creq___","___id___":null}`, "___creq___", "-", "-"},
	{`{"___type___":"___creq___","___id___":{"x":1}}`, "___creq___", "-", "-"},
	{`{"___type___":"___creq___","___id___":-1.5e+7,"___data___":-0}`, "___creq___", "-", "-0"},
	{`{"___type___":"___creq___","___id___":"","___data___":true}`, "___creq___", "", "true"},
	{`{"___type___":"___creq___","___id___":"\ud83d\ude00","___data___":"\ud83d\ude00"}`, "___creq___", "\U0001f600", `"\ud83d\ude00"`},
	{`{"___type___":"___creq___","___id___":"\ud83d","___data___":"\udc00"}`, "___creq___", "\ufffd", `"\udc00"`},
	{`{"\ud83d___type___":"___creq___"}`, "", "-", "-"},
	{`{"":1,"___type___":"___creq___","___data___":[[],{},[{}],""]}`, "___creq___", "-", `[[],{},[{}],""]`},
}

func TestParseEnvelope(t *testing.T) {
	for _, c := range envelopes {
		env, ok := parseEnvelope([]byte(c.text))
		if ok != (c.typ != "") {
			t.Errorf("%s: is an envelope: %v", c.text, ok)
			continue
		}
		if !ok {
			continue
		}
		show := func(b []byte) string {
			if b == nil {
				return "-"
			}
			return string(b)
		}
		if env.typ != c.typ || show(env.id) != c.id || show(env.data) != c.data {
			t.Errorf("%s: %s %q %s", c.text, env.typ, env.id, env.data)
		}
		if want, _ := oracle([]byte(c.text)); !same(env, want) {
			t.Errorf("%s: encoding/json disagrees: %s %q %s", c.text, want.typ, want.id, want.data)
		}
	}
}

func TestParseEnvelopeDeep(t *testing.T) {
	for _, depth := range []int{1, 100, 9_998, 9_999, 10_000, 100_000} {
		nested := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		text := []byte(fmt.Sprintf(`{"___type___":"___creq___","___data___":%s,"___id___":"x"}`, nested))
		env, ok := parseEnvelope(text)
		want, wantOK := oracle(text)
		if ok != wantOK || ok && !same(env, want) {
			t.Errorf("depth %d: %v, encoding/json: %v", depth, ok, wantOK)
		}
		if ok != isJSON(text) {
			t.Errorf("depth %d: an envelope: %v, JSON: %v", depth, ok, isJSON(text))
		}
	}
}

// What is no envelope must not allocate: it is every forwarded message.
func TestParseEnvelopeAllocatesNothing(t *testing.T) {
	for _, text := range []string{`{"x":1,"y":[1,2,3]}`, `hello`, `[1]`, `{"___type___":"___ping___","___id___":"x"}`} {
		b := []byte(text)
		if n := testing.AllocsPerRun(100, func() { parseEnvelope(b) }); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestIsJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, `[]`: true, " \t\r\n{\"a\":1}\n": true, `[1,"a",null,{"b":[]}]`: true,
		`1`: false, `-1`: false, `"a"`: false, `null`: false, `true`: false, ``: false, ` `: false,
		`{`: false, `[`: false, `[1,]`: false, `{"a"}`: false, `{}{}`: false, `[] []`: false, `{a:1}`: false,
		`[01]`: false, `[NaN]`: false, `["` + "\n" + `"]`: false, `["\x"]`: false, "\u00a0{}": false,
		`{"a":1,"a":2}`: true, `["\ud800"]`: true, `["\u0000"]`: true, `[1e999]`: true,
	} {
		if got := isJSON([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzParseEnvelope(f *testing.F) {
	for _, c := range envelopes {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !bytes.Equal(bytes.ToValidUTF8(text, nil), text) {
			return // the transport lets no such text through
		}
		before := bytes.Clone(text)
		env, ok := parseEnvelope(text)
		want, wantOK := oracle(text)
		if ok != wantOK || ok && !same(env, want) {
			t.Errorf("%q: %v %s %q %q, encoding/json: %v %s %q %q", text, ok, env.typ, env.id, env.data, wantOK, want.typ, want.id, want.data)
		}
		if ok && !isJSON(text) {
			t.Errorf("%q is an envelope but not JSON", text)
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // a number that no float holds is JSON too
		if json.Valid(text) && d.Decode(&value) == nil {
			_, object := value.(map[string]any)
			_, array := value.([]any)
			if isJSON(text) != (object || array) {
				t.Errorf("%q: JSON: %v", text, isJSON(text))
			}
		} else if isJSON(text) {
			t.Errorf("%q is not JSON", text)
		}
		if !bytes.Equal(before, text) {
			t.Errorf("%q was changed to %q", before, text)
		}
	})
}
