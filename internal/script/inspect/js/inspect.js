// Inspect: values as the REPL of Node.js 20 prints them.

const CUSTOM = Symbol.for('nodejs.util.inspect.custom');

/** Levels of nesting after which printing stops, as it does in Node.js where the stack ends. */
const DEEPEST = 1000;

/** Characters of output after which only the outermost level is still printed. */
const MOST = 1 << 24;

/** Elements after which an array is not searched for properties that are no elements. */
const MOST_SEARCHED = 1 << 20;

const DEFAULTS = {
  showHidden: false,
  depth: 2,
  colors: false,
  customInspect: true,
  showProxy: false,
  maxArrayLength: 100,
  maxStringLength: 10000,
  breakLength: 80,
  compact: 3,
  sorted: false,
  getters: false,
  numericSeparator: false,
};

/**
 * A value as text.
 * @param {*} value
 * @param {object|boolean} [opts] options of util.inspect of Node.js; or, as there, showHidden, depth, colors
 * @returns {string}
 */
function inspect(value, opts, ...legacy) {
  const options = {...DEFAULTS};
  if (typeof opts === 'boolean') {
    options.showHidden = opts;
  } else if (opts !== null && typeof opts === 'object') {
    for (const key of Object.keys(opts)) {
      options[key] = opts[key];
    }
  }
  if (legacy.length > 0) {
    if (legacy[0] !== undefined) {
      options.depth = legacy[0];
    }
    if (legacy.length > 1 && legacy[1] !== undefined) {
      options.colors = legacy[1];
    }
  }
  const ctx = {
    ...options,
    options,
    style: options.colors ? colorStyle : plainStyle,
    indent: 0,
    deepest: 0,
    seen: [],
    circular: undefined,
    length: 0,
  };
  if (ctx.maxArrayLength === null) {
    ctx.maxArrayLength = Infinity;
  }
  if (ctx.maxStringLength === null) {
    ctx.maxStringLength = Infinity;
  }
  return inspectValue(ctx, value, 0, false);
}

inspect.custom = CUSTOM;
inspect.defaultOptions = DEFAULTS;

function inspectValue(ctx, value, level, inTypedArray) {
  if (value === null) {
    return ctx.style('null', 'null');
  }
  if (typeof value !== 'object' && typeof value !== 'function') {
    return primitive(ctx, ctx.style, value);
  }
  const seenAs = value;
  let kind = kindOf(value);
  if (kind === 'Proxy') {
    if (ctx.showProxy) {
      return proxyPair(ctx, value, level);
    }
    while (kind === 'Proxy') {
      value = host.target(value);
      if (value === null) {
        return ctx.style('<Revoked Proxy>', 'special');
      }
      kind = kindOf(value);
    }
  }
  if (ctx.customInspect) {
    const own = custom(ctx, value, seenAs, level);
    if (own !== undefined) {
      return own;
    }
  }
  if (ctx.seen.includes(value)) {
    if (ctx.circular === undefined) {
      ctx.circular = new Map();
    }
    let n = ctx.circular.get(value);
    if (n === undefined) {
      n = ctx.circular.size + 1;
      ctx.circular.set(value, n);
    }
    return ctx.style(`[Circular *${n}]`, 'special');
  }
  return object(ctx, value, level, kind, inTypedArray);
}

/** What the object's own method makes of it; undefined if it has none, or if that fails. */
function custom(ctx, value, seenAs, level) {
  try {
    const method = value[CUSTOM];
    if (typeof method !== 'function' || method === inspect) {
      return bufferOf(value) === undefined ? undefined : `<Buffer ${bufferText(ctx, value, ownKeys(ctx, value, true))}>`;
    }
    const own = Object.getOwnPropertyDescriptor(value, 'constructor');
    if (own !== undefined && typeof own.value === 'function' && own.value.prototype === value) {
      return undefined; // a prototype is not an instance
    }
    const depth = ctx.depth === null ? null : ctx.depth - level;
    const result = method.call(seenAs, depth, {...ctx.options, stylize: ctx.style}, inspect);
    if (result === seenAs) {
      return undefined;
    }
    if (typeof result !== 'object') {
      return safeColored(`${String(result)}`);
    }
    return inspectValue(ctx, result, level).split('\n').join('\n' + ' '.repeat(ctx.indent));
  } catch (e) {
    return undefined;
  }
}

