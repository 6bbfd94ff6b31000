package script

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What is declared stays, and errors tell where they come from.
func TestEval(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.js("var a = 1; let b = 2; const c = 3; function f() { return a + b + c; } class K { get k() { return 4; } }")
	st.is("f() + new K().k", "10")
	st.is("_", "10")
	st.is("let b = 5; f()", "9")
	st.is("await new Promise((f) => setTimeout(f, 1, 'late'))", "'late'")
	st.is("_", "'late'")
	st.is("const d = await 6; d", "6")
	st.is("d", "6")
	st.is("({ a: 1 })", "{ a: 1 }")
	st.is("{ a: 1 }", "{ a: 1 }")
	st.is("this === globalThis", "true")
	st.is("({ get x() { throw 1; } })", "{ x: [Getter] }")
	st.is("Object.freeze(srv); Object.isFrozen(srv)", "true")

	st.js("function bad() {\n  throw new Error('bad');\n}")
	e := st.fails("1;\n  bad()", "Error: bad")
	if !strings.HasPrefix(e.File, "REPL") || e.Line != 2 || e.Column != 9 {
		t.Errorf("%+v", e)
	}
	if lines := strings.Split(e.Text, "\n"); len(lines) != 3 || !strings.Contains(lines[2], ":2:6") {
		t.Errorf("%s", e.Text)
	}
	if e := st.fails("let x = 1;\n  null.y", "TypeError"); e.Line != 2 || e.Column != 8 {
		t.Errorf("%+v", e)
	}
	if e := st.fails("await 1;\n  null.y", "TypeError"); e.Line != 2 || e.Column != 8 {
		t.Errorf("%+v", e)
	}
	if e := st.fails("let x =\n = 1", "SyntaxError"); e.Line != 2 || e.Column != 2 {
		t.Errorf("%+v", e)
	}
	st.fails("await Promise.reject(7)", "Uncaught 7")
	st.fails("for (;;) for (let i = 0; i < 1e4; i++) ;", "5s of processor time")

	for text, want := range map[string]string{
		"({ a: [1, null] })": `{"a":[1,null]}`, "'x'": `"x"`, "undefined": "", "() => 1": "", "1n": "", "var o = {}; o.o = o": "",
	} {
		r, err := st.try(text)
		if err != nil || string(r.JSON) != want {
			t.Errorf("%s: %s, %v", text, r.JSON, err)
		}
	}
	if r, err := st.try("'x'.repeat(3e6)"); err != nil || len(r.JSON) != 3e6+2 {
		t.Errorf("%d bytes, %v", len(r.JSON), err)
	}
}

