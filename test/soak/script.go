package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
)

//go:embed handlers.js
var handlersFile string

// A script handles messages in JavaScript, from a file that is loaded again and
// again meanwhile.
type script struct {
	run     *phase
	file    string
	version int
	have    int // openings and closings that the handlers have told of
	told    ledger

	// At the last check.
	noted    uint64 // failures, by what the handlers have noted in this process
	counted  uint64 // by what the daemon has
	upgrades uint64
}

func newScript(dir string) (handlers, error) {
	s := &script{file: filepath.Join(dir, "h.js"), told: newLedger("the handlers")}
	return s, s.write("")
}

func (s *script) attach(p *phase) { s.run = p }

func (s *script) configuration() string {
	return fmt.Sprintf(`
handlers = %q
script = {timeout = "2m", cpu_limit = "1m"}
`, s.file)
}

// write writes the handlers, as another version of them, with something behind.
func (s *script) write(behind string) error {
	s.version++
	lenient := s.run != nil && s.run.upgrading
	head := fmt.Sprintf("const version = %d;\nconst lenient = %t;\n", s.version, lenient)
	next := s.file + ".next"
	if err := os.WriteFile(next, []byte(head+handlersFile+behind), 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.file)
}

// disturb loads the handlers again, by either command; now and then a broken file
// comes before, which must change nothing.
func (s *script) disturb(ctx context.Context) {
	s.run.changing.Lock()
	defer s.run.changing.Unlock()
	if s.version%3 == 0 {
		if err := s.write("throw new Error('broken');\n"); err != nil {
			s.run.fault("%v", err)
			return
		}
		_, err := s.run.d.call(ctx, "reload_handlers", nil)
		if e := (*admin.Error)(nil); !wasLost(err) && (!errors.As(err, &e) || e.Code != admin.CodeJS) {
			s.run.fault("a broken file was loaded: %v", err)
		}
	}
	if err := s.write(""); err != nil {
		s.run.fault("%v", err)
		return
	}
	s.run.operate(ctx, []string{"reload_handlers", "reload"}[s.version%2], map[string]any{})
}

// check reads what the handlers have noted, and wants as many failures counted as
// there were.
func (s *script) check(ctx context.Context) {
	var noted struct {
		Told   [][2]any
		Wrong  []string
		Thrown uint64
	}
	code := fmt.Sprintf("soak.since(%d)", s.have)
	if s.run.upgrading { // who is new knows nothing of what was told before
		code = "soak.since(soak.before + soak.told.length)"
	}
	if err := s.run.d.evaluate(ctx, code, &noted); err != nil {
		s.run.fault("asking the handlers: %v", err)
		return
	}
	for _, wrong := range noted.Wrong {
		s.run.fault("the handlers say: %s", wrong)
	}
	for _, t := range noted.Told {
		id, _ := t[0].(string)
		if code, _ := t[1].(float64); code == 0 {
			s.told.opened(id)
		} else {
			s.told.closed(id, int(code))
		}
	}
	s.have += len(noted.Told)
	errs, timeouts, err := s.run.d.failures(ctx)
	since := noted.Thrown - s.noted
	upgrades := s.run.ended.Load()
	if upgrades != s.upgrades { // what the process before has noted last is not known, but it is counted
		since = noted.Thrown
	}
	if err != nil || errs < s.counted+since || errs > s.counted+since && upgrades == s.upgrades || timeouts > 0 {
		s.run.fault("handlers threw %d times since the daemon counted %d, and it counts %d and %d that took too long (%d upgrades), %v",
			since, s.counted, errs, timeouts, upgrades-s.upgrades, err)
	}
	s.noted, s.counted, s.upgrades = noted.Thrown, errs, upgrades
}

// over compares what the handlers were told with what happened.
func (s *script) over() {
	if !s.run.upgrading {
		s.told.check(s.run, 0)
	}
}

// complaint reports whether a line of the daemon's log tells of a failure that is
// not of the soak's making.
func (s *script) complaint(line string) bool {
	return strings.Contains(line, `"JavaScript failed"`) && !strings.Contains(line, "on purpose") && !strings.Contains(line, "Error: broken")
}

func (s *script) report() string {
	return fmt.Sprintf("%d files of handlers loaded, which threw %d times", s.version, s.counted)
}

func (s *script) toldAgain() bool { return false }

func (s *script) end() {}

// evaluate runs JavaScript in the daemon.
func (d *daemon) evaluate(ctx context.Context, code string, into any) (err error) {
	var raw json.RawMessage
	for range 10 {
		raw, err = d.stream(ctx, "js", map[string]any{"code": code, "quiet": true}, func(*admin.Line) error { return nil })
		if !wasLost(err) {
			break
		}
	}
	var value admin.Value
	if err == nil {
		err = json.Unmarshal(raw, &value)
	}
	if err == nil {
		err = json.Unmarshal(value.Value, into)
	}
	return err
}
