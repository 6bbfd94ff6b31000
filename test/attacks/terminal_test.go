package attacks

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// evil is what a peer would like an operator's terminal to be told: to clear
// itself, to change its title, to send an answer as if it were typed, to colour
// and to hide text, to write backwards; in C1 controls too, and with what ends a
// line of a log.
const evil = "\x1b[2J\x1b]0;OWNED\x07\x1b[6n\x1bP+q544e\x1b\\\x1b[32;5mGREEN\x1b[8m\u009b2J\u009d0;OWNED\u009c\u202etxt.exe\u2066\u200f\x7f\r\x08\x00\nFORGED line"

// evilLine is as much of it as a header's value may hold: the handshake is
// refused for the rest.
const evilLine = "\u009b2J\u009d0;OWNED\u009c\u202etxt.exe\u2066\u200f\u0085FORGED"

// hurts finds what an operator's terminal must not get: every control but those
// that nvsessctl's own editing, colours and table lines are made of.
var hurts = regexp.MustCompile("[\x00\x05-\x07\x0e-\x1a\x1c-\x1f\x7f]" +
	"|[\u0080-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]" +
	"|\x1b[^\\[]|\x1b\\[8m|\x1b\\[[0-9;?]*[cnptx]|\x1b\\[2J|\x1b\\[[0-9;]*mGREEN")

// harmless checks what has come to a terminal or a log.
func harmless(t *testing.T, what, shown string) {
	t.Helper()
	if at := hurts.FindStringIndex(shown); at != nil {
		t.Errorf("%s lets %q through: %.300q", what, shown[at[0]:at[1]], shown[max(0, at[0]-100):])
	}
	for i, r := range shown {
		if r == '\ufffd' && shown[i] != "\ufffd"[0] {
			t.Errorf("%s lets a byte through that is no text: %.100q", what, shown[max(0, i-50):])
			return
		}
	}
}

// unforged checks that nothing of a peer begins a line. (A script that writes a
// text writes its line ends, as in Node.js.)
func unforged(t *testing.T, what, shown string) {
	t.Helper()
	if at := regexp.MustCompile(`\r?\n(FORGED|OWNED|GREEN).*`).FindString(shown); at != "" {
		t.Errorf("%s lets a line be forged: %q", what, at)
	}
}

// infest opens sessions that carry what is evil wherever there is room for it.
// It gives the last one, and ends them.
func infest(d *daemon) (last *peer, end func()) {
	quoted := strings.NewReplacer("\n", "%0a", "\r", "%0d", "\x00", "%00", "\x1b", "%1b").Replace(url(evil))
	first := d.open("User-Agent: "+evilLine, "X-Forwarded-For: "+evilLine, "X-Real-IP: "+evilLine,
		"X-"+strings.Repeat("!#$%&'*+.^_`|~", 3)+": x", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(evil)))
	p := d.raw("unix")
	p.upgrade(request("/"+quoted+"?"+quoted+"="+quoted, "Origin: https://localhost", "Cookie: sid="+evilLine+"; "+evilLine+"=x; a=%1b%5b2J%0aFORGED; b=\"%9b\"",
		"Cookie: "+evilLine))
	// Handshakes that are refused come to the log.
	for _, lines := range [][]string{{"Origin: " + evilLine}, {"Origin: https://" + evilLine}, {"Sec-WebSocket-Protocol: " + evilLine},
		{"Host: " + evilLine}, {evil + ": x"}, {"X: " + evil}, {"Sec-WebSocket-Version: " + evilLine}, {"Sec-WebSocket-Extensions: " + evilLine + "; a=\"" + evilLine + "\""}} {
		r := d.raw("tcp")
		_, _ = io.WriteString(r.Conn, request("/"+quoted, lines...))
		r.answer()
		r.Close()
	}
	r := d.raw("tcp")
	_, _ = io.WriteString(r.Conn, "\x1b[2J"+evil+"\r\n\r\n")
	r.rest()
	r.Close()
	return p, func() {
		first.Close()
		p.Close()
	}
}

