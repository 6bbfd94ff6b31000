package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/leak"
)

// connectResult is what a run of connect left.
type connectResult struct {
	out, notes string
	err        error
}

// code is the exit status main makes of the error.
func (r connectResult) code() int {
	var with interface{ ExitCode() int }
	switch {
	case r.err == nil:
		return 0
	case errors.As(r.err, &with):
		return with.ExitCode()
	}
	return 1
}

func connectWith(t *testing.T, stdin io.Reader, args ...string) connectResult {
	t.Helper()
	connectLeakCheck(t)
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	var out, notes await.Buffer
	err := runConnect(ctx, args, stdin, &out, &notes)
	if ctx.Err() != nil {
		t.Error("connect did not end by itself")
	}
	return connectResult{connectTimes.ReplaceAllString(out.String(), "TIME"), connectTimes.ReplaceAllString(notes.String(), "TIME"), err}
}

var connectTimes = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}`)

// connectLeakCheck fails the test if goroutines or sockets of connect outlive it.
func connectLeakCheck(t *testing.T) {
	t.Cleanup(func() { leak.Goroutines(t, "nvsess/client.", "connectPipe", "connectSession") })
}

func TestConnectScript(t *testing.T) {
	s := newConnectServer(t, false)
	r := connectWith(t, strings.NewReader("hello\n\n"+
		` {"a": 1, "b": "<é>"}`+"\n"+
		"/text /close\n/text {\n/json [1, 2]\n/bin 68 65 6c 6c 6f\n/creq {\"k\":\"hi\"}\n/bin\n"),
		"--wait", "10s", s.url, "-n", "7")
	want := `TIME string hello
