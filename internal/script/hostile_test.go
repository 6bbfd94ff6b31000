package script

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// quick has limits that a test can wait for.
func quick(_ *session.Options, o *Options) {
	o.CPULimit, o.Timeout, o.hangGrace, o.MaxHeap = 200*time.Millisecond, 2*time.Second, time.Second, 64<<20
}

// Whatever a handler does, its failure is counted and logged with the place, and
// the next event of its session and of others is handled.
//
// It has the process to itself: what others take of the heap meanwhile would be
// laid at the door of the job that runs.
func TestHostileHandlers(t *testing.T) {
	for name, c := range map[string]struct {
		body    string // of an async function (s, conn, sess), called with "bad"
		timeout bool   // counted as one
		text    string // of the error; "": there is none
	}{
		"throws":            {"throw new Error('oh')", false, "Error: oh"},
		"throws a string":   {"throw 'oh'", false, "Uncaught 'oh'"},
		"throws nothing":    {"throw undefined", false, "Uncaught undefined"},
		"rejects":           {"return Promise.reject(new Error('oh'))", false, "Error: oh"},
		"rejects later":     {"await sleep(1); throw new TypeError('oh')", false, "TypeError: oh"},
		"loops":             {"for (let i = 0; ; i++) ;", true, "200ms of processor time"},
		"loops past catch":  {"for (;;) try { for (let i = 0; ; i++) ; } catch { } finally { continue; }", true, "200ms of processor time"},
		"loops after await": {"await null; for (let i = 0; ; i++) ;", true, "200ms of processor time"},
		"loops after sleep": {"await sleep(1); for (let i = 0; ; i++) ;", true, "200ms of processor time"},
		"loops in then":     {"return sleep(1).then(() => { for (let i = 0; ; i++) ; })", true, "200ms of processor time"},
		"microtasks":        {"await (function f() { return Promise.resolve().then(f); })()", true, "of "},
		"microtasks aside":  {"(function f() { Promise.resolve().then(f); })()", true, "of "},
		"awaits for ever":   {"for (let i = 0; ; i++) await null", true, "of "},
		"loops in toString": {"conn.ssend({ toString() { for (let i = 0; ; i++) ; } })", true, "200ms of processor time"},
		"loops in toJSON":   {"conn.jsend({ toJSON() { for (let i = 0; ; i++) ; } })", true, "200ms of processor time"},
		"loops in getter":   {"conn.jsend({ get x() { for (let i = 0; ; i++) ; } })", true, "200ms of processor time"},
		"loops in printing": {"console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { for (let i = 0; ; i++) ; } })", true, "200ms of processor time"},
		"throws what loops": {"throw { [Symbol.for('nodejs.util.inspect.custom')]() { for (let i = 0; ; i++) ; } }", false, "cannot be shown"},
		"rejects that, too": {"Promise.reject({ [Symbol.for('nodejs.util.inspect.custom')]() { for (let i = 0; ; i++) ; } })", false, ""},
		"a looping species": {"const p = new Promise(() => {}); p.constructor = { get [Symbol.species]() { for (let i = 0; ; i++) ; } }; return p", false, ""},
		"a looping promise": {"return { then() { for (let i = 0; ; i++) ; } }", true, "200ms of processor time"},
		"recursion":         {"(function f() { f(); })()", false, "Maximum call stack size exceeded"},
		"memory":            {"const a = []; for (;;) a.push(new Array(1e4).fill(a.length).join())", true, "of "},
		"buffers":           {"const a = []; for (;;) a.push(new ArrayBuffer(1e6))", false, "of |than script.max_heap_bytes"},
		"doubled strings":   {"let x = 'x'; for (;;) x += x", false, "of |begun anew"},
		"sends for ever":    {"for (;;) conn.jsend({ flood: 1 })", true, "200ms of processor time"},
		"prints for ever":   {"for (;;) console.log('flood')", true, "200ms of processor time"},
		"timers for ever":   {"for (;;) setTimeout(() => {}, 1)", false, "of |more than 10000 timers"},
		"promises for ever": {"const a = []; for (;;) a.push(new Promise(() => {}))", true, "of "},
		"rejects for ever":  {"for (;;) Promise.reject(new Error('flood'))", true, "of "},
		"asks for ever":     {"for (;;) conn.send_jrr_sreq({})", false, ""},
		"deep async":        {"(async function f() { await f(); })()", false, ""},
		"deep generators":   {"(function* f() { yield* f(); })().next()", false, "Maximum call stack size exceeded"},
		"never settles":     {"await new Promise(() => {})", true, "its promise took more than 2s"},
		"a proxy that lies": {"throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; }, ownKeys() { throw 3; } })", false, "Uncaught"},
		"bytes that lie":    {"conn.bsend({ buffer: new ArrayBuffer(8), byteOffset: -1, byteLength: 1e9 })", false, "not binary data"},
		"a wrong this":      {"conn.jsend.call({}, 1)", false, "TypeError"},
		"a wrong getter":    {"Object.getOwnPropertyDescriptor(Sess.prototype, 'id_').get.call(conn)", false, "TypeError"},
		"a made session":    {"new Sess({}, {}).id_", false, "sessions are made by clients"},
		"a bad close":       {"conn.close(1)", false, "Error"},
		"no JSON":           {"conn.jsend(undefined)", false, "not JSON"},
		"a cycle":           {"const o = {}; o.o = o; conn.jsend(o)", false, "TypeError"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, quick, func(so *session.Options, o *Options) {
				so.Inbox.Policy = session.InboxDropNewest
				if !strings.Contains(c.text, "its promise") {
					o.Timeout = patience // on a busy machine the processor time takes long to be used up
				}
			})
			must(t, st.load(`const sleep = (ms) => new Promise((f) => setTimeout(f, ms));
srv.regis_$str_handle$(async (s, conn, sess) => {
  if (s !== 'bad') return (await null, conn.ssend(s));
  `+c.body+`;
});`))
			world := st.current()
			bad, good := st.join(), st.join()
			bad.text("bad")
			bad.text("after")
			good.text("good")
			good.hears("good")
			for got := bad.next(); got != "after"; got = bad.next() {
				if !strings.Contains(got, "flood") && !strings.Contains(got, "___sreq___") {
					t.Fatalf("heard %q", got)
				}
			}
			if c.text == "" {
				return
			}
			// A handler of whom nobody waits for what loops is not to blame itself.
			r := st.Report(session.KindString)
			// "of ": of processor time or of memory, whichever is over first.
			one, other, either := strings.Cut(c.text, "|")
			either = either || one == "of "
			if !strings.Contains(r.Last, one) && !(other != "" && strings.Contains(r.Last, other)) || (r.Timeouts == 1) != c.timeout && !either || r.Errors+r.Timeouts != 1 {
				t.Errorf("report %+v", r)
			}
			// What is no Error, and is not thrown at once, has no stack.
			placeless := strings.HasPrefix(r.Last, "Uncaught") || strings.HasPrefix(r.Last, "the call was ended") || // between two microtasks
				strings.Contains(r.Last, "its promise") || strings.Contains(r.Last, "begun anew")
			if !strings.HasPrefix(r.Last, "handlers.js:") && !placeless {
				t.Errorf("where? %s", r.Last)
			}
			_, what, _ := strings.Cut(r.Last, ": ")
			st.logged("str_handle", what)
			st.is("await 2", "2")
			if strings.Contains(name, "loops") && st.current() != world {
				t.Error("the world was given up")
			}
		})
	}
}

