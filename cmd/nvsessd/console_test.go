package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// operator is somebody who commands a daemon.
type operator struct {
	t      *testing.T
	client *admin.Client
}

func command(t *testing.T, p *process) operator {
	t.Helper()
	p.Logged("ready")
	c, err := admin.Dial(p.socket("admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	return operator{t, c}
}

func (o operator) call(name string, args any) (json.RawMessage, error) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	a, err := o.client.Call(ctx, name, args)
	return a.Result, err
}

// js evaluates, and gives the value's text and what was written meanwhile.
func (o operator) js(ctx context.Context, code string, more ...string) (text string, written []string, err error) {
	o.t.Helper()
	args := map[string]string{"code": code}
	for i := 0; i < len(more); i += 2 {
		args[more[i]] = more[i+1]
	}
	a, err := o.client.Stream(ctx, "js", args, nil, func(l *admin.Line) error {
		if l.Output != nil {
			written = append(written, l.Output.Level+" "+l.Output.Text)
		}
		return nil
	})
	var v admin.Value
	if err == nil {
		err = json.Unmarshal(a.Result, &v)
	}
	return v.Text, written, err
}

func (o operator) mustJS(code string) string {
	o.t.Helper()
	text, _, err := o.js(o.t.Context(), code)
	if err != nil {
		o.t.Fatalf("%s: %v", code, err)
	}
	return text
}

// A script opens a listener with TLS, as in nv-session-simple's example, and what
// tells of listeners tells that.
func TestScriptOpensHTTPS(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "nvsess.toml")
	if err := os.WriteFile(file, []byte("[script]\nlisten = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := command(t, launch(t, []string{"-config", file}))
	port := freePort(t)
	o.mustJS("await srv.start('127.0.0.1:" + port + "',undefined,'https');")
	if got, want := o.mustJS("srv.hsrv_.addresses.map((a) => a.tls)"), "[ false, true ]"; got != want {
		t.Errorf("with TLS: %s, want %s", got, want)
	}
	trusting := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := trusting.Get("https://127.0.0.1:" + port + "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("answered %s", resp.Status)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestJavaScriptOverTheAPI(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	o := command(t, p)
	text, written, err := o.js(t.Context(), "console.log('a', {b: 1}); console.error('c\\x1b'); let x = await Promise.resolve([1]); x")
	if err != nil || text != "[ 1 ]" || !slices.Equal(written, []string{"log a { b: 1 }", `error c\x1B`}) {
		t.Errorf("%q %q %v", text, written, err)
	}
	for code, want := range map[string]admin.Error{
		"1\nnull.x":               {File: "REPL", Line: 2, Column: 6, Message: "TypeError: "},
		"await 0; throw Error(1)": {File: "REPL", Line: 1, Message: "Error: 1"},
		"throw 7":                 {File: "REPL", Line: 1, Message: "Uncaught 7"},
		"a b":                     {Line: 1, Column: 3, Message: "SyntaxError: "},
	} {
		_, _, err := o.js(t.Context(), code)
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != admin.CodeJS || e.Line != want.Line || want.Column > 0 && e.Column != want.Column ||
			!strings.HasPrefix(e.File, want.File) || !strings.HasPrefix(e.Message, want.Message) || !strings.HasPrefix(e.Stack, e.Message) {
			t.Errorf("%q: %+v", code, err)
		}
	}
	var names struct{ Names []string }
	raw, err := o.call("js_complete", map[string]string{"expr": "srv", "prefix": "fst"})
	if json.Unmarshal(raw, &names) != nil || !slices.Equal(names.Names, []string{"fst_sess"}) {
		t.Errorf("%s %v", raw, err)
	}
	if resp, err := overSocket(p).Get("http://nvsessd/v1/js?code=1"); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a GET: %v %v", resp, err)
	}
	if !strings.Contains(p.Said(), `"arg_code":"\"1\\nnull.x\""`) {
		t.Error("what an operator ran is not in the log")
	}
}

func overSocket(p *process) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", p.socket("admin.sock"))
	}}}
}