TIME json   {"a":1,"b":"<é>"}
TIME string /close
TIME string {
TIME json   [1,2]
TIME binary 5 bytes
  00000000  68 65 6c 6c 6f                                    |hello|
TIME binary 0 bytes
`
	// The answer comes when it comes.
	sres := regexp.MustCompile(`(?m)^TIME sres   \{"___type___":"___sres___","___id___":"[\w-]{64}","___data___":\{"k":"hi"\}\} \(\d+(\.\d+)?(µ|m)?s\)\n`)
	if n := len(sres.FindAllString(r.out, -1)); n != 1 {
		t.Errorf("%d answers in\n%s", n, r.out)
	}
	if out := sres.ReplaceAllString(r.out, ""); r.code() != 0 || out != want || r.notes != "" {
		t.Errorf("%v\n%s\n%s", r.err, out, r.notes)
	}
	s.expect("text hello")
	s.expect(`text  {"a": 1, "b": "<é>"}`)
}

func TestConnectEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		code  int
		err   string
		close string // what the server saw, if this side closed
	}{
		"end of input":     {"x\n", nil, 0, "", "close 1000"},
		"enough":           {"x\ny\nz\n", []string{"-n", "2"}, 0, "", "close 1000"},
		"no input":         {"", nil, 0, "", "close 1000"},
		"/close":           {"/close\nnever sent\n", nil, 0, "", "close 1000"},
		"/close with code": {"/close 4000 good bye\n", nil, 0, "", "close 4000 good bye"},
		"by the server":    {"bye\n", []string{"--wait", "10s"}, 0, "", ""},
		"kicked":           {"kick\n", []string{"--wait", "10s"}, 1, `connect: connection closed by the server: 4001 "no \x1b[2J more"`, ""},
		"dropped":          {"drop\n", []string{"--wait", "10s"}, 1, "connect: connection closed: 1006 (no close frame): server hung up: unexpected EOF", ""},
		"too few":          {"bye\n", []string{"-n", "2"}, 1, "connect: connection closed by the server: 1000 (normal), after 0 of 2 messages", ""},
		"bad command":      {"/nope\x1b\nx\n", nil, 1, `connect: there is no /nope\x1b; /help lists the commands, /text sends such a string`, "close 1000"},
		"bad JSON":         {"/json {\"a\":}\n", nil, 1, "connect: /json: invalid JSON at column 6: a value was expected: text goes in double quotes, or is it true, false, null or a number?", "close 1000"},
		"scalar":           {"/json 5\n", nil, 1, "connect: /json: only an object or an array arrives as JSON; /text sends the rest", "close 1000"},
		"bad hex":          {"/bin 0g\n", nil, 1, "connect: /bin: invalid byte: U+0067 'g'; write bytes as 0a 14 1e", "close 1000"},
		"bad code":         {"/close 1005\n", nil, 1, "connect: /close: close code 1005 cannot be sent: use 1000 or 3000-4999", "close 1000"},
		"no code":          {"/close x\n", nil, 1, `connect: /close: "x" is not a close code`, "close 1000"},
		"bad reply":        {"/reply abc {}\n", nil, 1, `connect: /reply: no pending request begins with "abc"; /pending lists them`, "close 1000"},
		"reply to nothing": {"/reply {\"ok\":1}\n", nil, 1, "connect: /reply: nothing waits for an answer", "close 1000"},
		"no reply":         {"/reply\n", nil, 1, "connect: /reply ID JSON; /pending lists the ids", "close 1000"},
		"no answer":        {"/creq \"never\"\n", []string{"--timeout", "200ms"}, 1, "connect: /creq: no answer within 200ms", ""},
		"not UTF-8":        {"\xff\n", nil, 1, "connect: client: send string: unsendable message: not UTF-8", "close 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newConnectServer(t, false)
			r := connectWith(t, strings.NewReader(tc.stdin), append(tc.args, s.url)...)
			if text := fmt.Sprint(r.err); r.code() != tc.code || tc.err != "" && text != tc.err {
				t.Errorf("%d: %s", r.code(), text)
			}
			for tc.close != "" {
				if got := connectRecv(t, s.got); strings.HasPrefix(got, "close ") {
					if got != tc.close {
						t.Errorf("server saw %q", got)
					}
					break
				}
			}
		})
	}
}

func TestConnectSuggestsAURL(t *testing.T) {
	for given, want := range map[string]string{
		"localhost:7681": "ws://localhost:7681/?", "127.0.0.1:80/chat?a=1": "ws://127.0.0.1:80/chat?a=1?", "[::1]:80": "ws://[::1]:80/?",
		"localhost": "no scheme", "http://x:80/": "unknown scheme",
	} {
		if _, err := parseConnect([]string{given}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", given, err)
		}
	}
}

func TestHelpConnect(t *testing.T) {
	var out, notes bytes.Buffer
	if err := run(t.Context(), []string{"help", "connect"}, strings.NewReader(""), &out, &notes); err != nil || out.String() != connectUsage {
		t.Errorf("%v: %s%s", err, out.String(), notes.String())
	}
}

func TestConnectUsage(t *testing.T) {
	const u = "ws://127.0.0.1:1/"
	for _, args := range [][]string{
		{}, {"http://x"}, {"x"}, {"ws://h/#f"}, {"ws+unix://rel.sock"}, {u, u}, {"--wat", u}, {u, "--timeout", "x"}, {u, "--timeout", "0"},
		{u, "-n", "0"}, {u, "-n", "-1"}, {u, "--wait", "-1s"}, {u, "--auto", "{"}, {u, "--auto", ""}, {u, "--auto", "1", "--auto-echo"},
		{u, "-H", "x"}, {u, "-H", "a b: c"}, {u, "-H", "Upgrade: h2c"}, {u, "--origin", "a\nb"}, {u, "--subprotocol", "a,b"},
		{u, "--keepalive", "-1s"}, {u, "--", "x"},
	} {
		r := connectWith(t, strings.NewReader(""), args...)
		if r.code() != 2 || r.out+r.notes != "" || strings.ContainsAny(r.err.Error(), "\n\x1b") || strings.Contains(r.err.Error(), "client:") {
			t.Errorf("%q: %d, %v", args, r.code(), r.err)
		}
	}
	for _, flag := range []string{"-h", "--help"} {
		if r := connectWith(t, strings.NewReader(""), flag); r.code() != 0 || r.out != connectUsage {
			t.Errorf("%s: %d, %s", flag, r.code(), r.out)
		}
	}
}

// Every option is explained, and every command too.
func TestConnectHelpIsComplete(t *testing.T) {
	for _, name := range connectCommands {
		if !strings.Contains(connectHelp, "  "+name) {
			t.Errorf("/help does not mention %s", name)
		}
	}
	for _, name := range []string{"-H", "--origin", "--subprotocol", "--insecure", "--timeout", "--keepalive", "--auto", "--auto-echo",
		"--wait", "-n", "--json", "--pretty", "--full", "-v"} {
		if !strings.Contains(connectUsage, "\n  "+name+" ") {
			t.Errorf("--help does not explain %s", name)
		}
	}
}

func TestConnectFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			nc.Read(make([]byte, 4096))
			switch n {
			case 0:
				io.WriteString(nc, "HTTP/1.1 403 Forbidden\r\nContent-Length: 16\r\n\r\nnot \x1b[2J\n\n  you!")
			case 1:
				io.WriteString(nc, "SSH-2.0-OpenSSH\r\n")
			case 2:
				io.Copy(io.Discard, nc) // never answers
			}
			nc.Close()
		}
	})
	defer wg.Wait()
	defer ln.Close()
	u := "ws://me:secret@" + ln.Addr().String() + "/x"
	shown := strings.Replace(u, "secret", "xxxxx", 1)
	for _, want := range []string{
		"connect: " + shown + ` refused: 403 Forbidden: not \x1b[2J you!`,
		"connect: " + shown + `: not HTTP: "malformed HTTP response \"SSH-2.0-OpenSSH\""`,
		"connect: " + shown + ": no answer within 100ms",
	} {
		timeout, code := "10s", exitFailed
		if strings.HasSuffix(want, "100ms") {
			timeout, code = "100ms", exitNoReply
		}
		if r := connectWith(t, strings.NewReader(""), "--timeout", timeout, u); exitCode(r.err) != code || r.err.Error() != want {
			t.Errorf("%d: %v", r.code(), r.err)
		}
	}
	for u, want := range map[string]string{
		"ws://127.0.0.1:1/":            "connect: ws://127.0.0.1:1/: connect: connection refused",
		"ws+unix:///nowhere/at/a.sock": "connect: ws+unix:///nowhere/at/a.sock: connect: no such file or directory",
	} {
		if r := connectWith(t, strings.NewReader(""), u); exitCode(r.err) != exitNotReachable || r.err.Error() != want {
			t.Errorf("%d: %v", r.code(), r.err)
		}
	}
}

func TestConnectHandshakeOptions(t *testing.T) {
	s := newConnectServer(t, false)
	r := connectWith(t, strings.NewReader(""), s.url, "-H", "X-One: 1", "-H", "X-Two:2", "--origin", "https://example.org",
		"--subprotocol", "other", "--subprotocol", "chat", "-v", "--keepalive", "0")
	if r.code() != 0 || !strings.Contains(r.notes, "connected to "+s.url+", subprotocol chat\n") {
		t.Errorf("%v\n%s", r.err, r.notes)
	}
	head := strings.Join(connectRecv(t, s.head), "\n") + "\n"
	for _, want := range []string{"X-One: 1\n", "X-Two: 2\n", "Origin: https://example.org\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("no %q in %q", want, head)
		}
	}
}

// Nothing the peer sends reaches the terminal as a control character.
func TestConnectEscapes(t *testing.T) {
	s := newConnectServer(t, true)
	const evil = "\x1b]0;title\x07\u009b2J\u202e\x00\x7f"
	go func() {
		nc := <-s.conn
		s.say(nc, evil)
		s.say(nc, `"quoted"`)
		s.say(nc, " padded")
		s.say(nc, "日本 😀")
		s.say(nc, "{\"k\u009b\u202e\":\"\\u001b\x7f\",\r\"b\":1}")
		s.ask(nc, "id\u009b\x1b", `{"q":"`+"\u202e"+`"}`)
	}()
	pr, pw := io.Pipe()
	defer pw.Close()
	r := connectWith(t, pr, s.url, "-n", "6")
	for _, c := range r.out {
		if c != '\n' && (c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x202e) {
			t.Fatalf("%U reached the terminal: %q", c, r.out)
		}
	}
	want := `TIME string "\u001b]0;title\u0007\u009b2J\u202e\u0000\u007f"
TIME string "\"quoted\""
TIME string " padded"
TIME string 日本 😀
TIME json   {"k\u009b\u202e":"\u001b\u007f","b":1}
TIME sreq   id\u009b\x1b {"q":"\u202e"}
`
	if r.code() != 0 || r.out != want {
		t.Errorf("%v\n%s", r.err, r.out)
	}
}

func TestConnectAutoReply(t *testing.T) {
	id := strings.Repeat("x", 64)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--auto", `{"yes": [1]}`}, `{"yes":[1]}`},
		{[]string{"--auto-echo"}, `{"hi":1}`},
	} {
		s := newConnectServer(t, true)
		done := make(chan struct{})
		pr, pw := io.Pipe()
		go func() {
			defer close(done)
			s.ask(<-s.conn, id, `{"hi":1}`)
			s.expect("___cres___ " + id + " " + tc.want)
			pw.Close()
		}()
		r := connectWith(t, pr, append(tc.args, s.url)...)
		<-done
		want := "TIME sreq   xxxxxxxx {\"hi\":1}\nTIME cres   xxxxxxxx " + tc.want + "\n"
		if r.code() != 0 || r.out != want {
			t.Errorf("%v\n%s", r.err, r.out)
		}
	}
}

func TestConnectJSONOutput(t *testing.T) {
	s := newConnectServer(t, false)
	r := connectWith(t, strings.NewReader("a\x1bb\n{\"x\": \"<\"}\n/bin 00ff\n/ping\n"), s.url, "--json", "-n", "3")
	stamp := regexp.MustCompile(`"time":"[^"]+",`)
	lines := strings.Split(stamp.ReplaceAllString(r.out, ""), "\n")
	for _, want := range []string{
		`{"kind":"string","data":"a\u001bb"}`, `{"kind":"json","data":{"x":"<"}}`, `{"kind":"binary","data":"AP8=","base64":true,"length":2}`,
	} {
		if !strings.Contains(strings.Join(lines, "\n")+"\n", want+"\n") {
			t.Errorf("no %s in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if r.code() != 0 {
		t.Error(r.err)
	}
}

func TestConnectLongMessages(t *testing.T) {
	text := strings.Repeat("é", 20_000)
	input := "/text " + text + "\n/bin " + strings.Repeat("00", 1000) + "\n"
	s := newConnectServer(t, false)
	r := connectWith(t, strings.NewReader(input), s.url, "-n", "2")
	if r.code() != 0 || !strings.Contains(r.out, "é … 23616 bytes more; --full shows all\n") ||
		!strings.Contains(r.out, "  … 488 bytes more; --full shows all\n") {
		t.Errorf("%v\n%s", r.err, r.out)
	}
	r = connectWith(t, strings.NewReader(input), s.url, "-n", "2", "--full")
	if r.code() != 0 || !strings.Contains(r.out, text+"\n") || strings.Contains(r.out, "more") {
		t.Errorf("%v\n%d", r.err, len(r.out))
	}
}

// The end of the context, as by a signal, closes with 1000.
func TestConnectInterrupted(t *testing.T) {
	connectLeakCheck(t)
	s := newConnectServer(t, true)
	ctx, cancel := context.WithCancel(context.Background())
	pr, pw := io.Pipe()
	defer pw.Close()
	go func() {
		io.WriteString(pw, "x\n")
		s.expect("text x")
		cancel()
	}()
	if err := runConnect(ctx, []string{s.url}, pr, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
	s.expect("close 1000")
}

func TestConnectHistoryIsPrivate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	path := connectHistory()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", path, info, err)
	}
	t.Setenv("XDG_STATE_HOME", path) // no directory
	if got := connectHistory(); got != "" {
		t.Errorf("history in %q", got)
	}
}
