// Names: what an object is called before its brace.

const hasOwnProperty = Object.prototype.hasOwnProperty;
const isEnumerable = Object.prototype.propertyIsEnumerable;
const functionSource = Function.prototype.toString;

function hasOwn(obj, key) {
  return hasOwnProperty.call(obj, key);
}

/** A property, or undefined if its getter throws. */
function get(obj, key) {
  try {
    return obj[key];
  } catch (e) {
    return undefined;
  }
}

function isInstance(obj, ctor) {
  try {
    return obj instanceof ctor;
  } catch (e) {
    return false;
  }
}

// Constructors that come with the language: what they put on prototypes is not news.
const BUILT_IN = new Set(Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z][a-zA-Z0-9]+$/.test(name)));
BUILT_IN.add('Buffer');

/**
 * The name of a function. Go functions carry their package's path, of which the last part is enough.
 */
function functionName(fn) {
  const name = get(fn, 'name');
  if (typeof name !== 'string') {
    return name;
  }
  if (name.includes('/') || name.includes('.')) {
    const m = /^[\w./-]+\.(?:\(\*?\w+\)\.)?(\w+)(?:-fm)?$/.exec(name);
    if (m !== null && sourceOf(fn).endsWith('[native code] }')) {
      return m[1];
    }
  }
  return name;
}

function sourceOf(fn) {
  try {
    return functionSource.call(fn);
  } catch (e) {
    return '';
  }
}

/**
 * The name of the nearest constructor on the prototype chain that the object is an instance of; null if it has no prototype. Where the
 * chain leads nowhere, the built-in kind with the prototype's name behind it. With found, non-enumerable data of the prototypes between is
 * added there (option showHidden).
 */
function constructorName(ctx, obj, level, kind, found) {
  const start = obj;
  let first;
  while (obj !== null) {
    const d = Object.getOwnPropertyDescriptor(obj, 'constructor');
    if (d !== undefined && typeof d.value === 'function' && isInstance(start, d.value)) {
      let name = d.value === bufferOf(start) ? 'Buffer' : functionName(d.value);
      if (name !== '' && name !== undefined) {
        name = safe(text(name));
        if (found !== undefined && (first !== obj || !BUILT_IN.has(name))) {
          prototypeEntries(ctx, start, first || start, level, found);
        }
        return name;
      }
    }
    obj = Object.getPrototypeOf(obj);
    if (first === undefined) {
      first = obj;
    }
  }
  if (first === null) {
    return null;
  }
  const own = kind === '' ? 'Object' : kind;
  if (ctx.depth !== null && level > ctx.depth) {
    return `${own} <Complex prototype>`;
  }
  const proto = constructorName(ctx, first, level + 1, '', found);
  if (proto === null) {
    return `${own} <${inspect(first, {...ctx.options, customInspect: false, depth: -1})}>`;
  }
  return `${own} <${proto}>`;
}

/** String(x), even if that throws. */
function text(x) {
  try {
    return String(x);
  } catch (e) {
    return `[${typeof x}]`;
  }
}

/** The Buffer constructor if obj is a Buffer: its own name is not always 'Buffer'. */
function bufferOf(obj) {
  const b = get(globalThis, 'Buffer');
  return typeof b === 'function' && ArrayBuffer.isView(obj) && isInstance(obj, b) ? b : undefined;
}

/** Properties of up to three prototypes above main, methods and constructors left out. */
function prototypeEntries(ctx, main, obj, level, out) {
  let keys = [];
  const above = new Set();
  for (let depth = 0; depth < 3; depth++) {
    if (depth !== 0 || main === obj) {
      obj = Object.getPrototypeOf(obj);
      if (obj === null) {
        return;
      }
      const d = Object.getOwnPropertyDescriptor(obj, 'constructor');
      if (d !== undefined && typeof d.value === 'function' && BUILT_IN.has(functionName(d.value))) {
        return;
      }
    }
    for (const key of keys) {
      above.add(key);
    }
    keys = Reflect.ownKeys(obj);
    ctx.seen.push(main);
    for (const key of keys) {
      if (key === 'constructor' || hasOwn(main, key) || above.has(key)) {
        continue;
      }
      const d = Object.getOwnPropertyDescriptor(obj, key);
      if (typeof d.value === 'function') {
        continue;
      }
      const entry = property(ctx, main, level, key, OBJECT, d);
      out.push(ctx.colors ? `\x1b[2m${entry}\x1b[22m` : entry);
    }
    ctx.seen.pop();
  }
}

/** The Symbol.toStringTag that is worth showing; '' if there is none, or if it is shown as a property anyway. */
function tagOf(ctx, obj) {
  const tag = get(obj, Symbol.toStringTag);
  if (typeof tag !== 'string' || tag === '') {
    return '';
  }
  if ((ctx.showHidden ? hasOwnProperty : isEnumerable).call(obj, Symbol.toStringTag)) {
    return '';
  }
  return safe(tag);
}

/** "Foo(2) [tag] ", with the space. */
function prefix(ctor, tag, fallback, size = '') {
  if (ctor === null) {
    const t = tag !== '' && fallback !== tag ? `[${tag}] ` : '';
    return `[${fallback}${size}: null prototype] ${t}`;
  }
  return tag !== '' && ctor !== tag ? `${ctor}${size} [${tag}] ` : `${ctor}${size} `;
}

const generatorFunction = Object.getPrototypeOf(function* () {});
const asyncFunction = Object.getPrototypeOf(async () => {});

/** "[Function: f]", "[class A extends B]" and the like. */
function functionHead(fn, ctor, tag) {
  const src = sourceOf(fn);
  if (src.startsWith('class') && src.endsWith('}') && isClassHead(src)) {
    return classHead(fn, ctor, tag);
  }
  let type = 'Function';
  if (isInstance(fn, generatorFunction.constructor)) {
    type = 'GeneratorFunction';
  } else if (isInstance(fn, asyncFunction.constructor) || /^async\s+[^(\s]/.test(src)) { // goja's async methods are of class Function
    type = 'AsyncFunction';
  }
  let out = '[' + type;
  if (ctor === null) {
    out += ' (null prototype)';
  }
  const name = functionName(fn);
  out += name === '' ? ' (anonymous)]' : `: ${safe(text(name))}]`;
  if (ctor !== type && ctor !== null && !(ctor === 'Function' && type === 'AsyncFunction')) {
    out += ' ' + ctor;
  }
  return tag !== '' && ctor !== tag ? `${out} [${tag}]` : out;
}

/** Tells `class A {` from a method that is called "class": `class() {`. */
function isClassHead(src) {
  const brace = src.indexOf('{');
  if (brace < 0) {
    return false;
  }
  const head = src.slice(5, brace);
  return !head.includes('(') || /^(\s+[^(]*?)\s*{/.test(src.slice(5).replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, ''));
}

function classHead(fn, ctor, tag) {
  const name = hasOwn(fn, 'name') && get(fn, 'name') || '(anonymous)';
  let out = 'class ' + safe(text(name));
  if (ctor !== 'Function' && ctor !== null) {
    out += ` [${ctor}]`;
  }
  if (tag !== '' && ctor !== tag) {
    out += ` [${tag}]`;
  }
  if (ctor === null) {
    out += ' extends null';
  } else {
    const base = functionName(Object.getPrototypeOf(fn));
    if (base) {
      out += ' extends ' + safe(text(base));
    }
  }
  return `[${out}]`;
}
