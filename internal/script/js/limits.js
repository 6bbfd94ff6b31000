// What cannot be interrupted is bounded here: built-in functions that make
// something huge, or that descend as deep as what they are given, on a stack
// whose end is the end of the process.
(function (native) {
  'use strict';

  const { limits } = native;
  const { apply, construct, defineProperty, getPrototypeOf } = Reflect;

  function replace(object, name, value) {
    defineProperty(value, 'name', { value: name, configurable: true });
    defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
  }

  // The longest string that repeat and its kin may make.
  const { repeat, padStart, padEnd } = String.prototype;
  replace(String.prototype, 'repeat', {
    repeat(count) {
      const text = String(this);
      if (text.length * Number(count) > limits.string) throw new RangeError('Invalid string length');
      return apply(repeat, text, [count]);
    },
  }.repeat);
  for (const [name, pad] of [['padStart', padStart], ['padEnd', padEnd]]) {
    replace(String.prototype, name, {
      [name](length, fill) {
        if (Number(length) > limits.string) throw new RangeError('Invalid string length');
        return apply(pad, this, [length, fill]);
      },
    }[name]);
  }

  // Functions that go through an array in one piece.
  for (const name of ['fill', 'join', 'indexOf', 'lastIndexOf', 'includes', 'reverse', 'concat', 'flat', 'slice', 'splice', 'toString', 'copyWithin']) {
    const method = Array.prototype[name];
    replace(Array.prototype, name, {
      [name](...args) {
        if (this != null && this.length > limits.string) throw new RangeError('the array is too long for ' + name);
        return apply(method, this, args);
      },
    }[name]);
  }

  // A constructor that looks at its arguments first. It is no Proxy, which the
  // console would show as one.
  function guard(constructor, check) {
    const { name } = constructor;
    const guarded = {
      [name]: function (...args) {
        check(args);
        if (new.target === undefined) return apply(constructor, this, args);
        return construct(constructor, args, new.target === guarded ? constructor : new.target);
      },
    }[name];
    for (const key of Reflect.ownKeys(constructor)) defineProperty(guarded, key, Object.getOwnPropertyDescriptor(constructor, key));
    Object.setPrototypeOf(guarded, getPrototypeOf(constructor));
    defineProperty(constructor.prototype, 'constructor', { value: guarded });
    return guarded;
  }
  function replaceGlobal(name, value) {
    defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  }

  // The largest buffer.
  for (const name of ['ArrayBuffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
    'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array']) {
    const constructor = globalThis[name];
    if (!constructor) continue;
    const bytes = constructor.BYTES_PER_ELEMENT || 1;
    replaceGlobal(name, guard(constructor, (args) => {
      if (typeof args[0] === 'number' && args[0] * bytes > limits.buffer) throw new RangeError('Array buffer allocation failed');
    }));
  }
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) {
    const make = Buffer[name];
    if (typeof make !== 'function') continue;
    replace(Buffer, name, {
      [name](size, ...rest) {
        if (Number(size) > limits.buffer) throw new RangeError('The value of "size" is out of range');
        return apply(make, Buffer, [size, ...rest]);
      },
    }[name]);
  }

  // The depth of what is parsed.
  const { parse } = JSON;
  replace(JSON, 'parse', {
    parse(text, reviver) {
      text = String(text);
      if (native.depth(text) > limits.depth) throw new SyntaxError('the JSON is nested too deeply');
      return reviver === undefined ? parse(text) : parse(text, reviver);
    },
  }.parse);

  const shallow = (args) => {
    for (const arg of args) {
      if (native.depth(String(arg)) > limits.nesting) throw new SyntaxError('too many brackets inside each other');
    }
  };
  const evaluate = globalThis.eval;
  replaceGlobal('eval', {
    eval(code) {
      if (typeof code !== 'string') return code;
      shallow([code]);
      return evaluate(code);
    },
  }.eval);
  for (const sample of [function () {}, async function () {}, function* () {}]) {
    const { constructor } = getPrototypeOf(sample);
    const guarded = guard(constructor, shallow);
    if (constructor === globalThis.Function) replaceGlobal('Function', guarded);
  }
  replaceGlobal('RegExp', guard(RegExp, (args) => shallow(args.slice(0, 1))));
})
