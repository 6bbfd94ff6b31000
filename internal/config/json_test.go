package config

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONHasTheFilesKeys(t *testing.T) {
	data, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	n := 0
	for _, k := range keys {
		in, name := got, k.name
		if table, rest, ok := strings.Cut(k.name, "."); ok {
			in, name = got[table].(map[string]any), rest
		}
		if _, ok := in[name]; !ok {
			t.Errorf("%s is missing", k.name)
		}
		n++
	}
	if mode := got["socket"].(map[string]any)["mode"]; mode != "0660" {
		t.Errorf("socket.mode is %v", mode)
	}
	if interval := got["keepalive"].(map[string]any)["interval"]; interval != "20s" {
		t.Errorf("keepalive.interval is %v", interval)
	}
	if n == 0 {
		t.Error("no keys")
	}
}
