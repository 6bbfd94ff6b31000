package jsinput

import (
	"fmt"
	"testing"

	"github.com/dop251/goja"
)

// console is an engine that runs inputs as a console does.
type console struct {
	t  *testing.T
	vm *goja.Runtime
}

func newConsole(t *testing.T) *console {
	c := &console{t: t, vm: goja.New()}
	c.run(`var later = v => new Promise(done => { queue.push(() => done(v)); }), queue = [];`)
	return c
}

// run runs an input and returns its value as text, or its error.
func (c *console) run(text string) (string, error) {
	c.t.Helper()
	p, err := Prepare(text)
	if err != nil {
		return "", err
	}
	return c.runPrepared(p)
}

func (c *console) runPrepared(p Program) (string, error) {
	program, err := goja.Compile("input", p.Source, false)
	if err != nil {
		return "", err
	}
	v, err := c.vm.RunProgram(program)
	if err != nil || !p.Async {
		return show(v), err
	}
	promise := v.Export().(*goja.Promise)
	for promise.State() == goja.PromiseStatePending {
		if _, err := c.vm.RunString(`if (!queue.length) throw "nothing will settle this"; queue.shift()()`); err != nil {
			return "", err
		}
	}
	if promise.State() == goja.PromiseStateRejected {
		return "", fmt.Errorf("rejected: %v", promise.Result())
	}
	a := promise.Result().ToObject(c.vm)
	if n := a.Get("length").ToInteger(); n != 1 {
		c.t.Errorf("%q: an array of %d", p.Source, n)
	}
	return show(a.Get("0")), nil
}

func show(v goja.Value) string {
	if v == nil {
		return "nothing"
	}
	if o, ok := v.(*goja.Object); ok {
		if _, ok := o.Export().(*goja.Promise); ok {
			return "a promise"
		}
		if _, ok := goja.AssertFunction(v); !ok {
			b, err := o.MarshalJSON()
			if err != nil {
				return err.Error()
			}
			return string(b)
		}
		return "function " + o.Get("name").String()
	}
	return v.String()
}
