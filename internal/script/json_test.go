package script

import (
	"strings"
	"testing"
)

// JSON is read as JavaScript reads it, also where goja does not.
func TestJSONParse(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	for code, want := range map[string]string{
		`JSON.parse('1e999')`:                                                                     "Infinity",
		`JSON.parse('{"a":[-1e999,{"b":1E+999}],"c":1}')`:                                         "{ a: [ -Infinity, { b: Infinity } ], c: 1 }",
		`JSON.parse('["1e999","\\"1e999","\\\\",1e-999]')`:                                        `[ '1e999', '"1e999', '\\', 0 ]`,
		`JSON.parse('9'.repeat(400))`:                                                             "Infinity",
		`JSON.parse('[0.' + '9'.repeat(400) + ']')`:                                               "[ 1 ]",
		`JSON.parse('[1e999, 2]', (k, v) => v === Infinity ? 'inf' : v === 2 ? undefined : v)[0]`: "'inf'",
		`JSON.parse('[1,2]', (k, v) => Array.isArray(v) ? v.length : v)`:                          "2",
		`JSON.parse('"' + '['.repeat(20000) + '"').length`:                                        "20000",
		`JSON.parse('null', 'no function')`:                                                       "null",
		`JSON.stringify(JSON.parse('{"a":1e999}'))`:                                               `'{"a":null}'`,
	} {
		st.is(code, want)
	}
	for _, text := range []string{
		"01e999", "-", "1e999x", "1e999e5", "[1e999", "+1e999", ".1e999", "1.e999", `"1e999`, `"\`, "",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), strings.Repeat(`{"a":`, 100_000),
	} {
		st.is("(() => { try { return JSON.parse("+quoteJS(text)+"); } catch (e) { return e.name; } })()", "'SyntaxError'")
	}
	st.is("JSON.parse('["+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+"]').length", "1")
}

func quoteJS(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// A handler is given what JSON.parse gives.
func TestHugeNumbersReachHandlers(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.js("srv.regis_$json_handle$((j, conn) => conn.ssend(String(j.n)))")
	g := st.join()
	g.text(`{"n":-1e999}`)
	g.hears("-Infinity")
	g.text(`{"n":` + strings.Repeat("9", 100_000) + `}`)
	g.hears("Infinity")
	g.text(`{"n":"` + strings.Repeat("{", 20_000) + `"}`)
	g.hears(strings.Repeat("{", 20_000))
}
