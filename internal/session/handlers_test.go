package session

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	gobwas "github.com/gobwas/ws"
)

func TestHandlerNames(t *testing.T) {
	h := start(t)
	for _, k := range Kinds {
		if back, err := ParseKind(k.String()); err != nil || back != k {
			t.Errorf("%s is read as %v, %v", k, back, err)
		}
		for _, name := range []string{HandlerNone, HandlerForward, HandlerEcho, HandlerLog, "", "nosuch"} {
			err := h.SetHandler(k, name)
			if allowed := slices.Contains(HandlerNames(k), name); allowed != (err == nil) {
				t.Errorf("%s for %s: %v", name, k, err)
			}
			if err == nil && h.Handlers()[k].Name != name {
				t.Errorf("%s for %s: is %s", name, k, h.Handlers()[k].Name)
			}
		}
	}
	if _, err := ParseKind("nosuch"); err == nil {
		t.Error("a kind that is none")
	}
	if err := h.SetHandler(99, HandlerNone); err == nil {
		t.Error("a kind that is none")
	}
	if _, err := NewServer(Options{Mode: "nosuch"}); err == nil || !strings.Contains(err.Error(), "handlers, forward, echo") {
		t.Errorf("a mode that is none: %v", err)
	}
}

// Each kind goes to its own handler and is counted there, broken JSON as a
// string.
func TestKindsAreToldApart(t *testing.T) {
	for _, mode := range []string{"handlers", "forward", "echo", "mixed", "log"} {
		t.Run(mode, func(t *testing.T) {
			h := start(t)
			switch mode {
			case "mixed":
				set(t, h, KindJSON, HandlerEcho)
			case "log":
				for _, k := range []Kind{KindString, KindJSON, KindBinary} {
					set(t, h, k, HandlerLog)
				}
			default:
				all, _, err := tableOf(mode)
				if err != nil {
					t.Fatal(err)
				}
				h.handlers.set(func(t *table) { *t = all })
			}
			p := h.dial(t)
			for _, s := range []string{"x", "1", `"quoted"`, "null", "{broken", "[1,", "", " "} {
				p.text(s)
			}
			for _, s := range []string{"{}", "[]", ` {"a":1} `} {
				p.text(s)
			}
			p.binary("{}")
			p.text(`{"___type___":"___ping___","___data___":"end"}`)
			for {
				if _, s := p.next(); strings.Contains(s, "___pong___") {
					break
				}
			}
			s, j, b := calls(h, KindString), calls(h, KindJSON), calls(h, KindBinary)
			apart := mode == "mixed" || mode == "log" // see HandlerInfo
			if s+j != 11 || b != 1 || apart && j != 3 {
				t.Errorf("%d strings, %d JSON, %d binary; want 8, 3, 1", s, j, b)
			}
		})
	}
}

// Handlers are replaced while messages flow: each message goes to the old or to
// the new one, and none is lost.
func TestHandlersAreReplacedWhileMessagesFlow(t *testing.T) {
	h := start(t)
	const messages = 2000
	stop := make(chan struct{})
	var changing, talking sync.WaitGroup
	for _, k := range []Kind{KindString, KindJSON, KindBinary, KindCreq, KindCfg} {
		changing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				names := HandlerNames(k)
				if err := h.SetHandler(k, names[i%(len(names)-1)]); err != nil {
					t.Error(err)
				}
				_, _ = h.Mode(), h.Handlers()
			}
		})
	}
	for range 3 {
		p := h.dial(t)
		talking.Go(func() {
			for {
				if _, s, err := p.read(); err != nil {
					t.Error(err)
					return
				} else if strings.Contains(s, "___pong___") {
					return
				}
			}
		})
		talking.Go(func() {
			for i := range messages {
				var err error
				switch i % 4 {
				case 0:
					err = p.tryWrite(gobwas.OpText, []byte("x"))
				case 1:
					err = p.tryWrite(gobwas.OpText, []byte(`{"x":1}`))
				case 2:
					err = p.tryWrite(gobwas.OpBinary, []byte("x"))
				case 3:
					err = p.tryWrite(gobwas.OpText, []byte(`{"___type___":"___creq___","___id___":"`+newID().String()+`"}`))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
			_ = p.tryWrite(gobwas.OpText, []byte(`{"___type___":"___ping___"}`))
		})
	}
	talking.Wait()
	close(stop)
	changing.Wait()
	for _, k := range []Kind{KindString, KindJSON, KindBinary, KindCreq} {
		if n := calls(h, k); n != 3*messages/4 {
			t.Errorf("%s: %d calls, want %d", k, n, 3*messages/4)
		}
	}
}

// A peer must not be able to write lines of its own into the log, nor control
// the terminal that shows it.
func TestLogHandlerEscapes(t *testing.T) {
	h := start(t)
	for _, k := range []Kind{KindString, KindJSON, KindBinary, KindClose} {
		set(t, h, k, HandlerLog)
	}
	p := h.dial(t)
	const nasty = "line\n{\"level\":\"error\"}\r\x1b[31m\x7f\u009b31m\u202egnp\u2028\u0000\ufeff end"
	p.text(nasty)
	p.text(`["` + "\u009b31m\u202e" + `"]`)
	p.binary(nasty)
	p.text(strings.Repeat("é", 5000)) // cut in the middle of a character
	p.quiet()
	p.write(gobwas.OpClose, gobwas.NewCloseFrameBody(4000, "a\n\x1b[0m\u009b\u202e\x7f"))
	gone(t, p.sess)
	eventually(t, "the close is logged", func() bool { return strings.Contains(h.log.String(), "4000") })
	log := h.log.String()
	for _, c := range log {
		if c != '\n' && (c < ' ' || c >= 0x7f && c < 0xa0 || strings.ContainsRune("\u202e\u2028\ufeff\ufffd", c)) {
			t.Errorf("%U is in the log", c)
		}
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 5 {
		t.Errorf("%d lines, want 5:\n%s", len(lines), log)
	}
	for _, line := range lines {
		var v struct{ Session, Data string }
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Session != p.sess.ID() {
			t.Errorf("%s: %v", line, err)
		}
		if len(line) > 2*maxLogged {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}
