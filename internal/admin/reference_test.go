package admin

import (
	"bytes"
	"os"
	"os/exec"
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
	for code := range statusOf {
		if code != CodeCanceled && !strings.Contains(string(got), "`"+code+"`") {
			t.Errorf("the code %s is not in docs/admin.md", code)
		}
	}
}

// The calls with curl in docs/admin.md are carried out as they stand there.
func TestCurlExamples(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	// What fails by design: no session comes from that port, no such id.
	expected := map[string]string{"get_sess_with_port": CodeNoSuchSession, "close": "", "restart": ""}
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
		if d.sessions.Len() == 0 {
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
			waitFor(t, "the session to go", func() bool { return d.sessions.Len() == 0 })
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
