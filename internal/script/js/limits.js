// What cannot be interrupted is bounded here: built-in functions that make
// something huge, or that descend as deep as what they are given, on a stack
// whose end is the end of the process.
(function (native) {
  'use strict';

  const { limits } = native;
  const { apply, construct, defineProperty, getPrototypeOf } = Reflect;

  function replace(object, name, value) {
    defineProperty(value, 'name', { value: typeof name === 'symbol' ? `[${name.description}]` : name, configurable: true });
    defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
  }

  // Replaces a method by one that looks at this and at its arguments first, and
  // may put others in their place.
  function limit(object, name, check) {
    const method = object[name];
    if (typeof method !== 'function') return;
    replace(object, name, {
      [name](...args) {
        check(this, args);
        return apply(method, this, args);
      },
    }[name]);
  }

  // What is about to be made must not be larger than memory, nor much of it be
  // made at once: the heap is looked at too seldom for that.
  function text(length) {
    if (length > limits.string) throw new RangeError('Invalid string length');
    charge(length);
  }
  function charge(bytes) {
    if (bytes > 65536) native.charge(bytes);
  }
  function elements(object) {
    if (object !== null && typeof object === 'object' && object.length > limits.elements) throw new RangeError('Invalid array length');
  }

  // ---- strings ----

  const string = String.prototype;
  limit(string, 'repeat', (self, args) => text(String(self).length * (args[0] = Number(args[0]))));
  for (const name of ['padStart', 'padEnd']) limit(string, name, (self, args) => text(args[0] = Number(args[0])));
  for (const name of ['replace', 'replaceAll']) {
    limit(string, name, (self, args) => {
      if (typeof args[1] === 'string' && args[1].length * self.length > limits.string) throw new RangeError('Invalid string length');
    });
  }
  limit(string, 'concat', (self, args) => {
    let length = 0;
    for (let i = 0; i < args.length; i++) length += (args[i] = String(args[i])).length;
    text(length);
  });

  // What is cut to many pieces, each of which costs about as much as this.
  const piece = 40; // bytes
  function pieces(n) {
    if (n > 65536) charge(piece * n);
  }
  limit(string, 'split', (self, args) => {
    const whole = String(self);
    if (whole.length > 65536) pieces(typeof args[0] === 'string' ? native.count(whole, args[0]) : whole.length);
  });
  limit(string, 'match', (self, args) => {
    if (args[0] && args[0].global) pieces(String(self).length);
  });
  limit(string, Symbol.iterator, (self) => pieces(String(self).length));

  // ---- arrays, and what passes for one ----

  const array = Array.prototype;
  for (const name of Object.getOwnPropertyNames(array)) {
    if (!['constructor', 'push', 'pop', 'at', 'keys', 'values', 'entries'].includes(name)) limit(array, name, (self) => elements(self));
  }
  limit(array, 'join', (self, args) => {
    if (args[0] !== undefined) text(self.length * (args[0] = String(args[0])).length);
  });
  limit(Function.prototype, 'apply', (self, args) => elements(args[1]));
  limit(Reflect, 'apply', (self, args) => elements(args[2]));
  limit(Reflect, 'construct', (self, args) => elements(args[1]));

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

  replaceGlobal('Array', guard(Array, (args) => {
    if (args.length === 1 && typeof args[0] === 'number' && args[0] > limits.elements) throw new RangeError('Invalid array length');
  }));
  limit(Array, 'from', (self, args) => elements(args[0]));

  // ---- buffers ----

  function buffer(bytes) {
    if (bytes > limits.buffer) throw new RangeError('Array buffer allocation failed');
    charge(bytes);
  }
  for (const name of ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array',
    'Float64Array', 'BigInt64Array', 'BigUint64Array']) {
    const constructor = globalThis[name];
    if (!constructor) continue;
    const bytes = constructor.BYTES_PER_ELEMENT;
    replaceGlobal(name, guard(constructor, (args) => {
      const first = args[0];
      if (first === null || typeof first !== 'object') buffer(bytes * (args[0] = Number(first)));
      else if (!(first instanceof ArrayBuffer)) buffer(bytes * Number(first.length || 0));
    }));
  }
  limit(getPrototypeOf(Uint8Array.prototype), Symbol.iterator, (self) => pieces(self.length));
  limit(getPrototypeOf(Uint8Array), 'from', (self, args) => elements(args[0]));
  replaceGlobal('ArrayBuffer', guard(ArrayBuffer, (args) => buffer(args[0] = Number(args[0]))));
  limit(ArrayBuffer.prototype, 'slice', (self) => buffer(self.byteLength));
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) limit(Buffer, name, (self, args) => buffer(args[0] = Number(args[0])));
  limit(Buffer, 'from', (self, args) => {
    elements(args[0]);
    if (args[0] && args[0].type === 'Buffer') elements(args[0].data);
  });
  limit(Buffer, 'concat', (self, args) => {
    if (args[1] !== undefined) return buffer(args[1] = Number(args[1]));
    let bytes = 0;
    for (let i = 0; i < args[0].length; i++) bytes += Number(args[0][i].length);
    return buffer(bytes);
  });

  for (const name of ['asIntN', 'asUintN']) {
    limit(BigInt, name, (self, args) => {
      if ((args[0] = Number(args[0])) > limits.bits) throw new RangeError('Maximum BigInt size exceeded');
    });
  }

  // ---- what is parsed, and generators that delegate ----

  const { parse } = JSON;
  replace(JSON, 'parse', {
    parse(text, reviver) {
      const fit = native.readable(text = String(text));
      if (fit === null) throw new SyntaxError('the JSON is nested too deeply');
      if (fit === true) return parse(text, reviver);
      const { infinity } = native;
      return parse(fit, function (key, value) {
        if (value === infinity) value = Infinity;
        else if (value === '-' + infinity) value = -Infinity;
        return typeof reviver === 'function' ? apply(reviver, this, [key, value]) : value;
      });
    },
  }.parse);

  // goja counts no frames of generators that are inside each other.
  const generator = getPrototypeOf((function* () {}).prototype);
  for (const name of ['next', 'return', 'throw']) {
    const method = generator[name];
    replace(generator, name, {
      [name](value) {
        native.resume(1);
        try {
          return apply(method, this, arguments);
        } finally {
          native.resume(-1);
        }
      },
    }[name]);
  }

  const shallow = (args) => {
    for (let i = 0; i < args.length; i++) {
      if (native.nesting(String(args[i])) > limits.nesting) throw new SyntaxError('this is nested too deeply');
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
  replaceGlobal('RegExp', guard(RegExp, (args) => {
    const source = args[0];
    if (typeof source === 'string' && native.depth(source) > limits.brackets) throw new SyntaxError('this is nested too deeply');
  }));
})
