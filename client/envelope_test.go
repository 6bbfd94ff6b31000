package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseEnvelope(t *testing.T) {
	for text, want := range map[string]*Envelope{
		`{"___type___":"___ping___","___id___":"a","___data___":"20000"}`: {TypePing, "a", json.RawMessage(`"20000"`)},
		` {"___data___":[1], "___type___" : "___cres___"} `:               {TypeCres, "", json.RawMessage(`[1]`)},
		`{"\u005f__type___":"___\u0070ong___"}`:                           {Type: TypePong},
		// The last of equal keys counts, whatever the first was.
		`{"___type___":"x","___type___":"___sreq___","___id___":"a","___id___":"b"}`: {Type: TypeSreq, ID: "b"},
		`{"___type___":"___sreq___","___type___":"x"}`:                               nil,
		`{"___type___":"___sreq___","___type___":null}`:                              nil,
		// Exact keys and types only.
		`{"___TYPE___":"___ping___"}`:                             nil,
		`{"___Type___":"___ping___","___type___":"x"}`:            nil,
		`{"___type___":"___PING___"}`:                             nil,
		`{"___type___":"___other___"}`:                            nil,
		`{"___type___":["___ping___"]}`:                           nil,
		`{"a":{"___type___":"___ping___"}}`:                       nil,
		`[{"___type___":"___ping___"}]`:                           nil,
		`["___type___","___ping___"]`:                             nil,
		`"___type___"`:                                            nil,
		`{"___type___":"___ping___"`:                              nil,
		`{"___type___":"___ping___"} x`:                           nil,
		`{"___type___":"___ping___",}`:                            nil,
		`{"___type___":"___ping___","___id___":7}`:                {Type: TypePing},
		`{"___type___":"___sres___","___ID___":"no"}`:             {Type: TypeSres},
		`{"___type___":"___sres___","___data___":null}`:           {TypeSres, "", json.RawMessage(`null`)},
		`{"___type___":"___sres___","___data___":{"a":"\ud800"}}`: {TypeSres, "", json.RawMessage(`{"a":"\ud800"}`)},
	} {
		got, ok := ParseEnvelope([]byte(text))
		if ok != (want != nil) {
			t.Errorf("%s: envelope %v", text, ok)
			continue
		}
		if ok && (got.Type != want.Type || got.ID != want.ID || !bytes.Equal(got.Data, want.Data)) {
			t.Errorf("%s: %+v", text, got)
		}
		var e Envelope
		if err := json.Unmarshal([]byte(text), &e); (err == nil) != ok || ok && e.ID != got.ID {
			t.Errorf("%s: unmarshals to %+v, %v", text, e, err)
		}
	}
}

func TestIsJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, `[]`: true, " \t\r\n{}\n": true, `[1,{"a":null}]`: true,
		``: false, ` `: false, `1`: false, `"a"`: false, `null`: false, `true`: false,
		`{`: false, `{}x`: false, `[1,]`: false, `{a:1}`: false, "\ufeff{}": false, "\v{}": false,
	} {
		if IsJSON([]byte(text)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestEnvelopeOnTheWire(t *testing.T) {
	b, err := encodeJSON(Envelope{TypeCreq, "id", json.RawMessage(`{"a":"<"}`)})
	if want := `{"___type___":"___creq___","___id___":"id","___data___":{"a":"<"}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	b, err = encodeEnvelope(TypeCres, "a\"\n<é", json.RawMessage(`{"a": "<"}`))
	if want := `{"___type___":"___cres___","___id___":"a\"\n<é","___data___":{"a":"<"}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if b := appendCfg(nil, "id", 20000); string(b) != `{"___type___":"___cfg___","___data___":{"sessid":"id","keepaliveInterval":20000}}` {
		t.Errorf("%s", b)
	}
	c := &Conn{opt: &options{}}
	if got := c.appendKeepalive(nil, TypePong); !regexp.MustCompile(`^{"___type___":"___pong___","___id___":"[\w-]{64}","___data___":"20000"}$`).Match(got) {
		t.Errorf("%s", got)
	}
	if id := newID(); !regexp.MustCompile(`^[A-Za-z0-9_-]{64}$`).MatchString(id) || id == newID() {
		t.Errorf("id %q", id)
	}
}

func TestCfg(t *testing.T) {
	long := strings.Repeat("x", maxSessionID+1)
	for data, want := range map[string]Cfg{
		`{"sessid":"abc","keepaliveInterval":20000}`: {SessionID: "abc", KeepaliveInterval: 20 * time.Second},
		`{"SESSID":"abc","keepaliveInterval":-1}`:    {},
		`{"sessid":7,"keepaliveInterval":"20000"}`:   {},
		`{"sessid":"` + long + `"}`:                  {},
		`{"sessid":"abc","keepaliveInterval":1e300}`: {SessionID: "abc"},
		`[]`: {}, `null`: {}, `"x"`: {},
	} {
		got := parseCfg(Envelope{Data: json.RawMessage(data)})
		if got.SessionID != want.SessionID || got.KeepaliveInterval != want.KeepaliveInterval {
			t.Errorf("%s: %+v", data, got)
		}
	}
}

// decoded is ParseEnvelope by encoding/json.
func decoded(text []byte) (Envelope, bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) != nil {
		return Envelope{}, false
	}
	str := func(raw json.RawMessage) (s string) {
		if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	env := Envelope{Type: str(m[keyType]), ID: str(m[keyID]), Data: m[keyData]}
	switch env.Type {
	case TypeCfg, TypePing, TypePong, TypeCreq, TypeSres, TypeSreq, TypeCres:
		return env, true
	}
	return Envelope{}, false
}

// FuzzEnvelope: an envelope is what encoding/json finds too, it is JSON, and it
// reads the same after a round trip, by either way of encoding.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"___type___":"___ping___","___id___":"a","___data___":"20000"}`))
	f.Add([]byte(`{"\u005f__type___":"___pong___"}`))
	f.Add([]byte(` [{"___type___":"___ping___"}] `))
	f.Add([]byte(`{"___type___":"___cfg___","a":[{"}":"\\\""},-1e9,null],"___data___":{"sessid":"s","keepaliveInterval":1} , "___id___" : "\ud83d\ude00\t"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		env, ok := ParseEnvelope(text)
		want, is := decoded(text)
		if ok != is || env.Type != want.Type || env.ID != want.ID || !bytes.Equal(env.Data, want.Data) {
			t.Fatalf("%q: %+v, %v; want %+v, %v", text, env, ok, want, is)
		}
		if !ok {
			return
		}
		if !IsJSON(text) {
			t.Fatal("an envelope that is not JSON")
		}
		again, err := encodeJSON(env)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := ParseEnvelope(again); !ok || e.Type != env.Type || e.ID != env.ID {
			t.Fatalf("%s became %s", text, again)
		}
		if env.Data == nil {
			return
		}
		parseCfg(env)
		again = appendEnvelope(nil, env.Type, env.ID, env.Data)
		if e, ok := ParseEnvelope(again); !ok || e.Type != env.Type || e.ID != env.ID || !bytes.Equal(e.Data, env.Data) {
			t.Fatalf("%s became %s", text, again)
		}
	})
}

func TestSessionID(t *testing.T) {
	in, handlers := recorder()
	c := dialed(t, server(t, func(p *peer) {
		env, ok := p.until(TypeCfg) // the client's own
		var cfg struct {
			SessID            string
			KeepaliveInterval int
		}
		if ok && (json.Unmarshal(env.Data, &cfg) != nil || len(cfg.SessID) != 64 || cfg.KeepaliveInterval != 20000 || env.ID != "") {
			t.Errorf("client's cfg %+v", env)
		}
		p.text(`{"___type___":"___cfg___","___data___":{"sessid":"S1","keepaliveInterval":10000}}`)
		p.text(`{"___type___":"___cfg___","___data___":{"sessid":"S2"}}`)
		p.shut()
	}), handlers)
	if id, err := c.WaitSession(within(t)); err != nil || id != "S1" {
		t.Errorf("session %q, %v", id, err)
	}
	if cfg := recv(t, in.cfgs); cfg.SessionID != "S1" || cfg.KeepaliveInterval != 10*time.Second {
		t.Errorf("cfg %+v", cfg)
	}
	if cfg := recv(t, in.cfgs); cfg.SessionID != "S2" || c.SessionID() != "S1" {
		t.Errorf("second cfg %+v, session %q", cfg, c.SessionID())
	}
	must(t, c.Close(within(t), CloseNormal, ""))

	none := dialed(t, server(t, func(p *peer) { p.shut() }))
	go none.CloseNow()
	if id, err := none.WaitSession(within(t)); id != "" || !errors.Is(err, ErrClosed) {
		t.Errorf("no cfg: %q, %v", id, err)
	}
}
