package admin

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestReferenceIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, Reference()) {
		t.Error("docs/admin.md is not what the table says: run go generate ./internal/admin")
	}
}

// A reader of the help knows nv-session-simple by its name only.
func TestReferenceNamesNvSessionSimple(t *testing.T) {
	if text := string(Reference()); strings.Contains(text, "seed") || !strings.Contains(text, "nv-session-simple's `sess.req_`") {
		t.Error("docs/admin.md calls nv-session-simple by another name")
	}
}

// Every code that can be met with has its row in a table, and no other has one.
func TestReferenceHasTheCodes(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| (`[a-z_]+`(?:, `[a-z_]+`)*) \\|").FindAllStringSubmatch(referenceHead, -1)
	listed := map[string]bool{}
	for _, row := range rows {
		for code := range strings.SplitSeq(row[1], ", ") {
			listed[strings.Trim(code, "`")] = true
		}
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^\tCode\w+ += "([a-z_]+)"`)
	n := 0
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range declared.FindAllStringSubmatch(string(text), -1) {
			if n++; !listed[code[1]] {
				t.Errorf("the code %s of %s is not in docs/admin.md", code[1], source)
			}
			delete(listed, code[1])
		}
	}
	if n <= len(statusOf) {
		t.Errorf("only %d codes were found", n)
	}
	for code := range listed {
		t.Errorf("docs/admin.md has the code %s, which there is not", code)
	}
}

func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"is a failure (no_reply).": "is a failure (`no_reply`).", "an ___sreq___ envelope": "an `___sreq___` envelope",
		"a|b, (see <c>)": "`a\\|b`, (see `<c>`)", "plain (text).": "plain (text).",
	} {
		if got := markdown(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// The calls with curl in docs/admin.md are carried out as they stand there.
func TestCurlExamples(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	// What fails by design: no session comes from that port, no such id.
	expected := map[string]string{"get_sess_with_port": CodeNoSuchSession, "close": "", "restart": "", "upgrade": CodeNotAvailable,
		"js": CodeNotAvailable, "js_output": CodeNotAvailable, "reload_handlers": CodeNotAvailable, "reload": CodeNotAvailable} // nvsessd's tests have JavaScript
	examples := regexp.MustCompile("(?m)^curl .*/v1/([a-z_]*).*$").FindAllStringSubmatch(string(Reference()), -1)
	if len(examples) < len(Commands()) {
		t.Fatalf("only %d examples", len(examples))
	}
	d := startDaemon(t, nil)
	answering(d.connect("/", nil))
	for _, example := range examples {
		line, name := example[0], example[1]
		if name == "close" || name == "restart" {
			d = startDaemon(t, nil) // they end the sessions that the rest needs
			answering(d.connect("/", nil))
		}
		if d.sessions.Len() == 0 && name != "undrain" { // drain has sent them away, and takes none
			answering(d.connect("/", nil))
		}
		cmd := exec.Command("sh", "-c", line)
		cmd.Env = append(os.Environ(), "NVSESS_ADMIN="+d.admin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil && !strings.Contains(line, "--max-time") {
			t.Errorf("%s: %v %s", line, err, stderr.String())
		}
		if want := expected[name]; want != "" && strings.Contains(string(out), want) {
			continue
		}
		if strings.Contains(string(out), `{"error":`) || len(out) == 0 && name != "watch" {
			t.Errorf("%s\nanswered %s", line, out)
		}
		if name == "close" || name == "restart" {
			eventually(t, "the session to go", func() bool { return d.sessions.Len() == 0 })
		}
	}
}

// answering answers requests and pings until its connection ends.
func answering(p *peer) {
	go func() {
		for {
			id, err := p.nextRequest()
			if err != nil {
				return
			}
			if id != "" {
				p.write(`{"___type___":"___cres___","___id___":"` + id + `","___data___":1}`)
			}
		}
	}()
}
