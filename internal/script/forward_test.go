package script

import (
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// A handler that passes messages on does not send them back.
func TestForward(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	from, to := st.join(), st.join()
	st.is("srv.jforward({ n: 1 }, srv.fst_sess())", "{ targets: 1, sent: 1, queued: 0, slow: 0, gone: 0, answered: 0 }")
	st.is("srv.sforward('two', srv.fst_sess()).sent", "1")
	st.is("srv.bforward(Buffer.from('three'), srv.fst_sess()).sent", "1")
	st.is("srv.sforward('all').sent", "2")
	st.is("try { srv.jforward(undefined) } catch (e) { e.message }", "'not JSON: undefined'")
	st.is("try { srv.bforward('x') } catch (e) { e.name }", "'TypeError'")
	for _, want := range []struct {
		op   ws.OpCode
		text string
	}{{ws.OpText, `{"n":1}`}, {ws.OpText, "two"}, {ws.OpBinary, "three"}, {ws.OpText, "all"}} {
		if data, op, err := wsutil.ReadServerData(to.conn); err != nil || op != want.op || string(data) != want.text {
			t.Errorf("%q %v %v, want %q", data, op, err, want.text)
		}
	}
	if data, _, err := wsutil.ReadServerData(from.conn); err != nil || string(data) != "all" {
		t.Errorf("%q %v", data, err)
	}
}