// Whoever leaves interrupts what runs for him, and nothing else.
func TestJavaScriptIsInterrupted(t *testing.T) {
	t.Parallel()
	o := command(t, launch(t, nil))
	for _, endless := range []string{"while (true);", "await new Promise(() => {})"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := o.client.Stream(ctx, "js", map[string]string{"code": "console.log('runs'); " + endless}, nil, func(l *admin.Line) error {
			cancel()
			return nil
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", endless, err)
		}
		began := time.Now()
		if got := o.mustJS("1 + 1"); got != "2" || time.Since(began) > 4*time.Second {
			t.Errorf("after %s: %s in %v", endless, got, time.Since(began))
		}
		var e *admin.Error
		if _, _, err := o.js(t.Context(), endless, "timeout", "50ms"); !errors.As(err, &e) || e.Code != admin.CodeNoReply {
			t.Errorf("%s: %v", endless, err)
		}
	}
}

// What scripts write goes to all who follow. One who does not read loses lines and is told; nobody waits for him.
func TestJavaScriptOutput(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	o := command(t, p)
	deaf, err := net.Dial("unix", p.socket("admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	fmt.Fprintf(deaf, "GET /v1/js_output HTTP/1.1\r\nHost: nvsessd\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(deaf), nil)
	if err != nil {
		t.Fatal(err)
	}

	const followers = 3
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string, 100)
	ended := make(chan error, followers)
	for range followers {
		begun := make(chan struct{})
		go func() {
			_, err := o.client.Stream(ctx, "js_output", nil, func() { close(begun) }, func(l *admin.Line) error {
				if l.Output != nil && l.Output.Level == "warn" {
					got <- l.Output.Text
				}
				return nil
			})
			ended <- err
		}()
		<-begun
	}
	o.mustJS("console.warn('all'); 0")
	for range followers {
		select {
		case text := <-got:
			if text != "all" {
				t.Error(text)
			}
		case <-time.After(patience):
			t.Fatal("a line is not received")
		}
	}
	cancel()
	for range followers {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	// More than the socket and the queue hold.
	o.mustJS("for (let i = 0; i < 3000; i++) console.debug('x'.repeat(2000)); 0")
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	seen := 0
	for dropped := uint64(0); dropped == 0; seen++ {
		if seen == 1 {
			o.mustJS("console.debug('more')") // the loss is told with the next line
		}
		if !lines.Scan() {
			t.Fatalf("after %d lines: %v", seen, lines.Err())
		}
		var l admin.Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		dropped = l.Dropped
	}
	if seen < 2 {
		t.Error("nothing was kept for a reader that was late")
	}
}

func TestReloadHandlers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "handlers.js")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("srv.regis_$str_handle$((s, conn) => conn.ssend('one ' + s));\n")
	p := launch(t, configured(t, fmt.Sprintf("handlers = %q\n", file)))
	o := command(t, p)
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "a")
	g.hears(t, "one a")

	write("srv.regis_$str_handle$((s, conn) => {\n  conn.ssend('two ' + s);\n  throw Error('\\u001b[2J');\n});\nsrv.regis_$verify$(() => true);\n")
	raw, err := o.call("reload_handlers", nil)
	if err != nil || !strings.Contains(string(raw), `"source":"handlers.js:1:`) || !strings.Contains(string(raw), `"name":"verify"`) {
		t.Errorf("%s %v", raw, err)
	}
	g.say(t, "b")
	g.hears(t, "two b")

	for text, want := range map[string]string{
		"x = ;":              "handlers.js:1:5: SyntaxError: ",
		"\n\nnull.x":         "handlers.js:3:6: TypeError: ",
		"await 0\nthrow 'a'": "Uncaught 'a'",
	} {
		write(text)
		var e *admin.Error
		if _, err := o.call("reload_handlers", nil); !errors.As(err, &e) || e.Code != admin.CodeJS || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	g.say(t, "c")
	g.hears(t, "two c")

	var list struct {
		Handlers []admin.HandlerInfo
		Hooks    []admin.HookInfo
	}
	deadline := time.Now().Add(patience)
	for { // the handler has answered before it fails
		raw, err := o.call("handlers", nil)
		if err != nil || json.Unmarshal(raw, &list) != nil {
			t.Fatalf("%s %v", raw, err)
		}
		if h := list.Handlers[0]; h.Errors == 2 || time.Now().After(deadline) {
			break
		}
	}
	h := list.Handlers[0]
	if h.Kind != "string" || h.Name != "js" || h.Calls != 3 || h.Errors != 2 || !strings.HasPrefix(h.Source, "handlers.js:1:") || !strings.Contains(h.LastError, "handlers.js:3:") {
		t.Errorf("%+v", h)
	}
	if len(list.Hooks) != 1 || list.Hooks[0].Name != "verify" {
		t.Errorf("%+v", list.Hooks)
	}
	inv, err := admin.ParseLine("handlers")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	if _, err := o.client.Do(t.Context(), inv, admin.NewPrinter(&shown), nil); err != nil || strings.Contains(shown.String(), "\x1b") || !strings.Contains(shown.String(), "last error: handlers.js:3:") {
		t.Errorf("%s %v", shown.String(), err)
	}
}

// Without script.console operators run nothing, but the handlers' file may be loaded again.
func TestNoConsole(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "handlers.js")
	if err := os.WriteFile(file, []byte("srv.enable_forward();\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := command(t, launch(t, configured(t, fmt.Sprintf("handlers = %q\n[script]\nconsole = false\n", file))))
	for name, args := range map[string]map[string]string{"js": {"code": "1"}, "js_output": {}, "js_complete": {}} {
		var e *admin.Error
		if _, err := o.call(name, args); !errors.As(err, &e) || e.Code != admin.CodeNotAvailable || !strings.Contains(e.Message, "script.console") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if raw, err := o.call("reload_handlers", nil); err != nil || !strings.Contains(string(raw), file) {
		t.Errorf("%s %v", raw, err)
	}
}
