package inspect

import (
	"reflect"

	"github.com/dop251/goja"
)

var (
	typeProxy   = reflect.TypeFor[goja.Proxy]()
	typePromise = reflect.TypeFor[*goja.Promise]()
	typeBuffer  = reflect.TypeFor[goja.ArrayBuffer]()
	typeMap     = reflect.TypeFor[[][2]any]()
	typeSet     = reflect.TypeFor[[]any]()
)

// newHost is what the program cannot see from JavaScript.
func newHost(rt *goja.Runtime) (*goja.Object, error) {
	host := rt.NewObject()
	for name, fn := range map[string]func(goja.FunctionCall) goja.Value{
		"kind":     func(c goja.FunctionCall) goja.Value { return rt.ToValue(kind(c.Argument(0))) },
		"target":   func(c goja.FunctionCall) goja.Value { return object(proxyOf(c.Argument(0)).Target()) },
		"handler":  func(c goja.FunctionCall) goja.Value { return object(proxyOf(c.Argument(0)).Handler()) },
		"promise":  func(c goja.FunctionCall) goja.Value { return promise(rt, c.Argument(0)) },
		"iterator": func(c goja.FunctionCall) goja.Value { return iterator(rt, c.Argument(0)) },
		"width":    func(c goja.FunctionCall) goja.Value { return rt.ToValue(columns(c.Argument(0).String())) },
	} {
		if err := host.Set(name, fn); err != nil {
			return nil, err
		}
	}
	return host, nil
}

// kind names the built-in that v is, whatever its prototype; "" if it is none, or one that only JavaScript can tell.
func kind(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok {
		return ""
	}
	switch t := o.ExportType(); t {
	case typeProxy:
		return "Proxy"
	case typePromise:
		return "Promise"
	case typeBuffer:
		return "ArrayBuffer"
	case typeMap:
		return "Map"
	case typeSet:
		if o.ClassName() == "Object" {
			return "Set"
		}
	}
	switch c := o.ClassName(); c {
	case "Array", "Error", "RegExp", "Date", "Arguments", "Number", "String", "Boolean", "Function":
		return c
	}
	return ""
}

func proxyOf(v goja.Value) goja.Proxy {
	p, _ := v.Export().(goja.Proxy)
	return p
}

func object(o *goja.Object) goja.Value {
	if o == nil {
		return goja.Null()
	}
	return o
}

func promise(rt *goja.Runtime, v goja.Value) goja.Value {
	state, result := "pending", goja.Undefined()
	if p, ok := v.Export().(*goja.Promise); ok {
		switch p.State() {
		case goja.PromiseStateFulfilled:
			state, result = "fulfilled", p.Result()
		case goja.PromiseStateRejected:
			state, result = "rejected", p.Result()
		}
	}
	o := rt.NewObject()
	_ = o.Set("state", state)
	_ = o.Set("result", result)
	return o
}
