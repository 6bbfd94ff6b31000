package script_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// What goja and goja_nodejs lack, or do otherwise, and what is here in place of
// it: each expression must print what it prints in Node.js.
var asInNode = []string{
	`Buffer.from('grüße 👋')`, `Buffer.from('7b0a20zz', 'hex')`, `Buffer.from('é\u0141', 'latin1')`, `Buffer.from('é👋', 'utf16le')`, `Buffer.from('-_8', 'base64url')`,
	`Buffer.from('+/8=', 'base64')`, `Buffer.from({type: 'Buffer', data: [1, 2]})`, `Buffer.from(new Uint8Array([1, 2]).buffer, 1)`,
	`try { Buffer.from('x', 'klingon') } catch (e) { [e.message, e.code, e instanceof TypeError] }`,
	`['utf8', 'hex', 'base64', 'base64url', 'latin1', 'binary', 'ascii', 'utf16le', 'UCS-2'].map((e) => Buffer.from('grü\xff?').toString(e))`,
	`Buffer.from('abcdef').toString('utf8', 1, 3)`, `Buffer.from('abcdef').toString('latin1', 2)`, `Buffer.from('abc').toString(undefined, 5)`,
	`[Buffer.from('a'), new Uint8Array(1), 'a', null].map((x) => Buffer.isBuffer(x))`, `['utf8', 'LATIN1', 'x'].map((x) => Buffer.isEncoding(x))`,
	`[Buffer.byteLength('é'), Buffer.byteLength('é', 'latin1'), Buffer.byteLength('abcd', 'hex'), Buffer.byteLength(new Uint16Array(2))]`,
	`[['a', 'b'], ['ab', 'a'], ['a', 'a']].map(([x, y]) => Buffer.compare(Buffer.from(x), Buffer.from(y)))`, `Buffer.from('b').compare(Buffer.from('a'))`,
	`JSON.stringify(Buffer.from('a'))`, `Buffer.from('abc').slice(1)`, `Buffer.from('abcdef').slice(-3, -1).toString()`, `Buffer.from('abc').subarray(2, 1)`,
	`var b = Buffer.from('abc'); b.slice(1)[0] = 120; b.toString()`, `Buffer.from('ab').map((x) => x + 1)`, `Buffer.from('ab').filter((x) => x > 97)`,
	`var to = Buffer.alloc(4); [Buffer.from('abc').copy(to, 1), to, Buffer.from('abcdef').copy(to, 2, 1, 5), to]`,
	`[Buffer.from('abcabc').indexOf('ca'), Buffer.from('abc').indexOf(99), Buffer.from('abcabc').indexOf('b', 2), Buffer.from('abc').indexOf('x'), Buffer.from('abc').indexOf(Buffer.from('bc'))]`,
	`[Buffer.from('abcabc').lastIndexOf('bc'), Buffer.from('abcabc').lastIndexOf(97), Buffer.from('abc').lastIndexOf('x'), Buffer.from('abc').includes('bc')]`,
	`[Buffer.alloc(5).fill('ab'), Buffer.alloc(3).fill(7), Buffer.alloc(4).fill('ff', 1, 3, 'hex'), Buffer.alloc(3).fill(Buffer.from('xy'), 1)]`,
	`var w = Buffer.alloc(6); [w.write('é', 1), w.write('ffee', 4, 'hex'), w.write('abc', 0, 1, 'latin1'), w]`,
	`[atob('6Q=='), btoa('é'), atob(btoa('\x00\xff'))]`, `structuredClone({a: Buffer.from('a').length, b: new Uint8Array([1]), m: new Map([[1, new Set([2])]])})`,

	`[new TextDecoder('UTF-16le').decode(new Uint8Array([65, 0, 233, 0, 61, 216, 75, 220])), new TextDecoder().decode(new Uint8Array([239, 187, 191, 65]))]`,
	`[new TextDecoder('utf8', {ignoreBOM: true}).decode(new Uint8Array([239, 187, 191, 65])).length, new TextDecoder('utf-16').encoding, new TextDecoder().fatal]`,
	`[new TextDecoder().decode(new Uint8Array([1, 65, 66, 2]).subarray(1, 3)), new TextDecoder().decode(new Uint8Array([65]).buffer), new TextDecoder().decode()]`,
	`try { new TextDecoder('klingon') } catch (e) { [e.message, e.code, e instanceof RangeError] }`,
	`try { new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([65, 255])) } catch (e) { [e.message, e.code, e instanceof TypeError] }`,
	`var e = structuredClone(new RangeError('x', {cause: {y: 1}})); [e instanceof RangeError, e.name, e.message, e.cause, Object.keys(e)]`,
	`var e = structuredClone(Object.assign(new Error('x'), {name: 'Mine'})); [e instanceof Error, e.name, e.message]`,
	`structuredClone(new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2))`,

	`JSON.stringify({a: [], b: {}, c: {d: [1, [], {e: []}]}, f: 2}, null, 2)`, `JSON.stringify([[], [[]], 1], null, '--')`, `JSON.stringify({a: 1, b: [1]}, ['b'], 40)`,
	`JSON.stringify({a: 'x{[,:\\"', b: "\u2028"}, (k, v) => v, new Number(1))`, `[JSON.stringify(undefined, null, 2), JSON.stringify('s', null, 2), JSON.stringify([], null, -1), JSON.stringify.length]`,
}

func TestAsInNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	list, err := json.Marshal(asInNode)
	if err != nil {
		t.Fatal(err)
	}
	const program = `const { inspect } = require("util");
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0)).map((x) => inspect((0, eval)(x)))))`
	cmd := exec.CommandContext(t.Context(), node, "-e", program)
	cmd.Stdin = strings.NewReader(string(list))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want []string
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	b := newBed(t)
	for i, text := range asInNode {
		b.prints(text, want[i])
	}
}
