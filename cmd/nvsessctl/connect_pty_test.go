package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// openConnect opens a terminal with "nvsessctl connect" on it.
func openConnect(t *testing.T, args string) *terminal {
	t.Helper()
	cmd := exec.Command("nvsessctl", append([]string{"connect"}, strings.Fields(args)...)...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "TERM=xterm")
	return openTerminal(t, cmd)
}

// start opens a terminal and waits for its first prompt.
func (s *connectServer) start(args string) (*terminal, net.Conn) {
	s.t.Helper()
	c := openConnect(s.t, s.url+" "+args)
	c.expect("connected to " + s.url + "; /help lists the commands, Ctrl-D closes")
	c.expect("session S-1, keepalive 20s")
	c.expect("> ")
	return c, connectRecv(s.t, s.conn)
}

func TestConnectTyping(t *testing.T) {
	s := newConnectServer(t, true)
	c, nc := s.start("")
	c.keys("hello\r")
	s.expect("text hello")

	// A message that comes while a line is typed stands above it, and the line
	// is shown again and stays as it was.
	c.keys("hal")
	c.expect("hal")
	s.say(nc, "meanwhile")
	c.expect("string meanwhile\r\n")
	c.expect("> hal")
	c.keys("f a word\x7f\x7f\x7f\x7fline\r") // backspace works
	s.expect("text half a line")

	// Wide characters go through whole, whatever the redrawing makes of them.
	c.keys("日本 😀")
	c.expect("😀")
	s.say(nc, "again")
	c.expect("string again\r\n")
	c.expect("> 日本 😀")
	c.keys("!\r")
	s.expect("text 日本 😀!")

	// History: the line before the last.
	c.keys("\x1b[A\x1b[A\r")
	s.expect("text half a line")

	// A tab completes; Ctrl-Z does not stop anybody.
	c.keys("/tex\t\x1aok\r")
	s.expect("text ok")

	c.keys("{\"a\":\r")
	c.expect("sent as a string: invalid JSON at column 6: the value ends too early")
	s.expect(`text {"a":`)
	c.keys("\x04")
	c.expect("closed: 1000")
	s.expect("close 1000")
	c.exits(0)
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
	c.keys("/pending\r")
	c.expect("qi71aaaa ")
	c.expect("qi72bbbb ")
	c.keys("/reply {\"ok\": 1}\r")
	c.expect("2 requests wait, so an ID is needed before the JSON")
	c.keys("/reply qi7 1\r")
	c.expect(`several pending requests begin with "qi7"`)
	c.keys("/reply qi72 {\"some-key\": \r")
	c.expect("the value ends too early")
	c.keys("/reply qi72 {\"some-key\": \"Client Got It\"}\r")
	s.expect("___cres___ " + id2 + ` {"some-key":"Client Got It"}`)
	c.expect(`cres   qi72bbbb {"some-key":"Client Got It"}`)
	c.keys("/reply qi72 1\r")
	c.expect(`no pending request begins with "qi72"`)
	c.keys("/reply qi71\r")
	c.expect("a JSON value is missing")
	c.keys("/reply {\"ok\": \r")
	c.expect("the value ends too early")
	c.keys("/reply {\"ok\": 1}\r") // only one is left
	s.expect("___cres___ " + id1 + ` {"ok":1}`)
	s.ask(nc, id2, `3`)
	c.expect("answer with: /reply qi72bbbb JSON")
	c.keys("/reply " + id2 + " null\r")
	s.expect("___cres___ " + id2 + " null")
	c.keys("/pending\r")
	c.expect("nothing waits for an answer")
	c.keys("/close 4000 enough\r")
	c.expect(`closed: 4000 "enough"`)
	s.expect("close 4000 enough")
	c.exits(0)
}

func TestConnectAnswersOnTerminal(t *testing.T) {
	s := newConnectServer(t, true)
	c, nc := s.start("--timeout 10s")
	c.keys("/creq {\"kkkk\":\"hi\"}\r")
	c.expect("\"___data___\": {\r\n    \"kkkk\": \"hi\"\r\n") // long, so laid out
	c.keys("/ping\r")
	c.expect("pong   ")
	c.keys("/creq \"never\"\r") // one that waits does not hold up the others
	if got := connectRecv(t, s.got); !strings.HasPrefix(got, "___creq___ ") {
		t.Errorf("server got %q", got)
	}
	c.keys("/ping\r")
	c.expect("pong   ")
	c.keys("/help\r")
	c.expect("Ctrl-C and Ctrl-D close with 1000.")
	// A long JSON message is laid out.
	s.say(nc, `{"list":["`+strings.Repeat("x", 100)+`",2]}`)
	c.expect("json   {\r\n  \"list\": [\r\n")
	c.keys("unfinished\x03")
	c.expect("closed: 1000")
	s.expect("close 1000")
	c.exits(0)
}

func TestConnectClosedByServerOnTerminal(t *testing.T) {
	s := newConnectServer(t, true)
	c, _ := s.start("")
	c.keys("half a li")
	c.expect("half a li")
	c2, _ := s.start("")
	c2.keys("kick\r")
	c2.expect(`connect: connection closed by the server: 4001 "no \x1b[2J more"`)
	c2.exits(1)
	c3, nc := s.start("")
	nc.Close()
	c3.expect("connection closed: 1006")
	c3.exits(1)
	c.keys("\x15bye\r") // Ctrl-U clears the line
	c.expect("connection closed by the server: 1000 (normal)")
	c.exits(0)
}

// A terminal that does not know its size gets 80 columns.
func TestConnectTerminalOfNoSize(t *testing.T) {
	s := newConnectServer(t, true)
	c, _ := s.start("")
	if err := pty.Setsize(c.tty, &pty.Winsize{}); err != nil {
		t.Fatal(err)
	}
	c.keys("hello\r")
	s.expect("text hello")
	c.keys("\x04")
	c.exits(0)
}
