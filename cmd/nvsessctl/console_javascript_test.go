package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/admin"
)

// eval enters an input and waits for its value, and the prompt after it.
func (c *terminal) eval(code, want string) {
	c.t.Helper()
	c.keys(code + "\r")
	c.expect("\x1b[?2004l") // entered
	c.expect(want)
	c.expect(prompt)
}

// paste is what a terminal makes of a paste.
func paste(text string) string {
	return "\x1b[200~" + strings.ReplaceAll(text, "\n", "\r") + "\x1b[201~"
}

// The workflow of nv-session-simple: its snippets, pasted, at a prompt that stays as it is while clients talk.
func TestConsoleSnippets(t *testing.T) {
	d, members := startTestDaemon(t, "/a")
	c := openConsole(t, d)
	c.keys(paste(`
        srv.regis_$json_handle$(

             async (recved_json,conn,sess,self) => {
                console.log('Received JSON Message of ',recved_json);
                //conn.jsend(...J....);
                //  OR
                await conn.ajsend({got: recved_json})
            }
        )
`))
	c.expect("undefined\r\n")
	c.expect(prompt)
	c.keys("var half = 'typ")
	c.expect("typ")
	if err := members[0].conn.SendJSON(t.Context(), map[string]int{"a": 200}); err != nil {
		t.Fatal(err)
	}
	members[0].expect(t, `json {"got":{"a":200}}`)
	c.expect("\r\x1b[JReceived JSON Message of  { a: 200 }\r\n" + prompt + "var half = 'typ") // above what is being typed
	c.eval("ed'", "undefined")
	c.eval("half", "'typed'")
	c.eval("srv.sesses_", "Map(1) {\r\n  Sess [{")
	c.eval("var sess = srv.lst_sess()", "undefined")
	c.eval("await sess.conn_.send_jrr_sreq({'hi':'you must reply'})", "___data___: { path: '/a' }")
	members[0].expect(t, `request {"hi":"you must reply"}`)
	c.eval("_.___type___", "'___cres___'")
	c.eval("srv.rgx_sess_filter(/\"resource\":\"\\/a\"/).length", "1")
	c.eval("srv.fst_sess().conn_.bsend(new Uint8Array([10,20,30]))", "")
	members[0].expect(t, "binary 0a141e")
	c.eval("Buffer.from('7b7d', 'hex').toString()", "'{}'")
	c.eval("handlers json", "json    js")
	c.eval("sesses --count", "1\r\n")
}

func TestConsoleVariables(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	c.eval("var a = 1; let b = 2; const c = 3", "undefined")
	c.eval("a + b + c", "6")
	c.eval("_ * 2", "12")
	c.eval("let b = await Promise.resolve(40)", "undefined")
	c.eval("a + b", "41")
	c.eval("stats = 7", "with ; before it, it is JavaScript")
	c.eval(";stats = 7", "7")
	c.eval("sesess", "did you mean the command sesses?")
	c.eval("close = 5", "with ; before it, it is JavaScript")
	c.eval("js = 5", "with ; before it, it is JavaScript")
	c.eval("exit()", "the command is written without (): exit")
	c.eval("jsend({a: 1})", "the command is written without (): jsend SESS JSON")
	c.eval("help(1)", "the command is written without (): help")
	c.eval("  ({a: 1})", "{ a: 1 }")
	c.eval("{a: 1}", "{ a: 1 }")
	c.eval("console.log('first'); console.error('second'); 'third'", "first\r\nsecond\r\n'third'")
	c.eval("console.log('before'); null.x", "before\r\nTypeError")
	c.eval("a b", "    ^\r\nSyntaxError: ")
	c.eval("'\\x1b[31m'", `'\x1B[31m'`)
	c.eval("console.log('\\x1b]0;x\\x07')", `\x1B]0;x\x07`)
	c.eval("js 1 + 1", "2")
	c.eval("help", "each that begins with ;, is JavaScript (help\r\njs)")
	c.eval("help js", "js srv.sesses_.size")
	c.eval("help connect", "nvsessctl connect")
	c.eval("help gen", "Makes the files")
	c.eval("connect ws://localhost/", "in a shell, write nvsessctl connect")
	c.keys("[1,2].map(x => x *\r")
	c.expect("... ")
	c.eval("2)", "[ 2, 4 ]")
	c.keys("f(\r")
	c.expect("... ")
	c.keys(ctrlC)
	c.expect(prompt)
	c.keys(ctrlD)
	c.exits(0)
}

