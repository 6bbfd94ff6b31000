package inspect_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// raw is what must never reach a terminal: control characters but the line break (format's strings may hold tabs), marks of direction.
var raw = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

// TestNothingRaw puts text that a peer may have chosen wherever it can get printed.
func TestNothingRaw(t *testing.T) {
	rt := newRuntime(t)
	run(t, rt, `
		var evil = 'a\x1b]0;owned\x07\x9b31m\r\x7f\u202e\u2066\b\0';
		var custom = Symbol.for('nodejs.util.inspect.custom');
		class Evil { get [Symbol.toStringTag]() { return evil; } }
		function named(f) { return Object.defineProperty(f, 'name', {value: evil}); }
		var e = new Error(evil);
	`)
	for _, c := range []string{
		`inspect(evil)`,
		`inspect({[evil]: 1})`,
		`inspect({[Symbol(evil)]: Symbol(evil)})`,
		`inspect(Symbol(evil))`,
		`inspect(Object(Symbol(evil)))`,
		`inspect(Object(evil))`,
		`inspect(new Evil())`,
		`inspect({a: {b: {c: Object.assign(new Evil(), {x: 1})}}})`,
		`inspect(Object.create(null, {[Symbol.toStringTag]: {value: evil}}))`,
		`inspect(named(() => 1))`,
		`inspect(named(class {}))`,
		`(() => { const E = named(class {}); return inspect(class extends E {}); })()`,
		`inspect(new (named(class {}))())`,
		`inspect(new (class extends Map { get [Symbol.toStringTag]() { return evil; } })())`,
		`inspect(e)`,
		`inspect({e})`,
		`inspect(Object.assign(new Error('x'), {name: evil}))`,
		`inspect(Object.assign(new Error('x'), {stack: evil}))`,
		`inspect(Object.assign(new Error('x'), {stack: evil + '\n    at ' + evil}))`,
		`inspect(Object.assign(new Error('x'), {[evil]: evil}))`,
		`inspect(new Error('x', {cause: e}))`,
		`inspect(new AggregateError([e], evil))`,
		`inspect(Object.setPrototypeOf(new Error(evil), null))`,
		`inspect(new RegExp(evil))`,
		`inspect({[custom]() { return evil; }})`,
		`inspect(Object.defineProperty({}, evil, {value: evil}), {showHidden: true})`,
		`inspect({get a() { throw new Error(evil); }}, {getters: true})`,
		`inspect({get a() { return evil; }}, {getters: true})`,
		`inspect(new Map([[evil, evil]]))`,
		`inspect(new Map([[evil, evil]]).entries())`,
		`inspect(Promise.reject(e))`,
		`inspect(evil.repeat(2000))`,
		`inspect({[evil]: evil}, {compact: true, breakLength: 10})`,
		`inspect(new Proxy({[evil]: evil}, {[evil]: evil}), {showProxy: true})`,
		`format(evil)`,
		`format('%s', evil)`,
		`format(evil, evil, {a: evil})`,
		`format(evil + '%s' + evil + '%%' + evil, evil, evil)`,
		`format('%s', Symbol(evil))`,
		`format('%s', {toString() { return evil; }})`,
		`format('%j', {[evil]: evil, a: '\x7f\x9b\u202e'})`,
		`format('%j', {toJSON() { throw new Error(evil); }})`,
		`format('%d %i %f %o %O', evil, evil, evil, {[evil]: e}, {[evil]: e})`,
		`format('%' + evil, 1)`,
	} {
		got := run(t, rt, c)
		if m := raw.FindString(got); m != "" {
			t.Errorf("%s has %q: %q", c, m, got)
		}
		if !strings.Contains(got, "owned") && !strings.Contains(c, "toJSON") {
			t.Errorf("%s lost its text: %q", c, got)
		}
	}
}

func TestEscapes(t *testing.T) {
	rt := newRuntime(t)
	for c, want := range map[string]string{
		`inspect(new (class A { get [Symbol.toStringTag]() { return 'x\x1b[2J\ny'; } })())`: "A [x\\x1B[2J\ny] {}",
		`inspect({[Symbol('a\x1b\nb')]: 1})`:                                                `{ [Symbol(a\x1B\nb)]: 1 }`,
		`inspect('a\u202eb')`:                                                               `'a\u202eb'`,
		`inspect({'k\u2066': 1})`:                                                           `{ 'k\u2066': 1 }`,
		`format('a\tb\nc\x1b\u200f')`:                                                       "a\tb\nc\\x1B\\u200f",
		`inspect({[Symbol.for('nodejs.util.inspect.custom')]: () => '\x1b[31mred\x1b[39m\x1b[2J'})`: "\x1b[31mred\x1b[39m\\x1B[2J",
	} {
		if got := run(t, rt, c); got != want {
			t.Errorf("%s = %q, want %q", c, got, want)
		}
	}
}

// TestStack is about the stacks goja makes: V8's format, without goja's program counter.
func TestStack(t *testing.T) {
	rt := newRuntime(t)
	v, err := rt.RunScript("handlers.js", "function fail() { throw new TypeError('boom'); }\nvar caught; try {\n  fail(); } catch (e) { caught = e; }\ninspect({e: Object.assign(caught, {code: 'E'})})")
	if err != nil {
		t.Fatal(err)
	}
	want := "{\n  e: TypeError: boom\n      at fail (handlers.js:1:25)\n      at handlers.js:3:7 {\n    code: 'E'\n  }\n}"
	if v.String() != want {
		t.Errorf("got\n%s\nwant\n%s", v, want)
	}
}

