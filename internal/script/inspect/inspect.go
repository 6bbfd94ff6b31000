package inspect

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

//go:embed js/*.js
var pieces embed.FS

// source is the program: a function of what the host can tell (host.go), whose value is the object {inspect, format, formatWithOptions}.
var source = sync.OnceValue(func() string {
	var b strings.Builder
	b.WriteString("(function (host) { 'use strict';\n")
	for _, name := range []string{"escape", "layout", "names", "kinds", "errors", "shape", "property", "inspect", "format"} {
		text, err := pieces.ReadFile("js/" + name + ".js")
		if err != nil {
			panic(err) // it is embedded
		}
		b.Write(text)
	}
	b.WriteString("return {inspect, format, formatWithOptions};\n})\n")
	return b.String()
})

var program = sync.OnceValues(func() (*goja.Program, error) {
	return goja.Compile("inspect.js", source(), true)
})

// Install makes the functions in rt, and returns the object that holds them: inspect(value, opts), format(args...) and
// formatWithOptions(opts, args...). It sets nothing in the global object. The runtime's prototypes should be as the language has them.
func Install(rt *goja.Runtime) (*goja.Object, error) {
	p, err := program()
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	v, err := rt.RunProgram(p)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	setup, ok := goja.AssertFunction(v)
	if !ok {
		return nil, fmt.Errorf("inspect: the program is %s", v)
	}
	host, err := newHost(rt)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	v, err = setup(goja.Undefined(), host)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return v.ToObject(rt), nil
}
