// Shape: head, braces and entries of an object, by its kind.

/** Elements after which an array is not searched for properties that are no elements. */
const MOST_SEARCHED = 1 << 20;

const INDEX = /^(0|[1-9][0-9]*)$/;

/** The keys to show. */
function ownKeys(ctx, obj) {
  return withSymbols(ctx, obj, ctx.showHidden ? Object.getOwnPropertyNames(obj) : Object.keys(obj));
}

/** The keys to show of something with elements, without those. */
function extraKeys(ctx, obj, length) {
  if (length > MOST_SEARCHED) {
    return withSymbols(ctx, obj, []);
  }
  const keys = ctx.showHidden ? Object.getOwnPropertyNames(obj) : Object.keys(obj);
  let first = Math.min(length, keys.length); // elements come first; with holes there are less than length
  while (first > 0 && !(INDEX.test(keys[first - 1]) && Number(keys[first - 1]) < length)) {
    first--;
  }
  return withSymbols(ctx, obj, keys.slice(first));
}

function withSymbols(ctx, obj, keys) {
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
  let found = ctx.showHidden && (ctx.depth === null || level <= ctx.depth) ? [] : undefined;
  const ctor = constructorName(ctx, obj, level, kind, found);
  const tag = tagOf(ctx, obj);
  if (found !== undefined && found.length === 0) {
    found = undefined;
  }
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
        s.keys = extraKeys(ctx, obj, obj.length);
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
        s.keys = ownKeys(ctx, obj);
        s.braces[0] = `${prefix(ctor, tag, kind, `(${size})`)}{`;
        s.entries = kind === 'Set' ? setEntries : mapEntriesOf;
        if (size === 0 && bare()) {
          s.done = `${s.braces[0]}}`;
        }
        return s;
      }
      case 'TypedArray': {
        const length = typedArrayLength.call(obj);
        s.keys = extraKeys(ctx, obj, length);
        s.braces = [`${prefix(ctor, tag, typedArrayName.call(obj), `(${length})`)}[`, ']'];
        s.list = LIST;
        s.entries = typedArrayEntries;
        if (length === 0 && s.keys.length === 0 && !ctx.showHidden) {
          s.done = `${s.braces[0]}]`;
        }
        return s;
      }
      case 'Map Iterator':
      case 'Set Iterator': {
        s.keys = ownKeys(ctx, obj);
        const t = tag === kind ? tag : tag === '' ? kind : `${tag}] [${kind}`;
        s.braces = [`[${t}] {`, '}'];
        s.entries = (c, v, l) => iteratorEntries(c, v, l, s.braces);
        return s;
      }
    }
  }

  s.keys = ownKeys(ctx, obj);
  if (kind === 'Arguments' && ctor === 'Object') {
    s.braces[0] = '[Arguments] {';
    if (bare()) {
      s.done = '[Arguments] {}';
    }
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
