package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// An answer is what became of a command.
type answer struct {
	result json.RawMessage
	err    error
}

// ask has the operator ask something; the answer comes later.
func (d *daemon) ask(command string, args map[string]any) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		var a answer
		a.err = d.call(command, args, &a.result)
		got <- a
	}()
	return got
}

// is checks an answer's data, or that there is none.
func (d *daemon) is(what string, got <-chan answer, want string) {
	d.t.Helper()
	select {
	case a := <-got:
		if want == "" {
			if a.err == nil {
				d.t.Errorf("%s: answered with %.200s", what, a.result)
			}
			return
		}
		var env struct {
			Data json.RawMessage `json:"___data___"`
		}
		if err := json.Unmarshal(a.result, &env); a.err != nil || err != nil || string(env.Data) != want {
			d.t.Errorf("%s: answered with %.200s, %v, not %s", what, a.result, a.err, want)
		}
	case <-time.After(patience):
		d.t.Fatalf("%s: no answer", what)
	}
}

// Only the session that was asked can answer, once, before the deadline; all
// else is ignored and counted.
func TestForgedReplies(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 8*mebi, func(d *daemon) {
		victim, forger := d.open(), d.open()
		name, _ := victim.id()
		forger.id()
		unknown := func(want uint64) {
			t.Helper()
			d.Until(fmt.Sprintf("%d replies are unknown", want), func() bool { return d.stats().UnknownReplies >= want })
			if got := d.stats().UnknownReplies; got != want {
				t.Errorf("%d unknown replies, not %d", got, want)
			}
		}

		got := d.ask("send_jrr_sreq", map[string]any{"session": name, "data": 1})
		id := victim.asked()
		forger.write(reply(id, `"forged"`))
		unknown(1)
		victim.write(reply(id[1:]+"A", `"of another id"`))
		victim.write(text(`{"___type___":"___cres___","___data___":"of no id"}`))
		victim.write(text(`{"___type___":"___cres___","___id___":{"id":"` + id + `"},"___data___":0}`))
		victim.write(text(`{"___type___":"___sres___","___id___":"` + id + `","___data___":"of the wrong type"}`))
		victim.write(text(`[{"___type___":"___cres___","___id___":"` + id + `","___data___":"in a list"}]`))
		unknown(4)
		victim.write(reply(id, `"mine"`))
		d.is("a forged id", got, `"mine"`)

		// Ten thousand more answers, while the next request is asked: they do not
		// answer that.
		victim.next() // the echo of the list
		for range 100 {
			victim.write([]byte(strings.Repeat(string(reply(id, `"again"`)), 100)))
		}
		got = d.ask("send_jrr_sreq", map[string]any{"session": name, "data": 2})
		second := victim.asked()
		victim.write(reply(second, `"the second"`))
		d.is("a request after ten thousand answers", got, `"the second"`)
		unknown(10_004)

		// An answer after the deadline answers nothing.
		got = d.ask("send_jrr_sreq", map[string]any{"session": name, "data": 3, "timeout": "50ms"})
		late := victim.asked()
		d.is("no answer in time", got, "")
		victim.write(reply(late, `"late"`))
		unknown(10_005)

		// The session of a broadcast that was not asked has no say in it.
		var tally strings.Builder
		all := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			result, err := d.ctl.Stream(ctx, "jbroadcast_until_all_client_reply", map[string]any{"data": 4, "to": []string{name}, "timeout": "60s"}, nil,
				func(l *admin.Line) error { return json.NewEncoder(&tally).Encode(l) })
			t.Logf("the broadcast's end: %s", result.Result)
			all <- err
		}()
		id = victim.asked()
		stranger := d.open()
		forger.write(reply(id, `"not asked"`))
		stranger.write(reply(id, `"came later"`))
		unknown(10_007)
		victim.write(reply(id, `"asked"`))
		victim.write(reply(id, `"asked twice"`))
		if err := <-all; err != nil || strings.Count(tally.String(), `"___data___":`) != 1 || strings.Count(tally.String(), `"asked"`) != 1 {
			t.Errorf("the broadcast brought %s, %v", tally.String(), err)
		}
		unknown(10_008)

		// Who answers byte after byte has until the deadline, like everybody.
		got = d.ask("send_jrr_sreq", map[string]any{"session": name, "data": 5, "timeout": "300ms"})
		slow := reply(victim.asked(), `"slow"`)
		for _, b := range slow[:len(slow)-1] {
			victim.write([]byte{b})
		}
		d.is("a slow answer", got, "")
		for _, p := range []*peer{victim, forger, stranger} {
			p.Close()
		}
	})
}

// A session owes so many answers at most; more requests fail at once, and with
// it all that waited.
func TestPendingRequestsAreBounded(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[requests]\nmax_pending = 10"}, 8*mebi, func(d *daemon) {
		silent := d.open()
		name, _ := silent.id()
		var waiting []<-chan answer
		for i := range 10 {
			waiting = append(waiting, d.ask("send_jrr_sreq", map[string]any{"session": name, "data": i, "timeout": "60s"}))
			silent.asked()
		}
		if err := d.call("send_jrr_sreq", map[string]any{"session": name, "data": 10}, nil); err == nil || !strings.Contains(err.Error(), "unanswered") {
			t.Errorf("one too many: %v", err)
		}
		silent.Close()
		for _, got := range waiting {
			d.is("the session's end", got, "")
		}
	})
}

