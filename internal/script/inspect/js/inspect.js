// Inspect: values as the REPL of Node.js 20 prints them.

const CUSTOM = Symbol.for('nodejs.util.inspect.custom');

/** Levels of nesting after which printing stops, as it does in Node.js where the stack ends. */
const DEEPEST = 500;

/** Characters of output after which only the outermost level is still printed. */
const MOST = 1 << 22;

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
    customs: 0,
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
      return bufferOf(value) === undefined ? undefined : `<Buffer ${bufferText(ctx, value, extraKeys(ctx, value, typedArrayLength.call(value)))}>`;
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
      return safeColored(String(result)).split('\n').join('\n' + ' '.repeat(ctx.indent));
    }
    if (ctx.customs >= DEEPEST) {
      return tooDeepFor(ctx, 'Object');
    }
    ctx.customs++;
    const s = inspectValue(ctx, result, level, false);
    ctx.customs--;
    return s;
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
  if (level >= DEEPEST) {
    return tooDeepFor(ctx, 'Proxy');
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
    return tooDeepFor(ctx, prefix(s.ctor, s.tag, 'Object').slice(0, -1));
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

function tooDeepFor(ctx, name) {
  return ctx.style(`[${name}: Inspection interrupted prematurely. Maximum call stack size exceeded.]`, 'special');
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
