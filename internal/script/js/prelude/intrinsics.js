// The files of this directory make the objects of nv-session-simple's server, and
// what JavaScript has besides the language. They are joined to one function of
// native, in the order that prelude.go tells.

// What scripts may replace is taken now. For the same reason lists of sessions
// are gone through with an index.
const { inspect, format } = native.inspect;
const { parse, stringify: compact } = JSON;
const { Array, ArrayBuffer, Buffer, Date, Error, Map, Number, Object, Promise, Proxy, RangeError, Reflect, RegExp, Set, String, Symbol,
  TypeError, Uint8Array } = globalThis;
const { apply, ownKeys } = Reflect;
const { defineProperty, keys } = Object;
const { isView } = ArrayBuffer;
const { then } = Promise.prototype;
const { set } = Map.prototype;

function hidden(object, members) {
  for (const name of ownKeys(members)) {
    defineProperty(object, name, { value: members[name], writable: true, enumerable: false, configurable: true });
  }
  return object;
}

// goja indents what follows an empty array too far. So what is to be indented is
// made without, and then indented.
const { stringify } = {
  stringify(value, replacer, space) {
    if (space instanceof Number || space instanceof String) space = space.valueOf();
    const gap = typeof space === 'number' ? '          '.slice(0, space > 0 ? space : 0) : typeof space === 'string' ? space.slice(0, 10) : '';
    const text = compact(value, replacer);
    if (gap === '' || text === undefined) return text;
    return native.indent(text, gap) || compact(value, replacer, gap);
  },
};
hidden(JSON, { stringify });
