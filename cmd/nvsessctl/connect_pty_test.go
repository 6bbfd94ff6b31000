package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestConnectChild is the process on the terminal of the tests below.
func TestConnectChild(t *testing.T) {
	url := os.Getenv("NVSESS_TEST_CONNECT")
	if url == "" {
		t.Skip("only as a child of another test")
	}
	code := 0
	if err := runConnect(context.Background(), strings.Fields(url), os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "nvsessctl:", err)
		code = connectResult{err: err}.code()
	}
	os.Exit(code)
}

// connectTerminal is a terminal with connect on it.
type connectTerminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu     sync.Mutex // guards what follows
	screen strings.Builder
	grown  chan struct{} // closed and replaced when the screen has grown
	read   int           // what expect has seen of the screen
	closed bool
}

func onTerminal(t *testing.T, args string) *connectTerminal {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestConnectChild$")
	cmd.Env = append(os.Environ(), "NVSESS_TEST_CONNECT="+args, "XDG_STATE_HOME="+t.TempDir(), "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	term := &connectTerminal{t: t, cmd: cmd, tty: tty, grown: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			term.mu.Lock()
			term.screen.Write(b[:n])
			term.closed = err != nil
			close(term.grown)
			term.grown = make(chan struct{})
			term.mu.Unlock()
			if err != nil { // EIO: the child is gone
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() // in vain if it ended as it should
		cmd.Wait()
		<-done
		tty.Close()
	})
	return term
}

// expect waits until the terminal shows text after what was expected before, and
// gives what stood in between.
func (c *connectTerminal) expect(text string) string {
	c.t.Helper()
	timer := time.NewTimer(connectPatience)
	defer timer.Stop()
	for {
		c.mu.Lock()
		rest, grown, closed := c.screen.String()[c.read:], c.grown, c.closed
		if i := strings.Index(rest, text); i >= 0 {
			c.read += i + len(text)
			c.mu.Unlock()
			return rest[:i]
		}
		c.mu.Unlock()
		if closed {
			c.t.Fatalf("the terminal ended without %q: %q", text, rest)
		}
		select {
		case <-grown:
		case <-timer.C:
			c.t.Fatalf("no %q on the terminal, but %q", text, rest)
		}
	}
}

func (c *connectTerminal) write(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.tty, keys); err != nil {
		c.t.Fatal(err)
	}
}

func (c *connectTerminal) exit(code int) {
	c.t.Helper()
	c.cmd.Wait()
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.t.Errorf("exit status %d, want %d\n%s", got, code, c.screen.String())
	}
}

// start opens a terminal and waits for its first prompt.
func (s *connectServer) start(args string) (*connectTerminal, net.Conn) {
	s.t.Helper()
	c := onTerminal(s.t, s.url+" "+args)
	c.expect("connected to " + s.url + "; /help lists the commands, Ctrl-D closes")
	c.expect("session S-1, keepalive 20s")
	c.expect("> ")
	return c, connectRecv(s.t, s.conn)
}

func TestConnectTyping(t *testing.T) {
	s := newConnectServer(t, true)
	c, nc := s.start("")
	c.write("hello\r")
	s.expect("text hello")

	// A message that comes while a line is typed stands above it, and the line
	// is shown again and stays as it was.
	c.write("hal")
	c.expect("hal")
	s.say(nc, "meanwhile")
	c.expect("string meanwhile\r\n")
	c.expect("> hal")
	c.write("f a word\x7f\x7f\x7f\x7fline\r") // backspace works
	s.expect("text half a line")

	// Wide characters go through whole, whatever the redrawing makes of them.
	c.write("日本 😀")
	c.expect("😀")
	s.say(nc, "again")
	c.expect("string again\r\n")
	c.expect("> 日本 😀")
	c.write("!\r")
	s.expect("text 日本 😀!")

	// History: the line before the last.
	c.write("\x1b[A\x1b[A\r")
	s.expect("text half a line")

	// A tab completes; Ctrl-Z does not stop anybody.
	c.write("/tex\t\x1aok\r")
	s.expect("text ok")

	c.write("{\"a\":\r")
	c.expect("sent as a string: invalid JSON at column 6: the value ends too early")
	s.expect(`text {"a":`)
	c.write("\x04")
	c.expect("closed: 1000")
	s.expect("close 1000")
	c.exit(0)
}