function proxyPair(ctx, proxy, level) {
  const target = host.target(proxy);
  if (target === null) {
    return ctx.style('<Revoked Proxy>', 'special');
  }
  if (ctx.depth !== null && level > ctx.depth) {
    return ctx.style('Proxy [Array]', 'special');
  }
  level++;
  ctx.indent += 2;
  const pair = [inspectValue(ctx, target, level), inspectValue(ctx, host.handler(proxy), level)];
  ctx.indent -= 2;
  return assemble(ctx, pair, '', ['Proxy [', ']'], LIST, level);
}

function primitive(ctx, style, value) {
  switch (typeof value) {
    case 'string': {
      let rest = '';
      if (value.length > ctx.maxStringLength) {
        const n = value.length - ctx.maxStringLength;
        value = value.slice(0, ctx.maxStringLength);
        rest = `... ${plural(n, 'more character')}`;
      }
      // A long string of several lines is put together of its lines.
      if (ctx.compact !== true && value.length > 16 && value.length > ctx.breakLength - ctx.indent - 4 && value.includes('\n')) {
        const parts = value.split('\n');
        const lines = [];
        for (let i = 0; i < parts.length; i++) {
          const line = i < parts.length - 1 ? parts[i] + '\n' : parts[i];
          if (line !== '') {
            lines.push(style(quote(line), 'string'));
          }
        }
        return lines.join(` +\n${' '.repeat(ctx.indent + 2)}`) + rest;
      }
      return style(quote(value), 'string') + rest;
    }
    case 'number':
      return style(number(ctx, value), 'number');
    case 'bigint':
      return style(bigint(ctx, value), 'bigint');
    case 'symbol':
      return style(safeLine(Symbol.prototype.toString.call(value)), 'symbol');
    default:
      return style(`${value}`, typeof value);
  }
}

const INDEX = /^(0|[1-9][0-9]*)$/;

/** The keys to show; with extra only those that are no elements. */
function ownKeys(ctx, obj, extra) {
  let keys;
  if (extra && !ctx.showHidden && obj.length > MOST_SEARCHED) {
    keys = [];
  } else {
    keys = ctx.showHidden ? Object.getOwnPropertyNames(obj) : Object.keys(obj);
    if (extra) {
      let first = Math.min(obj.length, keys.length);
      while (first > 0 && !INDEX.test(keys[first - 1])) {
        first--; // holes: there are less elements than the length says
      }
      keys = keys.slice(first);
    }
  }
  const symbols = Object.getOwnPropertySymbols(obj);
  for (let i = 0; i < symbols.length; i++) {
    if (ctx.showHidden || isEnumerable.call(obj, symbols[i])) {
      keys.push(symbols[i]);
    }
  }
  return keys;
}

/**
 * How an object of one kind is shown: either whole (done), or as a head, braces, entries and properties.
 */
