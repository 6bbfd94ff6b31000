package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// A file that cannot be loaded says what is wrong and where, and leaves all as it
// was.
func TestFilesThatFail(t *testing.T) {
	t.Parallel()
	st := newStage(t, script(func(o *Options) { o.Timeout = 200 * time.Millisecond }))
	must(t, st.load("srv.regis_$str_handle$((s, conn) => conn.ssend('old ' + s))"))
	g := st.join()
	for _, c := range []struct{ text, want string }{
		{"let = ;", "handlers.js:1:7: SyntaxError"},
		{"let a = 1;\nlet b = a +* 2;\n", "handlers.js:2:12: SyntaxError"},
		{"\r\n\r\nlet a;\r\nlet a;\r\n", "handlers.js:4:5: SyntaxError"},
		{"function f() {\n  if (1) {\n}\n", "handlers.js:3:2: SyntaxError: the file ends too early"},
		{"}); (function () {", "SyntaxError"},
		{"} function f() {", "SyntaxError"},
		{"})(); (function () {", "SyntaxError"},
		{"throw new Error('top')", "handlers.js:1:7: Error: top"},
		{"\n\n  null.x", "handlers.js:3:8: TypeError"},
		{"function f() {\n  throw new RangeError('deep');\n}\nf();", "handlers.js:2:9: RangeError: deep"},
		{"await null;\nthrow new Error('later')", "handlers.js:2:7: Error: later"},
		{"await Promise.reject(new Error('rejected'))", "handlers.js:1:22: Error: rejected"},
		{"throw 7", "handlers.js:1: Uncaught 7"},
		{"await new Promise(() => {})", "the file did not end within 200ms"},
		{"await new Promise((f) => setTimeout(f, 1)); await new Promise(() => {})", "the file did not end within 200ms"},
		{"for (let i = 0; ; i++) ;", "took too long"},
		{"await null; for (let i = 0; ; i++) ;", "took too long"},
		{"await new Promise((f) => setTimeout(f, 1)); for (let i = 0; ; i++) ;", "took"},
		{"(function f() { f(); })()", "RangeError: Maximum call stack size exceeded"},
		{"require('./other')", "Cannot find module './other'"},
		{"require('child_process')", "Cannot find module"},
		{"import x from 'y'", "SyntaxError"},
		{strings.Repeat("!", 30_000) + "1", "SyntaxError: this is nested too deeply"},
	} {
		err := st.load("srv.regis_$str_handle$(() => {}); globalThis.ticks = 0; setInterval(() => ticks++, 1); " + c.text)
		if strings.Contains(c.want, ":1:") {
			err = st.load(c.text)
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(c.want, "handlers.js:1: ")) {
			t.Errorf("%.60q\n%v\nwant %s", c.text, err, c.want)
		}
		g.text("x")
		g.hears("old x")
	}
	st.eventually("their timers are gone", func() bool {
		return st.js("const t = ticks; await new Promise((f) => setTimeout(f, 20)); ticks === t") == "true"
	})

	path := filepath.Join(t.TempDir(), "absent.js")
	if err := st.Load(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := st.Load(t.Context(), filepath.Dir(path)); err == nil {
		t.Error("a directory was loaded")
	}
	must(t, os.WriteFile(path, make([]byte, maxFile+1), 0o600))
	if err := st.Load(t.Context(), path); err == nil || !strings.Contains(err.Error(), "more than 8388608 bytes") {
		t.Error(err)
	}
	if err := CheckFile(path); err == nil {
		t.Error("checked")
	}
	if got := st.File(); filepath.Base(got) != "handlers.js" {
		t.Errorf("the file is %q", got)
	}
}

// Files come as editors and programs for Node.js have them.
func TestFilesOfAllKinds(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	if err := st.Load(t.Context(), ""); err != ErrNoFile {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"CRLF":        "srv.regis_$str_handle$(\r\n(s, conn) => conn.ssend(s)\r\n);\r\n",
		"BOM":         "\ufeffsrv.regis_$str_handle$((s, conn) => conn.ssend(s));",
		"shebang":     "#!/usr/bin/env node\nsrv.regis_$str_handle$((s, conn) => conn.ssend(s));",
		"both":        "\ufeff#!/usr/bin/env node\nsrv.regis_$str_handle$((s, conn) => conn.ssend(s));",
		"module":      "'use strict';\nconst { Server } = require('nv-session-simple');\nconst srv = new Server();\nsrv.regis_$str_handle$((s, conn) => conn.ssend(s));\nmodule.exports = { srv };\nexports.x = __filename + __dirname;",
		"await":       "await new Promise((f) => setTimeout(f, 1)); srv.regis_$str_handle$((s, conn) => conn.ssend(s));",
		"comment":     "srv.regis_$str_handle$((s, conn) => conn.ssend(s)); // the end",
		"return":      "srv.regis_$str_handle$((s, conn) => conn.ssend(s)); return; srv.regis_$str_handle$(null)",
		"in a timer":  "setTimeout(() => srv.regis_$str_handle$((s, conn) => conn.ssend(s)), 1)",
		"method":      "const o = { m(s, conn) { conn.ssend(s); } }; srv.regis_$str_handle$(o.m)",
		"many braces": strings.Repeat("{", 500) + strings.Repeat("}", 500) + "srv.regis_$str_handle$((s, conn) => conn.ssend(s))",
	} {
		st.js("srv.regis_$str_handle$()")
		must(t, st.load(text))
		st.eventually(name+" is in force", func() bool { return st.handler(session.KindString).Name == "js" })
		g := st.join()
		g.text(name)
		g.hears(name)
		g.conn.Close()
	}
}

// Loading a file again replaces what it did before, and nothing else.
func TestReload(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.js("globalThis.old = 0; globalThis.now = 0; srv.regis_$bin_handle$(() => 'console')")
	must(t, st.load(`
const sleep = (ms) => new Promise((f) => setTimeout(f, ms));
srv.regis_$str_handle$(async (s, conn) => {
  setInterval(() => old++, 1);
  await sleep(1);
  setInterval(() => old++, 1);
  conn.ssend(s);
});
srv.regis_$json_handle$(() => 'dropped');
srv.regis_$verify$(() => true);
setInterval(() => old++, 1);
(async () => { for (;;) { await sleep(1); old++; } })();
globalThis.late = () => srv.regis_$cfg_handle$(() => {});
globalThis.sneak = new Promise((f) => { globalThis.go = f; }).then(() => srv.regis_$cfg_handle$(() => {}));
`))
	st.js("setInterval(() => now++, 1); 0")
	g := st.join()
	g.text("x")
	g.hears("x")
	st.eventually("old timers run", func() bool { return st.js("old > 10") == "true" })
	must(t, st.load("srv.regis_$str_handle$((s, conn) => conn.ssend('new ' + s)); srv.regis_$creq_handle$(() => {});"))
	st.is("const was = old, then = now; await new Promise((f) => setTimeout(f, 30)); [old === was, now > then]", "[ true, true ]")
	g.text("x")
	g.hears("new x")
	st.is("[String(srv.bin_handle_), srv.json_handle_.name, srv.verify_.name]", `[ "() => 'console'", 'DFLT_JSON_HANDLE', 'verify' ]`)
	st.is("await (go(), sneak).catch((e) => e.message)", "'this file of handlers is not in force any more'")
	st.js("late(); srv.regis_$cfg_handle$()") // called by the console: its own
	if n := st.handler(session.KindJSON).Name; n != session.HandlerNone {
		t.Errorf("JSON goes to %s", n)
	}
	if r := st.Report(session.KindString); r.Source != "handlers.js:1:23" {
		t.Errorf("%+v", r)
	}
}

// While files are loaded again and again, several at once, no message is lost
// and none waits for ever.
func TestReloadUnderTraffic(t *testing.T) {
	t.Parallel()
	st := newStage(t, sessions(func(o *session.Options) { o.Inbox.Messages = 10_000 }))
	text := func(n int) string {
		return fmt.Sprintf(`const sleep = (ms) => new Promise((f) => setTimeout(f, ms));
srv.regis_$str_handle$(async (s, conn) => { await sleep(1); await sleep(1); conn.ssend(s); }); // %d`, n)
	}
	must(t, st.load(text(0)))
	const messages = 100
	var guests, loads sync.WaitGroup
	stop, halt := context.WithCancel(t.Context())
	defer halt()
	for n := range 2 {
		path := filepath.Join(t.TempDir(), "handlers.js")
		must(t, os.WriteFile(path, []byte(text(n)), 0o600))
		loads.Go(func() {
			for stop.Err() == nil {
				if err := st.Load(context.Background(), path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		g := st.join()
		guests.Go(func() {
			for i := range messages {
				g.text(fmt.Sprint(i))
			}
			for i := range messages {
				g.hears(fmt.Sprint(i))
			}
		})
	}
	guests.Wait()
	halt()
	loads.Wait()
	if r := st.Report(session.KindString); r.Errors+r.Timeouts != 0 {
		t.Errorf("%+v", r)
	}
}
