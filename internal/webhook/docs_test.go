package webhook

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
)

func documentation(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The servers of docs/webhook.md do what is said of them.
func TestDocumentedServers(t *testing.T) {
	doc := documentation(t)
	for _, c := range []struct{ language, program, file string }{{"js", "node", "app.mjs"}, {"python", "python3", "app.py"}} {
		t.Run(c.program, func(t *testing.T) {
			program, err := exec.LookPath(c.program)
			if err != nil {
				t.Skipf("no %s here", c.program)
			}
			_, code, _ := strings.Cut(doc, "```"+c.language+"\n")
			code, _, ok := strings.Cut(code, "```")
			if !ok {
				t.Fatal("the server is not in the documentation")
			}
			file, sock := filepath.Join(t.TempDir(), c.file), tempSocket(t)
			if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, file, sock)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}

			h := start(t, "http+unix://"+sock+":/hook", []string{"verify", "open", "json", "creq", "close"})
			if n := h.refused(t, "/chat"); n != 401 {
				t.Errorf("without a name: %d", n)
			}
			visit := func(name string) *peer {
				p, err := h.tryDial("/chat?name=" + name)
				if err != nil {
					t.Fatal(err)
				}
				p.t = t
				t.Cleanup(func() { p.conn.Close() })
				p.hears(`{"welcome":"` + name + `"}`)
				return p
			}
			ada, bob := visit("ada"), visit("bob%20%C3%A9")
			ada.text(`{"say": "hé"}`)
			bob.hears(`{"from":"ada","said":{"say":"hé"}}`)
			id := bob.ask("q", `[1]`)
			bob.hears(`{"___type___":"___sres___","___id___":"` + id + `","___data___":{"you":"bob é","asked":[1]}}`)
			ada.conn.Close()
			eventually(t, "all is done", func() bool { return h.hook.Stats().Handled == 8 })
			bob.quiet()
			if st := h.hook.Stats(); st.Failed != 0 || st.Retries != 0 {
				t.Errorf("%+v: %s", st, h.log)
			}
		})
	}
}

// hears reads a text message and compares it as JSON. A name in the wanted may
// have been escaped for the URL.
func (p *peer) hears(want string) {
	p.t.Helper()
	want = strings.ReplaceAll(want, "%20%C3%A9", " é")
	op, got := p.next()
	if op != gobwas.OpText || canonical(p.t, got) != canonical(p.t, want) {
		p.t.Fatalf("got %v %s, want %s", op, got, want)
	}
}

func canonical(t testing.TB, s string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// The answers that the documentation shows are understood.
func TestDocumentedAnswers(t *testing.T) {
	shown := regexp.MustCompile(`(?m)^    (\{"(reply|accept).*\})$`).FindAllStringSubmatch(documentation(t), -1)
	if len(shown) != 3 {
		t.Errorf("%d answers", len(shown))
	}
	for _, m := range shown {
		event := "json"
		if m[2] == "accept" {
			event = "verify"
		}
		a := onUnix(t, say(200, m[1]))
		h := start(t, a.url, []string{event})
		if p, err := h.tryDial("/"); err == nil {
			p.t = t
			p.text("{}")
			defer p.conn.Close()
		}
		eventually(t, "it is handled", func() bool { return h.hook.Stats().Handled == 1 })
		if st := h.hook.Stats(); st.Failed != 0 {
			t.Errorf("%s: %s", m[1], h.log)
		}
	}
}