// url escapes what a target cannot hold.
func url(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c > ' ' && c < 0x7f && c != '#' && c != '%' && c != '?' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// evilJSON are messages as raw as JSON allows.
func evilJSON() []string {
	escaped := strings.NewReplacer("\x1b", `\u001b`, "\x07", `\u0007`, "\r", `\r`, "\n", `\n`, "\x00", `\u0000`, "\x08", `\b`).Replace(strings.ReplaceAll(evil, `\`, `\\`))
	return []string{`{"` + escaped + `":"` + escaped + `"}`, "\r\n[\"" + evilLine + "\",\r\n\"" + escaped + "\"]", `{"toString":"` + escaped + `","name":"` + evilLine + `","length":-1}`}
}

// chatter sends what is evil as messages of every kind, and closes with it.
func chatter(d *daemon) {
	d.t.Helper()
	p := d.open()
	p.id()
	go func() { _, _ = io.Copy(io.Discard, p.r) }()
	p.write(text(evil))
	for _, j := range evilJSON() {
		p.write(text(j))
		p.write(text(`{"___type___":"___creq___","___id___":"` + strings.Repeat("x", 64) + `","___data___":` + j + `}`))
		p.write(text(`{"___type___":"___cfg___","___data___":` + j + `}`))
		p.write(text(`{"___type___":"___cres___","___id___":` + j + `,"___data___":` + j + `}`))
		p.write(text(`{"___type___":` + j + `}`))
	}
	p.write(frame(0x80|opBinary, []byte(evil+"\xff\xfe")))
	p.write(closing(4000, evil))
	p.Close()
}

// screen is a terminal with nvsessctl on it.
type screen struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu    sync.Mutex // guards what follows
	shown strings.Builder
	ended bool
}

func (d *daemon) screen(args ...string) *screen {
	d.t.Helper()
	cmd := d.Command(d.t.Context(), args...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "XDG_STATE_HOME="+d.Dir, "PAGER=cat")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 150})
	if err != nil {
		d.t.Fatal(err)
	}
	s := &screen{t: d.t, cmd: cmd, tty: tty}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			s.mu.Lock()
			s.shown.Write(b[:n])
			s.ended = err != nil
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-done
		tty.Close()
	})
	return s
}

func (s *screen) text() (shown string, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String(), s.ended
}

// shows waits for a text on the screen, after which keys are typed.
func (s *screen) shows(want, keys string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		shown, ended := s.text()
		if strings.Contains(shown, want) {
			break
		}
		if ended || time.Now().After(deadline) {
			s.t.Fatalf("no %q on the screen: %.2000q", want, shown)
		}
	}
	if _, err := io.WriteString(s.tty, keys); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the end and gives all that was shown.
func (s *screen) ends() string {
	s.t.Helper()
	killer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer killer.Stop()
	_ = s.cmd.Wait()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if shown, ended := s.text(); ended || time.Now().After(deadline) {
			return shown
		}
	}
}

// strictly is what no line needs: of controls, a plain command's output has
// colours and line ends.
var strictly = regexp.MustCompile("\x1b\\[[0-9;]*m|\r\n")

// loud is JavaScript that writes all that it is told, and fails with it.
const loud = `
const fail = (x) => { throw new Error(typeof x === 'string' ? x : JSON.stringify(x)); };
srv.regis_$str_handle$((s, conn, sess) => { console.log(s); console.error('%s', s, [s]); fail(s); });
srv.regis_$json_handle$(async (j, conn, sess) => {
  if ('n' in j) return conn.jsend(j); // the bystander
  console.log(j);
  console.warn(Object.keys(j).join(), new Map([[j, sess]]), sess, sess.req_);
  fail(j);
});
srv.regis_$bin_handle$((n, bytes) => { console.log(bytes, bytes.toString('latin1')); fail(bytes.toString()); });
srv.regis_$creq_handle$((j) => { console.log(j); return fail(j); });
srv.regis_$cfg_handle$((j) => { console.log(j); return fail(j); });
srv.regis_$on_close$((code, reason) => { console.log(code, reason); fail(reason); });
`

// Nothing of what a peer sends reaches an operator's terminal raw, or his log,
// by whichever way it goes there.
func TestNothingReachesTheTerminalRaw(t *testing.T) {
	t.Parallel()
	handlers := filepath.Join(t.TempDir(), "loud.js")
	if err := os.WriteFile(handlers, []byte(loud), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"json", "console"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			config := "handlers = \"" + handlers + "\"\n[handshake]\norigins = [\"https://localhost\"]\n"
			attack(t, setting{mode: "handlers", config: config, log: format}, 64*mebi, func(d *daemon) {
				watching, console := d.screen("watch"), d.screen()
				console.shows("help lists the commands", "")
				quiet, leave := infest(d)
				console.shows("> ", "console.log('begun')\r")
				console.shows("begun\r\n", "")
				chatter(d)
				chatter(d)
				d.Until("JavaScript has heard the last of it", func() bool { return d.Count("4000") >= 2 || d.Count("not_logged") > 0 })
				for _, line := range []string{"sesses", "sess_filter -l path~.", "rgx_sess_filter x64", "lst_sess --request", "srv.sesses_", "srv.lst_sess().req_",
					"throw new Error(srv.lst_sess().req_.resource)", "`${srv.lst_sess().req_.resourceURL.query[Object.keys(srv.lst_sess().req_.resourceURL.query)[0]]}`"} {
					console.shows("> ", line+"\r")
				}
				console.shows("> ", "'the '+'end'\r")
				console.shows("'the end'", "\x04")
				harmless(t, "the console", console.ends())
				_, _ = io.WriteString(watching.tty, "\x03")
				seen := watching.ends()
				harmless(t, "watch", seen)
				unforged(t, "watch", seen)
				if !strings.Contains(seen, "FORGED") || !strings.Contains(seen, "4000") {
					t.Errorf("watch saw nothing of it: %.1000q", seen)
				}
				once(t, d, quiet)
				leave()
				harmless(t, "the log", d.Said())
				unforged(t, "the log", d.Said())
				if d.Count("FORGED") == 0 || d.Count("handshake refused") < 5 {
					t.Error("the log has nothing of it")
				}
			})
		})
	}
}

// once runs commands, each in a terminal of its own, about a session that is
// evil and answers as it is.
func once(t *testing.T, d *daemon, quiet *peer) {
	t.Helper()
	id, _ := quiet.id()
	for _, args := range [][]string{
		{"sesses"}, {"sesses", "-l"}, {"--json", "sesses"}, {"get_sess", id, "--request"}, {"--json", "get_sess", id, "--request"},
		{"fst_sess", "--request"}, {"sess_filter", "-l", "path~."}, {"rgx_sess_filter", "."}, {"handlers"}, {"stats"}, {"--json", "handlers"},
		{"js", "srv.sesses_"}, {"js", "srv.lst_sess().req_"}, {"--json", "js", "srv.lst_sess().req_"}, {"js", "throw srv.lst_sess().req_.resourceURL"},
		{"js", "console.log(srv.lst_sess().req_.httpRequest); for (const k in srv.lst_sess().req_.resourceURL.query) console.log(k)"},
		{"js", "srv.lst_sess().req_.cookies.forEach((c) => console.log(c.name, c.value))"},
		{"get_sess", strings.ReplaceAll(evil, "\x00", "")}, {"close", id, "1000", strings.ReplaceAll(strings.Repeat(evil, 3), "\x00", "")},
		{"sess_filter", strings.ReplaceAll(evil, "\x00", "")}, {"rgx_sess_filter", "/" + evilLine + "(/"}, {evilLine}, {"--" + evilLine}, {"js", evilLine},
	} {
		shown := d.screen(args...).ends()
		harmless(t, strings.Join(args, " "), shown)
		if args[0] != "js" {
			unforged(t, strings.Join(args, " "), shown)
		}
		if at := regexp.MustCompile("[\x00-\x09\x0b-\x1f]").FindString(strictly.ReplaceAllString(shown, "\n")); at != "" {
			t.Errorf("%q lets %q through: %q", args, at, shown)
		}
	}
	for _, args := range [][]string{{"send_jrr_sreq", id, "1"}, {"--json", "send_jrr_sreq", id, "1"}, {"jbroadcast_until_all_client_reply", "--to", id, "1"},
		{"--json", "jbroadcast_until_any_client_reply", "--to", id, "1"}, {"js", "await srv.lst_sess().conn_.send_jrr_sreq(1)"}} {
		for _, j := range evilJSON() {
			s := d.screen(args...)
			quiet.write(reply(quiet.asked(), j))
			shown := s.ends()
			harmless(t, strings.Join(args, " "), shown)
			if !strings.Contains(shown, "FORGED") {
				t.Errorf("%q shows nothing of the answer: %.500q", args, shown)
			}
		}
	}
}

// A real terminal, tmux, is what it was after an operator has looked at evil
// sessions: its title is not theirs, and nothing has been typed in his name.
func TestTmuxIsWhatItWas(t *testing.T) {
	t.Parallel()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("no tmux")
	}
	attack(t, setting{config: "[handshake]\norigins = [\"https://localhost\"]\n"}, 32*mebi, func(d *daemon) {
		_, leave := infest(d)
		run := func(args ...string) string {
			t.Helper()
			out, err := exec.Command(tmux, append([]string{"-S", filepath.Join(d.Dir, "t"), "-f", "/dev/null"}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("tmux %q: %v %s", args, err, out)
			}
			return string(out)
		}
		ctl := filepath.Join(nvsessd.Programs(t), "nvsessctl") + " -s " + d.Admin
		run("new-session", "-d", "-x", "200", "-y", "50", "echo the first line; "+ctl+" fst_sess; "+ctl+" lst_sess; "+ctl+" sesses -l; "+
			ctl+" js 'srv.sesses_' | tail -n 3; echo the last line; exec cat")
		defer run("kill-server")
		run("select-pane", "-T", "the operator's")
		d.Until("all is shown", func() bool { return strings.Contains(run("capture-pane", "-p", "-S", "-", "-E", "-"), "the last line") })
		screen := run("capture-pane", "-p", "-e", "-S", "-", "-E", "-")
		if title := strings.TrimSpace(run("display-message", "-p", "#{pane_title}")); title != "the operator's" {
			t.Errorf("the title is %q", title)
		}
		if !strings.Contains(screen, "the first line") || !strings.Contains(screen, "OWNED") {
			t.Errorf("the screen is not what it was: %s", screen)
		}
		harmless(t, "tmux", screen)
		leave()
	})
}