// TestThrowing: what throws when it is looked at is passed over.
func TestThrowing(t *testing.T) {
	rt := newRuntime(t)
	run(t, rt, `
		function no() { throw new Error('no'); }
		var custom = Symbol.for('nodejs.util.inspect.custom');
		class HasInstance { static [Symbol.hasInstance]() { no(); } }
	`)
	for c, want := range map[string]string{
		`inspect({get [Symbol.toStringTag]() { no(); }})`:                                                               "{ [Symbol(Symbol.toStringTag)]: [Getter] }",
		`inspect(new (class A { get [Symbol.toStringTag]() { no(); } })())`:                                             "A {}",
		`inspect(new (class A { get [Symbol.iterator]() { no(); } })())`:                                                "A {}",
		`inspect(new (class A { get [custom]() { no(); } })())`:                                                         "A {}",
		`inspect(new (class A { [custom]() { no(); } })())`:                                                             "A {}",
		`inspect(new (class A { [custom]() { return {toString: no, a: 1}; } })())`:                                      "{ toString: [Function: no], a: 1 }",
		`inspect(new HasInstance())`:                                                                                    "{}",
		`inspect(class { static get name() { no(); } })`:                                                                "[class (anonymous)]",
		`inspect({get a() { no(); }})`:                                                                                  "{ a: [Getter] }",
		`inspect(Object.defineProperty(new Error('x'), 'stack', {get: no}))`:                                            "[Error: x]",
		`inspect(new Proxy({a: 1}, {get: no, ownKeys: no, has: no, getPrototypeOf: no, getOwnPropertyDescriptor: no}))`: "{ a: 1 }",
		`format('%s', {toString: no})`:                                                                                  "[object]",
		`format('%d', {valueOf: no})`:                                                                                   "NaN",
		`format('%j', {toJSON: no})`:                                                                                    "[not JSON]",
	} {
		if got := run(t, rt, c); got != want {
			t.Errorf("%s\n got %s\nwant %s", c, got, want)
		}
	}
}

// TestBounds: no value is too deep, too wide or too large to print in reasonable time and space.
func TestBounds(t *testing.T) {
	rt := newRuntime(t)
	for name, c := range map[string]struct {
		code string
		most int
		slow bool // too slow for the race detector, which has nothing to find in it
	}{
		"deep list":       {`(() => { let a = []; for (let i = 0; i < 100000; i++) a = [a]; return inspect(a, {depth: null}); })()`, 4 << 20, false},
		"deep prototypes": {`(() => { let a = null; for (let i = 0; i < 5000; i++) a = Object.create(a); return inspect(a); })()`, 1 << 20, false},
		"deep proxies":    {`(() => { let a = {}; for (let i = 0; i < 5000; i++) a = new Proxy(a, {}); return inspect(a) + inspect(a, {showProxy: true, depth: null}); })()`, 8 << 20, false},
		"deep errors":     {`(() => { let a = null; for (let i = 0; i < 3000; i++) { a = new Error('x', {cause: a}); a.stack = 'Error: x'; } return inspect(a, {depth: null}); })()`, 4 << 20, true},
		"custom forever":  {`(() => { const custom = Symbol.for('nodejs.util.inspect.custom'); const a = {[custom]() { return {[custom]: this[custom]}; }}; return inspect(a); })()`, 1 << 20, false},
		"wide":            {`inspect(new Array(2000000).fill(1))`, 1000, true},
		"bytes":           {`inspect(new Uint8Array(64 << 20)) + inspect(new ArrayBuffer(64 << 20))`, 2000, false},
		"long string":     {`inspect('x'.repeat(50 << 20))`, 10100, true},
		"fan":             {`(() => { let a = 'leaf'; for (let i = 0; i < 8; i++) a = new Array(30).fill(a); return inspect(a, {depth: null}); })()`, 64 << 20, true},
	} {
		if c.slow && raceEnabled {
			continue
		}
		start := time.Now()
		got := run(t, rt, c.code)
		if len(got) > c.most || got == "" {
			t.Errorf("%s: %d bytes of output", name, len(got))
		}
		t.Log(name, len(got), time.Since(start))
	}
}

// sesses is a Map as srv.sesses_ is one, with as many entries as are shown, in a server of 5000.
const sesses = `
	class Sess {
		#r;
		constructor(r) { this.#r = r; }
		get [Symbol.toStringTag]() { return JSON.stringify(this.#r, null, 2); }
	}
	var sesses = new Map();
	for (let i = 0; i < 5000; i++) {
		const id = 'INvQ9Xzz-RpN6IS7AYAUlYba7mbYWVRPPFQKuew8nL3u-yx2lS45qZU_3dx' + String(i).padStart(5, '0');
		sesses.set(new Sess({id, host: 'localhost', key: 'K2DYM2dEcI477JObBbNo1Q==', cookies: [], requestedExtensions: [], query: {}}), id);
	}`

func TestQuickEnough(t *testing.T) {
	rt := newRuntime(t)
	run(t, rt, sesses)
	best := time.Hour
	for range 10 {
		start := time.Now()
		out := run(t, rt, `inspect(sesses)`)
		best = min(best, time.Since(start))
		if !strings.HasSuffix(out, fmt.Sprintf("... %d more items\n}", 4900)) {
			t.Fatalf("%q", out[len(out)-100:])
		}
	}
	most := 20 * time.Millisecond // it takes about 3
	if raceEnabled {
		most *= 20
	}
	if best > most {
		t.Errorf("100 sessions took %v", best)
	}
	t.Log(best)
}

func BenchmarkSessions(b *testing.B) {
	rt := newRuntime(b)
	run(b, rt, sesses)
	for b.Loop() {
		run(b, rt, `inspect(sesses)`)
	}
}