// Data of every kind is what it is, in requests and in answers alike.
func TestDataOfEveryKind(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 16*mebi, func(d *daemon) {
		d.must("handlers", map[string]any{"kind": "creq", "name": "echo"}, nil)
		p := d.open()
		name, _ := p.id()
		id := strings.Repeat("i", 64)
		deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
		for _, data := range []string{
			"null", "false", "true", "0", "-0", "1e999", "-1e-999", "0.1e1", strings.Repeat("9", 100_000), `""`, `"\u0000"`, `"\ud800"`, `"\udfff\ud800"`,
			`"\ud83d\ude00"`, "\"\U0001f600\u202e\u0085\"", "[]", "{}", `[{}]`, `{"":""}`, `{"a":1,"a":2}`, `{"___type___":"___sres___"}`, `{"__proto__":{"x":1}}`, deep,
			`"` + strings.Repeat("x", 500_000) + `"`, `{"` + strings.Repeat("k", 500_000) + `":0}`,
		} {
			short := data[:min(len(data), 40)]
			p.write(text(`{"___type___":"___creq___","___id___":"` + id + `","___data___":` + data + `}`))
			p.hears(`{"___type___":"___sres___","___id___":"` + id + `","___data___":` + data + `}`)
			got := d.ask("send_jrr_sreq", map[string]any{"session": name, "data": 0})
			p.write(reply(p.asked(), data))
			a := <-got
			want := data
			for _, c := range []string{"\u202e", "\u0085"} { // they reach operators spelled out
				want = strings.ReplaceAll(want, c, fmt.Sprintf(`\u%04x`, []rune(c)[0]))
			}
			if a.err != nil || !strings.HasSuffix(string(a.result), `"___data___":`+want+`}`) {
				t.Errorf("%s: the operator got %.200s, %v", short, a.result, a.err)
			}
		}
		for sent, want := range map[string]string{
			`{"___type___":"___creq___","___id___":"ID"}`:                                                  "{}",
			`{"___type___":"___creq___","___id___":"ID","___data___":1,"___data___":2}`:                    "2",
			`{"___data___":1,"___type___":"x","___id___":"x","___type___":"___creq___","___id___":"ID"}`:   "1",
			`{"\u005f__type___":"\u005f__creq___","___\u0069d___":"ID","___data___":3}`:                    "3",
			"\n{\t\"___type___\" : \"___creq___\" , \"___id___\" : \"ID\" ,\r\"___data___\" : [ 1 ] }\n\n": "[ 1 ]",
		} {
			p.write(text(strings.ReplaceAll(sent, "ID", id)))
			p.hears(`{"___type___":"___sres___","___id___":"` + id + `","___data___":` + want + `}`)
		}
		p.Close()
	})
}

// Envelopes that only a server sends, or that mean nothing, settle nothing, reach
// nobody, and are counted; requests without end are all answered.
func TestEnvelopeFloods(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 16*mebi, func(d *daemon) {
		d.must("handlers", map[string]any{"kind": "creq", "name": "echo"}, nil)
		const n = 2000
		var wait sync.WaitGroup
		for _, typ := range []string{"___sres___", "___sreq___", "___pong___", "___cfg___"} {
			p := d.open()
			p.id()
			wait.Go(func() {
				for i := range n {
					p.write(text(fmt.Sprintf(`{"___type___":"%s","___id___":"%064d","___data___":{"sessid":"x","keepaliveInterval":1}}`, typ, i)))
				}
				p.write(text("done"))
				p.hears("done")
				p.Close()
			})
		}
		asking, pinging := d.open(), d.open()
		asking.id()
		pinging.id()
		for round := range 10 {
			var b strings.Builder
			for i := range n / 10 {
				fmt.Fprintf(&b, "%s", text(fmt.Sprintf(`{"___type___":"___creq___","___id___":"%064d","___data___":%d}`, i, round)))
			}
			asking.write([]byte(b.String()))
			for i := range n / 10 {
				asking.hears(fmt.Sprintf(`{"___type___":"___sres___","___id___":"%064d","___data___":%d}`, i, round))
			}
			pinging.write([]byte(strings.Repeat(string(text(`{"___type___":"___ping___","___data___":"0"}`)), n/10)))
			for range n / 10 {
				if m := pinging.next(); !strings.HasPrefix(m.payload, `{"___type___":"___pong___"`) {
					t.Fatalf("got %.200q", m.payload)
				}
			}
		}
		wait.Wait()
		if got := d.stats().WrongDirection; got != 2*n {
			t.Errorf("%d envelopes in the wrong direction, not %d", got, 2*n)
		}
		asking.Close()
		pinging.Close()
	})
}
