package systemd_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/test/systembox"
)

// The journal has each line of the daemon's log with its priority, so that "journalctl -p err" shows what is wrong and nothing else; one
// session's messages, too, when an operator asks for them.
func TestJournalPriorities(t *testing.T) {
	systembox.Need(t, "curl")
	b, cert := installed(t)
	b.Run(t, "systemctl", "start", "nvsessd")
	b.startNginx(t)
	connect(t, b, cert)
	b.Run(t, "nvsessctl", "debug", "lst", "--for", "1h")
	b.roundTrip(t)
	b.Run(t, "sed", "-i", "s/^loops = .*/loops = 3/", "/etc/nvsess/nvsess.toml")
	b.Run(t, "nvsessctl", "reload")           // a warning: that needs a restart
	b.Run(t, "rm", "/run/nvsess/nvsess.sock") // an error: it is systemd's to make again

	// entries are the daemon's lines in the journal, with the JSON that it wrote.
	type entry struct{ Priority, Level, Msg, Text string }
	entries := func(more ...string) (list []entry) {
		b.Run(t, "journalctl", "--sync")
		out, _ := b.Try(append([]string{"journalctl", "--no-pager", "-o", "json", "-u", "nvsessd", "_COMM=nvsessd"}, more...)...)
		for l := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
			var j struct{ PRIORITY, MESSAGE string }
			if json.Unmarshal([]byte(l), &j) != nil {
				continue
			}
			e := entry{Priority: j.PRIORITY, Text: j.MESSAGE}
			if err := json.Unmarshal([]byte(j.MESSAGE), &e); err != nil {
				t.Errorf("not a line of JSON: %q", j.MESSAGE)
			}
			list = append(list, e)
		}
		return list
	}
	const gone = "the file of a socket is gone, and cannot be made again; sessions go on"
	systembox.Eventually(t, "the error in the journal", func() (string, bool) {
		list := entries("-p", "err")
		return "", len(list) > 0 && list[0].Msg == gone
	})
	for _, e := range entries("-p", "err") {
		if e.Priority != "3" || e.Level != "error" {
			t.Errorf("among the errors: %+v", e)
		}
	}
	want := map[string]string{"debug": "7", "info": "6", "warn": "4", "error": "3"}
	seen := map[string]int{}
	for _, e := range entries() {
		if e.Priority != want[e.Level] || want[e.Level] == "" {
			t.Errorf("%+v", e)
		}
		seen[e.Level]++
	}
	for level := range want {
		if seen[level] == 0 {
			t.Errorf("there is no %s among %v", level, seen)
		}
	}
	for _, e := range entries("-p", "7..7") {
		if !strings.HasPrefix(e.Msg, "debug: ") {
			t.Errorf("%+v, though the level is info", e)
		}
	}
	if out := b.Run(t, "curl", "-sS", "--unix-socket", "/run/nvsess/admin.sock", "http://nvsessd/metrics"); !strings.Contains(out, "\nnvsess_sessions 1\n") || !strings.Contains(out, "\nnvsess_debugged_sessions 1\n") {
		t.Errorf("metrics: %.2000s", out)
	}
}