func TestHints(t *testing.T) {
	undefined := func(name string) error {
		return &admin.Error{Code: admin.CodeJS, Message: "ReferenceError: " + name + " is not defined"}
	}
	nobody := &admin.Error{Code: admin.CodeNoSuchSession, Message: "no session is connected"}
	syntax := &admin.CodeError{Message: "Unexpected token"}
	without := &admin.Error{Code: admin.CodeNotAvailable, Message: "this daemon was started without a file of handlers"}
	for _, c := range []struct {
		text string
		err  error
		want string
	}{
		{"close = 5", nobody, "with ; before it, it is JavaScript"},
		{"close = ", nobody, ""},
		{"close fst", nobody, ""},
		{"jsend(nobody)", undefined("nobody"), ""},
		{"jsend({a:1});", undefined("jsend"), "the command is written without (): " + admin.Lookup("jsend").Usage()},
		{"stats();", undefined("stats"), "the command is written without (): stats"},
		{"sesess", undefined("sesess"), "did you mean the command sesses?"},
		{"reload_handlers", without, ""},
		{"else {", syntax, ""},
		{"else", syntax, ""},
		{"clse the first", syntax, "did you mean the command close?"},
	} {
		got := ""
		if h := (*hintedError)(nil); errors.As(hinted(c.err, c.text), &h) {
			got = h.hint
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestConsolePastesSeveralInputs(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	c.keys(paste("var v = {\n  sesses: 1,\n};\nsesses --count\n// a comment\nv\n"))
	c.expect("0\r\n{ sesses: 1 }\r\n")
	c.expect(prompt)
	// Without a line's end it waits for Enter, and may be edited.
	c.keys(paste("function f(x) {\n  return x * 2\n}"))
	c.expect("... }")
	c.keys(" f(4)\r")
	c.expect("8\r\n")
	c.expect(prompt)
	c.keys(paste("1\nnowhere\n2\n"))
	c.expect("ReferenceError")
	c.expect("(what was pasted after that is not carried out: 1 more)")
	c.expect(prompt)
	c.keys(paste("var w = 1\na b\nw = 2\n"))
	c.expect("SyntaxError")
	c.expect(prompt)
	c.eval("typeof w", "'undefined'") // none of it ran
	// A terminal that does not mark pastes sends lines.
	c.keys("g = (x) => {\r  return x + 1\r}\r")
	c.expect("[Function: g]")
	c.expect(prompt)
	c.eval("g(1)", "2")
}

func TestConsoleHistoryOfSeveralLines(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	c.keys("[\r1,\r2]\r")
	c.expect("[ 1, 2 ]")
	c.expect(prompt)
	c.keys(ctrlD)
	c.exits(0)
	c = openConsole(t, d)
	c.keys(up)
	c.expect("[\r\n... 1,\r\n... 2]")
	c.keys(up + "\x1b[D3" + "\r") // its second line, before the comma
	c.expect("[ 13, 2 ]")
}

func TestConsoleInterruptsJavaScript(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	for _, endless := range []string{"while (1);", "await new Promise(() => {})"} {
		c.keys("console.log('it', 'runs'); " + endless + "\r")
		c.expect("it runs\r\n")
		c.keys(ctrlC)
		c.expect("^C")
		c.expect(prompt)
		c.eval("1 + 1", "2")
	}
}

func TestConsoleCompletesJavaScript(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	c.keys("srv.fst" + tab)
	c.expect("fst_sess")
	c.keys("()\r")
	c.expect("undefined")
	c.expect(prompt)
	c.keys("srv.regis_$j" + tab)
	c.expect("json_handle$")
	c.keys(ctrlC)
	c.expect(prompt)
	c.keys("srv." + tab)
	c.expect("sess_filter")
	c.expect("sesses_")
	c.expect(prompt + "srv.")
	c.keys(ctrlC)
	c.expect(prompt)
	c.keys("var été = {année: 1}; été.ann" + tab)
	c.expect("ann") // declared only when it runs
	c.keys(ctrlC)
	c.expect(prompt)
	c.eval("var été = {année: 1}", "undefined")
	c.keys("été.ann" + tab)
	c.expect("ée")
	c.keys("\r")
	c.expect("1\r\n")
	c.expect(prompt)
	c.eval("var calls = 0; var o = { get g() { return calls++ }, f() { calls++; return {x: 1} } }", "undefined")
	c.keys("o.f()." + tab + ctrlC)
	c.expect(prompt)
	c.eval("calls", "0")
}

func TestConsoleFollowsTheNextDaemon(t *testing.T) {
	d, _ := startTestDaemon(t)
	c := openConsole(t, d)
	d.Stop()
	c.eval("1", "no nvsessd answers")
	d.start()
	c.eval("console.log('here'); 2", "here\r\n2")
}
