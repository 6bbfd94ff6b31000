package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// childScript names what a child process of the tests is to run: what might be
// the end of it.
const childScript = "NVSESS_TEST_SCRIPT"

// runChild evaluates a text in a new engine, then another, and says what came of
// it.
func runChild() int {
	srv, err := session.NewServer(session.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	e := New(Options{Sessions: srv, hangGrace: time.Second})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	r, err := e.Eval(ctx, os.Getenv(childScript), EvalOptions{})
	fmt.Printf("%.300s %v\n", r.Text, err)
	if errors.Is(err, ErrClosed) {
		fmt.Println("HUNG")
	}
	r, err = e.Eval(ctx, "40 + 2", EvalOptions{})
	for errors.Is(err, ErrClosed) && ctx.Err() == nil { // it is being replaced
		r, err = e.Eval(ctx, "40 + 2", EvalOptions{})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("alive", r.Text)
	return 0
}

// child runs a script in a process of its own with little memory, and returns
// what it says.
func child(t testing.TB, text string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "ulimit -v 6000000; exec \"$0\"", os.Args[0])
	cmd.Env = append(os.Environ(), childScript+"="+text)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	s := out.String()
	if len(s) > 600 {
		s = s[:600]
	}
	return strings.TrimSpace(s), err
}

// What would end another program's process ends in an error: things that are too
// large, too deep, or have no end.
func TestProcessSurvives(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more address space than the limit that stands for a machine's end")
	}
	t.Parallel()
	scripts := map[string]string{ // what is expected to be said
		"new ArrayBuffer('99999999999')":                                              "RangeError",
		"new ArrayBuffer({ valueOf() { return 1e12; } })":                             "RangeError",
		"new Uint8Array({ length: 1e12 })":                                            "RangeError",
		"new Float64Array(1e12)":                                                      "RangeError",
		"Uint8Array.from({ length: 1e11 })":                                           "RangeError",
		"Array.from({ length: 2 ** 53 - 1 })":                                         "RangeError",
		"Buffer.from({ length: 1e12 })":                                               "RangeError",
		"Buffer.from({ type: 'Buffer', data: { length: 1e12 } })":                     "alive",
		"Buffer.concat([Buffer.from('a')], 1e11)":                                     "RangeError",
		"Buffer.alloc('1e12')":                                                        "RangeError",
		"var a = []; for (;;) a.push(new ArrayBuffer(2 ** 28))":                       "RangeError",
		"Math.max.apply(null, { length: 1e9 })":                                       "RangeError",
		"Reflect.apply(Math.max, null, { length: 2 ** 32 })":                          "RangeError",
		"new Array(1e6).join('x'.repeat(1e6))":                                        "RangeError",
		"'a'.repeat(1e6).replaceAll('a', 'b'.repeat(1e6))":                            "RangeError",
		"''.concat(...new Array(1000).fill('x'.repeat(6e7)))":                         "RangeError",
		"'a'.repeat(2 ** 25).split('').length":                                        "RangeError",
		"Array.from('a'.repeat(2 ** 25)).length":                                      "RangeError",
		"[...'a'.repeat(2 ** 25)].length":                                             "RangeError",
		"'a'.repeat(2 ** 25).match(/./g).length":                                      "RangeError",
		"[...new Uint8Array(2 ** 27)].length":                                         "RangeError",
		"'a\\n'.repeat(1e5).split('\\n').length":                                      "100001",
		"'x'.repeat({ valueOf() { return 1e12; } })":                                  "RangeError",
		"'x'.padEnd({ valueOf() { return 1e12; } })":                                  "RangeError",
		"Array.prototype.map.call({ length: 2 ** 53 - 1 }, (x) => x)":                 "RangeError",
		"new Array(2 ** 32 - 1).sort()":                                               "RangeError",
		"[...Array(2 ** 32 - 1)]":                                                     "RangeError",
		"BigInt.asUintN(2 ** 53 - 1, -1n)":                                            "RangeError",
		"var s = 'x'; for (;;) s += s":                                                "alive",
		"JSON.parse('['.repeat(1e6))":                                                 "SyntaxError",
		"eval('!'.repeat(5e6) + '1')":                                                 "SyntaxError",
		"eval('1' + '+1'.repeat(5e6))":                                                "SyntaxError",
		"new Function('a=>'.repeat(2e6) + '1')":                                       "SyntaxError",
		"(async function () {}).constructor('x='.repeat(3e6) + '1')":                  "SyntaxError",
		"eval('if(1);' + 'else if(1);'.repeat(2e6))":                                  "SyntaxError",
		"eval('if(1){}' + 'else if(1){}'.repeat(2e6))":                                "SyntaxError",
		"eval('a' + '.a'.repeat(3e6))":                                                "SyntaxError",
		"eval('a' + '+{}'.repeat(3e6))":                                               "SyntaxError",
		"new RegExp('('.repeat(1e6))":                                                 "SyntaxError",
		"/(a+)+$/.test('a'.repeat(50) + 'b')":                                         "false",
		"/^(?=(a+)+b)\\1/.test('a'.repeat(50))":                                       "false",
		"function f() { return [1].map(f); } f()":                                     "RangeError",
		"function* g() { yield* g(); } [...g()]":                                      "RangeError",
		"async function g() { await g(); } g()":                                       "RangeError",
		"var p = {}; for (var i = 0; i < 1e7; i++) p = new Proxy(p, {}); p.x":         "MiB of memory",
		"var o = []; for (var i = 0; i < 5e3; i++) o = [o]; JSON.stringify(o).length": "10002",
		"Promise.resolve({ then(r) { r(this); } })":                                   "processor time",
	}
	var all sync.WaitGroup
	turn := make(chan struct{}, 2)
	for text, want := range scripts {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if out, err := child(t, text); err != nil || !strings.Contains(out, want) || !strings.Contains(out, "alive 42") {
				t.Errorf("%s\n%v: %s", text, err, out)
			}
		})
	}
	all.Wait()
}