func TestConnectManualReply(t *testing.T) {
	s := newConnectServer(t, true)
	c, nc := s.start("")
	id1, id2 := "qi71"+strings.Repeat("a", 60), "qi72"+strings.Repeat("b", 60)
	s.ask(nc, id1, `{"hi":"you must reply"}`)
	c.expect(`sreq   qi71aaaa {"hi":"you must reply"}`)
	c.expect("answer with: /reply qi71aaaa JSON")
	s.ask(nc, id2, `2`)
	c.expect("answer with: /reply qi72bbbb JSON")
	c.write("/pending\r")
	c.expect("qi71aaaa ")
	c.expect("qi72bbbb ")
	c.write("/reply qi7 1\r")
	c.expect(`several pending requests begin with "qi7"`)
	c.write("/reply qi72 {\"some-key\": \r")
	c.expect("the value ends too early")
	c.write("/reply qi72 {\"some-key\": \"Client Got It\"}\r")
	s.expect("___cres___ " + id2 + ` {"some-key":"Client Got It"}`)
	c.expect(`cres   qi72bbbb {"some-key":"Client Got It"}`)
	c.write("/reply qi72 1\r")
	c.expect(`no pending request begins with "qi72"`)
	c.write("/reply " + id1 + " null\r")
	s.expect("___cres___ " + id1 + " null")
	c.write("/pending\r")
	c.expect("nothing waits for an answer")
	c.write("/close 4000 enough\r")
	c.expect(`closed: 4000 "enough"`)
	s.expect("close 4000 enough")
	c.exit(0)
}

func TestConnectAnswersOnTerminal(t *testing.T) {
	s := newConnectServer(t, true)
	c, nc := s.start("--timeout 10s")
	c.write("/creq {\"kkkk\":\"hi\"}\r")
	c.expect("\"___data___\": {\r\n    \"kkkk\": \"hi\"\r\n") // long, so laid out
	c.write("/ping\r")
	c.expect("pong   ")
	c.write("/creq \"never\"\r") // one that waits does not hold up the others
	if got := connectRecv(t, s.got); !strings.HasPrefix(got, "___creq___ ") {
		t.Errorf("server got %q", got)
	}
	c.write("/ping\r")
	c.expect("pong   ")
	c.write("/help\r")
	c.expect("Ctrl-C and Ctrl-D close with 1000.")
	// A long JSON message is laid out.
	s.say(nc, `{"list":["`+strings.Repeat("x", 100)+`",2]}`)
	c.expect("json   {\r\n  \"list\": [\r\n")
	c.write("unfinished\x03")
	c.expect("closed: 1000")
	s.expect("close 1000")
	c.exit(0)
}

func TestConnectClosedByServerOnTerminal(t *testing.T) {
	s := newConnectServer(t, true)
	c, _ := s.start("")
	c.write("half a li")
	c.expect("half a li")
	c2, _ := s.start("")
	c2.write("kick\r")
	c2.expect(`nvsessctl: connect: connection closed by the server: 4001 "no \x1b[2J more"`)
	c2.exit(1)
	c3, nc := s.start("")
	nc.Close()
	c3.expect("connection closed: 1006")
	c3.exit(1)
	c.write("\x15bye\r") // Ctrl-U clears the line
	c.expect("connection closed by the server: 1000 (normal)")
	c.exit(0)
}

// A terminal that does not know its size gets 80 columns.
func TestConnectTerminalOfNoSize(t *testing.T) {
	s := newConnectServer(t, true)
	c, _ := s.start("")
	if err := pty.Setsize(c.tty, &pty.Winsize{}); err != nil {
		t.Fatal(err)
	}
	c.write("hello\r")
	s.expect("text hello")
	c.write("\x04")
	c.exit(0)
}