// Failures without end fill no log.
func TestErrorsAreLoggedAtARate(t *testing.T) {
	t.Parallel()
	st := newStage(t, sessions(func(o *session.Options) { o.Inbox.Messages = 1000 }))
	st.js("srv.regis_$str_handle$(() => { throw new Error('again'); })")
	g := st.join()
	for range 300 {
		g.text("x")
	}
	st.eventually("all counted", func() bool { return st.Report(session.KindString).Errors == 300 })
	if n := st.log.FilterMessage("JavaScript failed").Len(); n < errorBurst || n > errorBurst+10 {
		t.Errorf("%d lines", n)
	}
	st.is(`srv.str_handle_.name === '' && srv.fst_sess().is_active()`, "true")
}

// A timer, a hook and the console are bounded like a handler.
func TestLoopsElsewhere(t *testing.T) {
	t.Parallel()
	st := newStage(t, quick)
	g := st.join()
	st.js("srv.regis_$str_handle$((s, conn) => conn.ssend(s)); setTimeout(() => { for (let i = 0; ; i++) ; }, 1); setTimeout(() => { throw new Error('late'); }, 1)")
	st.logged("a timer", "200ms of processor time", "REPL1:1:")
	st.logged("a timer", "Error: late", "REPL1:1:")
	st.js("var n = 0; var i = setInterval(() => { n++; for (let i = 0; ; i++) ; }, 1)")
	st.eventually("an interval goes on", func() bool { return st.js("n > 2") == "true" })
	st.js("clearInterval(i)")
	g.text("alive")
	g.hears("alive")
}

// An interrupt ends the job that it is for and no other, however close they are.
func TestInterruptsHitNobodyElse(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(s *session.Options, o *Options) {
		o.CPULimit, s.Inbox.Messages = 25*time.Millisecond, 1000
	})
	st.js(`srv.regis_$str_handle$((s, conn) => { if (s === 'bad') for (let i = 0; ; i++) ; conn.ssend(s); })`)
	bad, good := st.join(), st.join()
	const n = 40
	for i := range n {
		bad.text("bad")
		for j := range 20 {
			good.text(fmt.Sprint(i, j))
		}
	}
	for i := range n {
		for j := range 20 {
			good.hears(fmt.Sprint(i, j))
		}
	}
	st.eventually("each was counted", func() bool { return st.Report(session.KindString).Timeouts == n })
	if r := st.Report(session.KindString); r.Errors != 0 {
		t.Errorf("%+v", r)
	}
}

// A busy machine is not the handler's fault: the processor time of its thread
// counts.
func TestBusyMachine(t *testing.T) {
	st := newStage(t, script(func(o *Options) { o.CPULimit = 400 * time.Millisecond }))
	// As many rounds as took 80 ms when nothing else ran.
	st.js(`var rounds = 0; for (const end = performance.now() + 80; performance.now() < end; rounds++) for (let i = 0; i < 1000; i++) ;
srv.regis_$str_handle$((s, conn) => { for (let j = 0; j < rounds; j++) for (let i = 0; i < 1000; i++) ; conn.ssend(s); })`)
	g := st.join()
	stop := make(chan struct{})
	done := make(chan struct{})
	const busy = 24
	for range busy {
		go func() {
			for x := 0; ; x++ {
				select {
				case <-stop:
					done <- struct{}{}
					return
				default:
				}
			}
		}()
	}
	defer func() {
		close(stop)
		for range busy {
			<-done
		}
	}()
	begun := time.Now()
	g.text("slow")
	g.hears("slow")
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Skipf("the machine is not busy: %v", took)
	}
	if r := st.Report(session.KindString); r.Errors+r.Timeouts != 0 {
		t.Errorf("%+v", r)
	}
}