// Whoever asks may give up: what runs is interrupted, what waits is forgotten,
// and what has not begun does not begin.
func TestEvalGivenUp(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	running, queued := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := st.Eval(ctx, "console.log('begun'); for (let i = 0; ; i++) ;", EvalOptions{})
		running <- err
	}()
	st.logged("begun")
	go func() {
		_, err := st.Eval(ctx, "globalThis.ran = true", EvalOptions{})
		queued <- err
	}()
	st.eventually("the second waits for the first", func() bool {
		w := st.current()
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.head < len(w.jobs)
	})
	begun := time.Now()
	cancel()
	for _, c := range []chan error{running, queued} {
		if err := <-c; err != context.Canceled {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("took %v", took)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := st.Eval(ctx, "await new Promise((f) => setTimeout(f, 1000)); 'never'", EvalOptions{}); err != context.DeadlineExceeded {
		t.Error(err)
	}
	st.is("await new Promise((f) => setTimeout(f, 1500)); typeof ran", "'undefined'")
	st.is("_", "'undefined'")
}

// Scripts may spoil what they like: the daemon's own objects go on.
func TestSpoiledBuiltIns(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.js("srv.regis_$json_handle$(async (j, conn) => { await null; conn.jsend({ n: srv.sesses_.size, j }); })")
	g := st.join()
	for _, spoil := range []string{
		"srv = 5", "delete globalThis.srv", "var srv = 6", "const srv = 7", "globalThis.srv = 8",
		"Object.prototype.x = 1; Object.prototype.status = 200; Object.prototype.then = undefined",
		"Promise.prototype.then = () => { throw 1; }", "Promise = null",
		"Map.prototype.set = null; Map = 1; WeakMap = 1", "JSON.parse = JSON.stringify = null; JSON = 1",
		"Array.prototype.map = Array.prototype.filter = Array.prototype.find = null",
		"Reflect = 1; Proxy = 1; Symbol.iterator; Function.prototype.call = Function.prototype.apply = null",
		"Object.defineProperty = null",
		"Buffer = 1; ArrayBuffer = 1; Uint8Array = 1",
	} {
		if _, err := st.try(spoil + "; 0"); err != nil {
			t.Errorf("%s: %s", spoil, err.(*Error).Text)
		}
		g.text(`{"a":1}`)
		g.hears(`{"n":1,"j":{"a":1}}`)
		st.is("srv.fst_sess() === srv.lst_sess() && srv.fst_sess().conn_.sess_ === srv.fst_sess() && srv.sess_filter().length", "1")
	}
	st.is("srv === new Server()", "true")
}

// There is no way to files, processes and the network, nor to what the daemon
// keeps in Go.
func TestSandbox(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.join()
	for _, text := range []string{
		"typeof process", "typeof Deno", "typeof WebSocket", "typeof XMLHttpRequest", "typeof module", "typeof __dirname", "typeof importScripts",
		"Function('return typeof process')()", "(async () => {}).constructor('return typeof process')() instanceof Promise ? 'undefined' : 1",
		"new (srv.fst_sess().constructor.constructor)('return typeof process')()",
	} {
		st.is(text, "'undefined'")
	}
	for _, module := range []string{"child_process", "net", "/etc/passwd", "./x", "../../etc/passwd", "file:///etc/passwd", "node:os", "constructor", "__proto__"} {
		st.fails(fmt.Sprintf("require(%q)", module), "Cannot find module")
	}
	st.fails("require('fs').readFileSync('/etc/passwd')", "scripts have no files")
	st.fails("await import('fs')", "SyntaxError")
	st.fails("eval('throw new Error(1)\\n//# sourceMappingURL=/etc/passwd')", "Error: 1")
	st.fails("await fetch('http://localhost/')", "may not use the network")
	// No error carries a Go value, and no object has members that are Go's.
	for _, text := range []string{
		"srv.fst_sess().conn_.close(1)", "await srv.start('/x')", "await fetch('x:')", "setTimeout(1)", "srv.regis_$verify$(1)",
		"srv.fst_sess().conn_.bsend(1)", "await srv.fst_sess().conn_.send_jrr_sres({}, 'x').then((e) => { throw e; })", "for (;;) setTimeout(() => {}, 1e6)",
		"JSON.parse('{')", "new URL('x')", "Buffer.from(1)", "await srv.fst_sess().conn_.send_jrr_sreq({}, -1)", "await srv.start('x', undefined, 'https', {key: 'k', cert: 'c'})",
	} {
		st.is("try { "+text+"; 'nothing thrown' } catch (e) { [e instanceof Error, 'value' in e] }", "[ true, false ]")
	}
	st.is(`const goes = (o, seen = new Set()) => { if (o === null || (typeof o !== 'object' && typeof o !== 'function') || seen.has(o)) return []; seen.add(o);
  return Reflect.ownKeys(o).flatMap((k) => { const d = Object.getOwnPropertyDescriptor(o, k); return [String(k)].concat(goes(d.value, seen)); }); };
const s = srv.fst_sess();
goes([s, s.req_, s.conn_.socket, s.conn_.stats, srv.cfg_, srv.hsrv_, srv.wsrv_]).filter((k) => /^[A-Z]/.test(k) && !/^[A-Z_0-9]+$/.test(k) && typeof globalThis[k] === 'undefined')`, "[]")
}