function shapeOf(ctx, obj, level, kind, inTypedArray) {
  const found = ctx.showHidden && (ctx.depth === null || level <= ctx.depth) ? [] : undefined;
  const ctor = constructorName(ctx, obj, level, kind, found);
  const tag = tagOf(ctx, obj);
  const s = {found, ctor, tag, keys: undefined, head: '', braces: ['{', '}'], list: OBJECT, entries: undefined, done: undefined};
  const bare = () => s.keys.length === 0 && found === undefined;
  const open = (name) => {
    s.braces[0] = `${prefix(ctor, tag, name)}{`;
  };
  const iterable = ctor === null || get(obj, Symbol.iterator);

  if (iterable) {
    switch (kind) {
      case 'Array': {
        const p = ctor !== 'Array' || tag !== '' ? prefix(ctor, tag, 'Array', `(${obj.length})`) : '';
        s.keys = ownKeys(ctx, obj, true);
        s.braces = [`${p}[`, ']'];
        s.list = LIST;
        s.entries = arrayEntries;
        if (obj.length === 0 && bare()) {
          s.done = `${s.braces[0]}]`;
        }
        return s;
      }
      case 'Set':
      case 'Map': {
        const size = (kind === 'Set' ? setSize : mapSize).call(obj);
        s.keys = ownKeys(ctx, obj, false);
        s.braces[0] = `${prefix(ctor, tag, kind, `(${size})`)}{`;
        s.entries = kind === 'Set' ? setEntries : mapEntriesOf;
        if (size === 0 && bare()) {
          s.done = `${s.braces[0]}}`;
        }
        return s;
      }
      case 'TypedArray': {
        s.keys = ownKeys(ctx, obj, true);
        s.braces = [`${prefix(ctor, tag, typedArrayName.call(obj), `(${obj.length})`)}[`, ']'];
        s.list = LIST;
        s.entries = typedArrayEntries;
        if (obj.length === 0 && s.keys.length === 0 && !ctx.showHidden) {
          s.done = `${s.braces[0]}]`;
        }
        return s;
      }
      case 'Map Iterator':
      case 'Set Iterator': {
        s.keys = ownKeys(ctx, obj, false);
        const t = tag === kind ? tag : tag === '' ? kind : `${tag}] [${kind}`;
        s.braces = [`[${t}] {`, '}'];
        s.entries = (c, v, l) => iteratorEntries(c, v, l, s.braces);
        return s;
      }
    }
  }

  s.keys = ownKeys(ctx, obj, false);
  if (kind === 'Arguments' && ctor === 'Object') {
    s.braces[0] = `${prefix(ctor, tag, 'Arguments').replace(/^Object/, '[Arguments]')}[`;
    s.braces[1] = ']';
    return s;
  }
  if (kind === 'Arguments') {
    kind = 'Object';
  }
  if (typeof obj === 'function') {
    s.head = functionHead(obj, ctor, tag);
    if (bare()) {
      s.done = ctx.style(s.head, 'special');
    }
    return s;
  }
  const tooDeep = ctx.depth !== null && level > ctx.depth;
  switch (kind) {
    case 'RegExp': {
      const p = prefix(ctor, tag, 'RegExp');
      s.head = (p === 'RegExp ' ? '' : p) + safeLine(regexpText(obj));
      if (bare() || tooDeep) {
        s.done = ctx.style(s.head, 'regexp');
      }
      return s;
    }
    case 'Date': {
      const p = prefix(ctor, tag, 'Date');
      const time = Date.prototype.getTime.call(obj);
      s.head = (p === 'Date ' ? '' : p) + (Number.isNaN(time) ? 'Invalid Date' : Date.prototype.toISOString.call(obj));
      if (bare()) {
        s.done = ctx.style(s.head, 'date');
      }
      return s;
    }
    case 'Error':
      s.head = errorHead(ctx, obj, ctor, tag, s.keys);
      if (bare()) {
        s.done = s.head;
      }
      return s;
    case 'ArrayBuffer':
      if (!inTypedArray) {
        s.entries = arrayBufferEntries;
      } else if (bare()) {
        s.done = `${prefix(ctor, tag, kind)}{ byteLength: ${number(ctx, obj.byteLength)} }`;
        return s;
      }
      open(kind);
      s.keys.unshift('byteLength');
      return s;
    case 'DataView':
      open(kind);
      s.keys.unshift('byteLength', 'byteOffset', 'buffer');
      return s;
    case 'Promise':
      open(kind);
      s.entries = promiseEntries;
      return s;
    case 'WeakSet':
    case 'WeakMap':
      open(kind);
      s.entries = () => [ctx.style('<items unknown>', 'special')];
      return s;
    case 'Number':
    case 'String':
    case 'Boolean':
    case 'BigInt':
    case 'Symbol':
      s.head = boxed(ctx, obj, kind, ctor, tag, s.keys);
      if (bare()) {
        s.done = s.head;
      }
      return s;
  }
  if (ctor === 'Object') {
    if (tag !== '') {
      open('Object');
    }
  } else {
    open('Object');
  }
  if (bare()) {
    s.done = `${s.braces[0]}}`;
  }
  return s;
}

function regexpText(re) {
  try {
    return RegExp.prototype.toString.call(re);
  } catch (e) {
    return '/(?:)/';
  }
}

const UNBOX = {
  Number: Number.prototype.valueOf,
  String: String.prototype.valueOf,
  Boolean: Boolean.prototype.valueOf,
  BigInt: BigInt.prototype.valueOf,
  Symbol: Symbol.prototype.valueOf,
};

function boxed(ctx, obj, kind, ctor, tag, keys) {
  const value = UNBOX[kind].call(obj);
  if (kind === 'String') {
    keys.splice(0, value.length); // its characters
  }
  let out = '[' + kind;
  if (kind !== ctor) {
    out += ctor === null ? ' (null prototype)' : ` (${ctor})`;
  }
  out += `: ${primitive(ctx, plainStyle, value)}]`;
  if (tag !== '' && tag !== ctor) {
    out += ` [${tag}]`;
  }
  return keys.length === 0 ? ctx.style(out, kind.toLowerCase()) : out;
}

