package inspect

import (
	"reflect"
	"unsafe"

	"github.com/dop251/goja"
)

var typeValue = reflect.TypeFor[goja.Value]()

// maxPreview bounds what is collected of an iterator; the rest counts.
const maxPreview = 1 << 16

// iterator returns {pairs, items} with what an iterator of a Map or Set has still to give, without taking it; null if v is none.
//
// No interface of goja's tells, so its structures are read as they lie in memory; nothing is written. Should another version of goja have others, the
// answer is null and the iterator prints as unknown.
func iterator(rt *goja.Runtime, v goja.Value) (res goja.Value) {
	defer func() {
		if recover() != nil { // reflect panics on what is not as expected
			res = goja.Null()
		}
	}()
	o, ok := v.(*goja.Object)
	if !ok {
		return goja.Null()
	}
	self := reflect.ValueOf(o).Elem().FieldByName("self").Elem().Elem()
	if n := self.Type().Name(); n != "mapIterObject" && n != "setIterObject" {
		return goja.Null()
	}
	isMap := self.Type().Name() == "mapIterObject"
	kind := self.FieldByName("kind").Int()
	pairs := kind == 2
	items := []any{}
	if it := self.FieldByName("iter"); !it.IsNil() && !it.Elem().FieldByName("m").IsNil() {
		for e := nextEntry(it.Elem()); !e.IsNil() && len(items) < maxPreview; e = e.Elem().FieldByName("iterNext") {
			k := valueAt(e.Elem().FieldByName("key"))
			val := k
			if isMap {
				val = valueAt(e.Elem().FieldByName("value"))
			}
			switch {
			case pairs:
				items = append(items, rt.NewArray(k, val))
			case kind == 0:
				items = append(items, k)
			default:
				items = append(items, val)
			}
		}
	}
	r := rt.NewObject()
	_ = r.Set("pairs", pairs)
	_ = r.Set("items", rt.NewArray(items...))
	return r
}

// nextEntry is the entry after the one an iterator gave last; that may have been deleted since.
func nextEntry(it reflect.Value) reflect.Value {
	cur := it.FieldByName("cur")
	for !cur.IsNil() && cur.Elem().FieldByName("key").IsNil() {
		cur = cur.Elem().FieldByName("iterPrev")
	}
	if cur.IsNil() {
		return it.FieldByName("m").Elem().FieldByName("iterFirst")
	}
	return cur.Elem().FieldByName("iterNext")
}

// valueAt reads an unexported field that holds a goja.Value.
func valueAt(f reflect.Value) goja.Value {
	if f.Type() != typeValue {
		panic("not a value")
	}
	return *(*goja.Value)(unsafe.Pointer(f.UnsafeAddr()))
}
