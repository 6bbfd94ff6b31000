package script

import (
	"testing"
	"time"
)

// What ran is timed, and what failed is counted by its handler.
func TestStats(t *testing.T) {
	st := newStage(t, script(func(o *Options) { o.CPULimit = 50 * time.Millisecond }))
	must(t, st.load(`
srv.regis_$str_handle$((s, conn) => { if (s === "bad") throw new Error("oh"); if (s === "loop") for (;;) ; conn.ssend(s); });
`))
	before := st.Stats()
	g := st.join()
	g.text("bad")
	g.text("loop")
	g.text("good")
	g.hears("good")
	now := st.Stats()
	ran := now.Jobs.Since(before.Jobs)
	if ran.Count() < 2 || ran.Sum < 50*time.Millisecond { // the last is counted after its answer
		t.Errorf("%d jobs took %v", ran.Count(), ran.Sum)
	}
	if now.Errors["str_handle"] != 1 || now.Timeouts["str_handle"] != 1 || now.Errors["json_handle"] != 0 || now.Anew != 0 {
		t.Errorf("%+v", now)
	}
}

// In the next process they are counted on, by name: one that has no such handler
// leaves its number out.
func TestCountsGoOn(t *testing.T) {
	st := newStage(t)
	must(t, st.load(`srv.regis_$str_handle$(() => { throw new Error("oh"); });`))
	st.AddCounts(map[string]uint64{"anew": 2, "errors.str_handle": 3, "timeouts.json_handle": 4, "errors.none": 5})
	g := st.join()
	g.text("bad")
	st.eventually("it is counted", func() bool { return st.Stats().Errors["str_handle"] == 4 })
	now := st.Counts()
	for name, want := range map[string]uint64{"anew": 2, "errors.str_handle": 4, "timeouts.str_handle": 0, "errors.json_handle": 0, "timeouts.json_handle": 4} {
		if n, there := now[name]; !there || n != want {
			t.Errorf("%s is %d", name, n)
		}
	}
	if _, there := now["errors.none"]; there || st.Stats().Anew != 2 {
		t.Errorf("%v", now)
	}
}
