package admin

import (
	"strings"
	"testing"
)

// noDaemon answers completion as a daemon that is not there.
type noDaemon struct{}

func (noDaemon) SessionIDs(string) []string { return nil }
func (noDaemon) Handlers(string) []string   { return nil }

func TestComplete(t *testing.T) {
	d := startDaemon(t, nil)
	p := d.connect("/", nil)
	for line, want := range map[string]string{
		"ses":                             "sesses sess_filter",
		"send":                            "send_jrr_sreq send_jrr_sres",
		"jbroadcast_until_a":              "jbroadcast_until_any_client_reply jbroadcast_until_all_client_reply",
		"as":                              "ask",
		"nothing":                         "",
		"nothing f":                       "",
		"ping fs":                         "fst",
		"ping ":                           "fst lst " + p.id[:12],
		"ping " + p.id[:3]:                p.id[:12],
		"ping " + p.id[:20]:               p.id[:20],
		"jbroadcast --to fst,ls":          "lst",
		"sesses --l":                      "--long --limit",
		"sesses --long --l":               "--limit",
		"handlers j":                      "json",
		"handlers json f":                 "forward",
		"handlers close ":                 "none log",
		"watch --type open,cl":            "close",
		"watch --ki":                      "--kind",
		"sess_filter or":                  "origin",
		"sess_filter host=a query":        "query.",
		"help loglevel":                   "loglevel",
		"send_jrr_sreq fst --timeout ":    "",
		"send_jrr_sreq fst {\"a\": ":      "",
		"send_jrr_sreq --timeout 5s fs":   "fst",
		"loglevel d":                      "debug",
		"send_jrr_sreq fst --timeout 5s ": "",
	} {
		start, found := Complete(line, d.client)
		var got []string
		for _, c := range found {
			got = append(got, c.Text)
			if !strings.HasPrefix(c.Text, line[start:]) {
				t.Errorf("%q: %q does not go on from %q", line, c.Text, line[start:])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if ids := NewClient("/nonexistent").SessionIDs(""); ids != nil {
		t.Errorf("without a daemon: %v", ids)
	}
}
