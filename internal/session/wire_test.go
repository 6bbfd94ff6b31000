package session

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{64}$`)

func TestIDs(t *testing.T) {
	seen := map[ID]bool{}
	used := map[rune]bool{}
	for i := range 200_000 {
		id := newID()
		if i%2 == 1 {
			id = cheapID()
		}
		if seen[id] {
			t.Fatalf("%d: %s comes twice", i, id)
		}
		seen[id] = true
		if i > 2000 {
			continue
		}
		s := id.String()
		if !idPattern.MatchString(s) {
			t.Fatalf("%q is no id", s)
		}
		for _, c := range s {
			used[c] = true
		}
		if back, ok := parseID([]byte(s)); !ok || back != id {
			t.Fatalf("%s is read as %s, %v", s, back, ok)
		}
	}
	if len(used) != 64 {
		t.Errorf("%d characters are used, not 64", len(used))
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := strings.Repeat("a", 64)
	for _, s := range []string{"", good[1:], good + "a", good[1:] + "+", good[1:] + "/", good[1:] + "=", good[1:] + "\n", "\r" + good[1:], good[1:] + " ", good[2:] + "é", "\n" + good} {
		if id, ok := parseID([]byte(s)); ok {
			t.Errorf("%q is read as %s", s, id)
		}
	}
}

func TestEncoding(t *testing.T) {
	id := newID()
	for _, c := range []struct{ got, want string }{
		{string(appendCfg(nil, id, 20000)), `{"___type___":"___cfg___","___data___":{"sessid":"` + id.String() + `","keepaliveInterval":20000}}`},
		{string(appendEnvelope(nil, "___sreq___", id, []byte(`{"a":[1]}`))), `{"___type___":"___sreq___","___id___":"` + id.String() + `","___data___":{"a":[1]}}`},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
	var w wire
	if err := json.Unmarshal(appendKeepalive([]byte(" "), "___ping___", 20000), &w); err != nil {
		t.Fatal(err)
	}
	if w.Type != "___ping___" || !idPattern.MatchString(w.ID) || string(w.Data) != `"20000"` {
		t.Errorf("%+v", w)
	}
}
