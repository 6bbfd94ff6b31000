// Format: what console.log makes of its arguments.

/**
 * Arguments as one text; a first string may hold %s %d %i %f %j %o %O %c %%.
 * @returns {string}
 */
function format(...args) {
  return formatWithOptions(undefined, ...args);
}

/**
 * As format, with options of inspect for the values that are no strings.
 * @param {object} [opts]
 * @returns {string}
 */
function formatWithOptions(opts, ...args) {
  const first = args[0];
  let out = '';
  let used = 0;
  if (typeof first === 'string') {
    used = 1;
    if (args.length === 1) {
      return safeText(first);
    }
    let from = 0;
    for (let i = 0; i < first.length - 1; i++) {
      if (first[i] !== '%') {
        continue;
      }
      const c = first[++i];
      if (c === '%') {
        out += safeText(first.slice(from, i));
        from = i + 1;
        continue;
      }
      if (used === args.length || !'sjdOoifc'.includes(c)) {
        continue;
      }
      out += safeText(first.slice(from, i - 1)) + substitute(opts, c, args[used++]);
      from = i + 1;
    }
    out += safeText(first.slice(from));
  }
  for (; used < args.length; used++) {
    const v = args[used];
    out += (used === 0 ? '' : ' ') + (typeof v === 'string' ? safeText(v) : inspect(v, opts));
  }
  return out;
}

function substitute(opts, c, v) {
  const t = typeof v;
  switch (c) {
    case 's':
      if (t === 'number') {
        return number(DEFAULTS, v);
      }
      if (t === 'bigint') {
        return `${v}n`;
      }
      if (t !== 'object' || v === null || !printsAsBuiltIn(v)) {
        return safeText(text(v));
      }
      return inspect(v, {...opts, depth: 0, colors: false, compact: 3});
    case 'j':
      return safeText(json(v));
    case 'd':
      return t === 'bigint' ? `${v}n` : t === 'symbol' ? 'NaN' : number(DEFAULTS, toNumber(Number, v));
    case 'i':
      return t === 'bigint' ? `${v}n` : t === 'symbol' ? 'NaN' : number(DEFAULTS, toNumber(parseInt, v));
    case 'f':
      return t === 'symbol' ? 'NaN' : number(DEFAULTS, toNumber(parseFloat, v));
    case 'O':
      return inspect(v, opts);
    case 'o':
      return inspect(v, {...opts, showHidden: true, showProxy: true, depth: 4});
    default: // c: style sheets are for browsers
      return '';
  }
}

function toNumber(parse, v) {
  try {
    return parse(v);
  } catch (e) {
    return NaN;
  }
}

function json(v) {
  try {
    return text(JSON.stringify(v));
  } catch (e) {
    return String(get(Object(e), 'message')).toLowerCase().includes('circular') ? '[Circular]' : '[not JSON]';
  }
}

/** Whether an object's toString is one of the language's, which says less than inspect. */
function printsAsBuiltIn(v) {
  while (kindOf(v) === 'Proxy') {
    v = host.target(v);
    if (v === null) {
      return true;
    }
  }
  if (typeof get(v, 'toString') !== 'function') {
    return true;
  }
  if (hasOwn(v, 'toString')) {
    return false;
  }
  let p = v;
  do {
    p = Object.getPrototypeOf(p);
  } while (p !== null && !hasOwn(p, 'toString'));
  const d = p === null ? undefined : Object.getOwnPropertyDescriptor(p, 'constructor');
  return d !== undefined && typeof d.value === 'function' && BUILT_IN.has(functionName(d.value));
}
