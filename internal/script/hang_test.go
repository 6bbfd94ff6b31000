package script

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// hang is what no interrupt ends for some seconds: a built-in function that goes
// through 16 Mi elements again and again.
const hang = `[1, 2, 3, 4, 5, 6, 7, 8].map(Array.prototype.indexOf, new Array(16 << 20))`

// A world that hangs is replaced. What was registered is there again, events that
// waited are handled, and what comes back late does no harm.
func TestHangs(t *testing.T) {
	st := newStage(t, script(func(o *Options) { o.CPULimit, o.hangGrace = 50*time.Millisecond, 50*time.Millisecond }))
	must(t, st.load(`
srv.regis_$json_handle$((j, conn) => { if (j.hang) { `+hang+`; conn.ssend('too late'); } conn.jsend({ file: j }); });
srv.regis_$verify$((r) => !r.resource.includes('foe'));
`))
	st.js("var lost = 1; srv.regis_$str_handle$(async (s, conn, sess) => { await null; conn.ssend('console ' + s + (sess === srv.fst_sess())); })")
	old := st.current()
	g, other := st.join(), st.join()
	st.is("srv.fst_sess().mark = 7", "7")
	g.text(`{"hang":true}`)
	g.text("behind it")
	for i := range 20 {
		other.text(fmt.Sprint(i))
	}
	g.hears("console behind ittrue")
	for i := range 20 {
		other.hears(fmt.Sprintf("console %dfalse", i))
	}
	if st.current() == old {
		t.Fatal("nothing hung")
	}
	st.logged("JavaScript is begun anew", "json_handle")
	other.text(`{"a":1}`)
	other.hears(`{"file":{"a":1}}`)
	if _, err := st.tryJoin("/foe"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a foe: %v", err)
	}
	st.is("[typeof lost, typeof srv.fst_sess().mark, srv.sesses_.size]", "[ 'undefined', 'undefined', 2 ]")
	if r := st.Report(session.KindJSON); !strings.HasPrefix(r.Source, "handlers.js:2:") {
		t.Errorf("%+v", r)
	}
	if r := st.Report(session.KindString); !strings.HasPrefix(r.Source, "REPL1:1:") {
		t.Errorf("%+v", r)
	}
	select {
	case <-old.ended:
	case <-time.After(patience):
		t.Fatal("what hung never comes back")
	}
	g.text("still")
	g.hears("console stilltrue")
}

// Handlers that hang whenever they are called, or that hang when they are
// loaded, are taken away in the end; and then nobody passes a hook that is lost.
func TestHangsAgainAndAgain(t *testing.T) {
	st := newStage(t, script(func(o *Options) { o.CPULimit, o.hangGrace = 30*time.Millisecond, 30*time.Millisecond }))
	must(t, st.load(`
srv.regis_$str_handle$((s, conn) => { if (s === 'hang') `+hang+`; conn.ssend(s); });
srv.regis_$verify$(() => true);
if (globalThis.loaded) `+hang+`;
`))
	g := st.join()
	old := st.current()
	old.bereft.Store(false)
	old.ready.Store(false) // as if it were still being furnished
	g.text("hang")
	st.logged("it fails again and again")
	if _, err := st.tryJoin("/"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("without its hook: %v", err)
	}
	st.is("1 + 1", "2")
	st.js("srv.regis_$verify$(() => true); srv.regis_$str_handle$((s, conn) => conn.ssend('again ' + s))")
	st.join()
	g.text("x")
	g.hears("again x")
	<-old.ended
}

// A console whose input hangs gets an answer, and so does a file.
func TestHangsOfConsoleAndFile(t *testing.T) {
	st := newStage(t, script(func(o *Options) { o.Timeout, o.hangGrace = 100*time.Millisecond, 50*time.Millisecond }))
	must(t, st.load("srv.regis_$str_handle$((s, conn) => conn.ssend(s))"))
	old := st.current()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := st.Eval(ctx, hang, EvalOptions{}); err != context.DeadlineExceeded {
		t.Error(err)
	}
	st.eventually("the world is replaced", func() bool { return st.current() != old })
	g := st.join()
	g.text("x")
	g.hears("x")
	next := st.current()
	if err := st.load(hang); err != ErrClosed {
		t.Error(err)
	}
	g.text("y")
	g.hears("y")
	if st.current() == next {
		t.Error("nothing hung")
	}
	<-old.ended
	<-next.ended
}