function object(ctx, obj, level, kind, inTypedArray) {
  const s = shapeOf(ctx, obj, level, kind, inTypedArray);
  if (s.done !== undefined) {
    return s.done;
  }
  if (ctx.depth !== null && level > ctx.depth) {
    const name = prefix(s.ctor, s.tag, kind === 'Array' ? 'Array' : 'Object').slice(0, -1);
    return ctx.style(s.ctor === null ? name : `[${name}]`, 'special');
  }
  if (level >= DEEPEST) {
    const name = prefix(s.ctor, s.tag, 'Object').slice(0, -1);
    return ctx.style(`[${name}: Inspection interrupted prematurely. Maximum call stack size exceeded.]`, 'special');
  }
  level++;
  ctx.seen.push(obj);
  ctx.deepest = level;
  const out = s.entries === undefined ? [] : s.entries(ctx, obj, level);
  for (let i = 0; i < s.keys.length; i++) {
    out.push(property(ctx, obj, level, s.keys[i], s.list === LIST ? EXTRA : OBJECT));
  }
  if (s.found !== undefined) {
    for (const entry of s.found) {
      out.push(entry);
    }
  }
  if (ctx.circular !== undefined) {
    const n = ctx.circular.get(obj);
    if (n !== undefined) {
      const ref = ctx.style(`<ref *${n}>`, 'special');
      if (ctx.compact === true) {
        s.braces[0] = `${ref} ${s.braces[0]}`;
      } else {
        s.head = s.head === '' ? ref : `${ref} ${s.head}`;
      }
    }
  }
  ctx.seen.pop();
  if (ctx.sorted) {
    sortEntries(ctx, out, s);
  }
  const res = assemble(ctx, out, s.head, s.braces, s.list, level, obj);
  ctx.length += res.length;
  if (ctx.length > MOST) {
    ctx.depth = -1;
  }
  return res;
}

function sortEntries(ctx, out, s) {
  const by = ctx.sorted === true ? undefined : ctx.sorted;
  if (s.list === OBJECT) {
    out.sort(by);
  } else if (s.keys.length > 1) {
    const n = out.length - s.keys.length;
    out.push(...out.splice(n).sort(by));
  }
}

/** What property() is asked for besides LIST (an element: no key) and OBJECT: a property of an array. */
const EXTRA = 2;

const IDENTIFIER = /^[a-zA-Z_][a-zA-Z_0-9]*$/;

function property(ctx, obj, level, key, type, desc) {
  const d = desc || Object.getOwnPropertyDescriptor(obj, key) || {value: get(obj, key), enumerable: true};
  let s;
  let gap = ' ';
  if (d.value !== undefined) {
    const diff = ctx.compact === true && type === OBJECT ? 3 : 2;
    ctx.indent += diff;
    s = inspectValue(ctx, d.value, level, false);
    if (diff === 3 && ctx.breakLength < width(s, ctx.colors)) {
      gap = '\n' + ' '.repeat(ctx.indent);
    }
    ctx.indent -= diff;
  } else if (d.get !== undefined) {
    s = getter(ctx, obj, level, d);
  } else if (d.set !== undefined) {
    s = ctx.style('[Setter]', 'special');
  } else {
    s = ctx.style('undefined', 'undefined');
  }
  if (type === LIST) {
    return s;
  }
  return `${keyText(ctx, key, d.enumerable)}:${gap}${s}`;
}

function keyText(ctx, key, enumerable) {
  if (typeof key === 'symbol') {
    return `[${ctx.style(safeLine(Symbol.prototype.toString.call(key)), 'symbol')}]`;
  }
  if (key === '__proto__') {
    return "['__proto__']";
  }
  if (enumerable === false) {
    return `[${safeLine(key)}]`;
  }
  return IDENTIFIER.test(key) ? ctx.style(key, 'name') : ctx.style(quote(key), 'string');
}

/** An accessor; option getters asks for its value, too: true, 'get' (those without setter) or 'set' (those with). */
function getter(ctx, obj, level, d) {
  const label = d.set === undefined ? 'Getter' : 'Getter/Setter';
  const wanted = ctx.getters === true || ctx.getters === 'get' && d.set === undefined || ctx.getters === 'set' && d.set !== undefined;
  if (!wanted) {
    return ctx.style(`[${label}]`, 'special');
  }
  let value;
  try {
    value = d.get.call(obj);
  } catch (e) {
    return `${ctx.style(`[${label}: <Inspection threw (${safe(text(get(Object(e), 'message')))})>`, 'special')}${ctx.style(']', 'special')}`;
  }
  ctx.indent += 2;
  let s;
  if (value === null) {
    s = `${ctx.style(`[${label}:`, 'special')} ${ctx.style('null', 'null')}${ctx.style(']', 'special')}`;
  } else if (typeof value === 'object') {
    s = `${ctx.style(`[${label}]`, 'special')} ${inspectValue(ctx, value, level, false)}`;
  } else {
    s = `${ctx.style(`[${label}:`, 'special')} ${primitive(ctx, ctx.style, value)}${ctx.style(']', 'special')}`;
  }
  ctx.indent -= 2;
  return s;
}
