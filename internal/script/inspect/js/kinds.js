// Kinds: which built-in an object is, whatever its prototype says, and the entries that built-ins show.

const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const typedArrayLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length').get;
const mapEntries = Map.prototype.entries;
const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, 'size').get;
const setValues = Set.prototype.values;
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, 'size').get;
const mapNext = Object.getPrototypeOf(new Map().entries()).next;
const setNext = Object.getPrototypeOf(new Set().values()).next;

// What the host cannot tell: a prototype suggests the kind, and a call that only that kind bears proves it.
const PROOFS = new Map([
  [WeakMap.prototype, ['WeakMap', (v) => WeakMap.prototype.has.call(v, v)]],
  [WeakSet.prototype, ['WeakSet', (v) => WeakSet.prototype.has.call(v, v)]],
  [Symbol.prototype, ['Symbol', (v) => Symbol.prototype.valueOf.call(v)]],
  [BigInt.prototype, ['BigInt', (v) => BigInt.prototype.valueOf.call(v)]],
  [Object.getPrototypeOf(new Map().entries()), ['Map Iterator', (v) => host.iterator(v) || mapNext.call(v)]],
  [Object.getPrototypeOf(new Set().values()), ['Set Iterator', (v) => host.iterator(v) || setNext.call(v)]],
]);

/** 'Map', 'Set', 'TypedArray', 'Error', ...; 'Object' for an object that is none of them. */
function kindOf(obj) {
  const kind = host.kind(obj);
  if (kind !== '') {
    return kind;
  }
  if (ArrayBuffer.isView(obj)) {
    return typedArrayName.call(obj) === undefined ? 'DataView' : 'TypedArray';
  }
  for (let p = Object.getPrototypeOf(obj); p !== null && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    const proof = PROOFS.get(p);
    if (proof !== undefined) {
      try {
        proof[1](obj);
        return proof[0];
      } catch (e) {
        return 'Object';
      }
    }
    if (p === Error.prototype) {
      return 'Error';
    }
  }
  return 'Object';
}

function isError(v) {
  return typeof v === 'object' && v !== null && kindOf(v) === 'Error';
}

function plural(n, word) {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}

function moreItems(n) {
  return `... ${plural(n, 'more item')}`;
}

function addSeparators(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, '_');
}

function number(ctx, n) {
  if (!ctx.numericSeparator) {
    return Object.is(n, -0) ? '-0' : String(n);
  }
  const s = String(n);
  const whole = (n > -1 && n < 0 ? '-' : '') + String(Math.trunc(n));
  if (Number.isNaN(n) || !Number.isFinite(n) || whole.includes('e')) {
    return s;
  }
  if (Number.isInteger(n)) {
    return addSeparators(whole);
  }
  return `${addSeparators(whole)}.${s.slice(whole.length + 1).replace(/(\d{3})(?=\d)/g, '$1_')}`;
}

function bigint(ctx, n) {
  const s = String(n);
  return (ctx.numericSeparator ? addSeparators(s) : s) + 'n';
}

function limit(ctx) {
  return Math.max(0, ctx.maxArrayLength);
}

function arrayEntries(ctx, arr, level) {
  const shown = Math.min(limit(ctx), arr.length);
  const out = [];
  for (let i = 0; i < shown; i++) {
    if (!hasOwn(arr, i)) {
      return sparseEntries(ctx, arr, level, shown, out);
    }
    out.push(property(ctx, arr, level, i, LIST));
  }
  if (arr.length > shown) {
    out.push(moreItems(arr.length - shown));
  }
  return out;
}

/** From the first hole on: a run of holes is one entry. */
function sparseEntries(ctx, arr, level, most, out) {
  const keys = Object.keys(arr);
  let index = out.length;
  for (let i = index; i < keys.length && out.length < most; i++) {
    const key = keys[i];
    if (key !== `${index}`) {
      if (!/^(0|[1-9][0-9]*)$/.test(key) || Number(key) >= arr.length) {
        break;
      }
      out.push(ctx.style(`<${plural(Number(key) - index, 'empty item')}>`, 'undefined'));
      index = Number(key);
      if (out.length === most) {
        break;
      }
    }
    out.push(property(ctx, arr, level, key, LIST));
    index++;
  }
  const rest = arr.length - index;
  if (rest > 0) {
    out.push(out.length === most ? moreItems(rest) : ctx.style(`<${plural(rest, 'empty item')}>`, 'undefined'));
  }
  return out;
}

function typedArrayEntries(ctx, arr, level) {
  const length = typedArrayLength.call(arr);
  const shown = Math.min(limit(ctx), length);
  const out = [];
  const big = typeof arr[0] === 'bigint';
  for (let i = 0; i < shown; i++) {
    out.push(big ? ctx.style(bigint(ctx, arr[i]), 'bigint') : ctx.style(number(ctx, arr[i]), 'number'));
  }
  if (length > shown) {
    out.push(moreItems(length - shown));
  }
  if (ctx.showHidden) {
    ctx.indent += 2;
    for (const key of ['BYTES_PER_ELEMENT', 'length', 'byteLength', 'byteOffset', 'buffer']) {
      out.push(`[${key}]: ${inspectValue(ctx, arr[key], level, true)}`);
    }
    ctx.indent -= 2;
  }
  return out;
}

function hexBytes(bytes, n) {
  let s = '';
  for (let i = 0; i < n; i++) {
    s += (i === 0 ? '' : ' ') + (bytes[i] < 16 ? '0' : '') + bytes[i].toString(16);
  }
  return s;
}

function arrayBufferEntries(ctx, buf) {
  let bytes;
  try {
    bytes = new Uint8Array(buf);
  } catch (e) {
    return [ctx.style('(detached)', 'special')];
  }
  const most = limit(ctx);
  let hex = hexBytes(bytes, Math.min(most, bytes.length));
  if (bytes.length > most) {
    hex += ` ... ${plural(bytes.length - most, 'more byte')}`;
  }
  return [`${ctx.style('[Uint8Contents]', 'special')}: <${hex}>`];
}

/** A Buffer shows its first 50 bytes, then its other properties. */
function bufferText(ctx, buf, keys) {
  const most = 50;
  let hex = hexBytes(buf, Math.min(most, buf.length));
  if (buf.length > most) {
    hex += ` ... ${plural(buf.length - most, 'more byte')}`;
  }
  if (keys.length > 0) {
    const extras = Object.create(null);
    for (const key of keys) {
      Object.defineProperty(extras, key, Object.getOwnPropertyDescriptor(buf, key));
    }
    const all = inspect(extras, {...ctx.options, breakLength: Infinity, compact: true});
    hex += (buf.length === 0 ? '' : ', ') + all.slice('[Object: null prototype] { '.length, -' }'.length);
  }
  return hex;
}

function setEntries(ctx, set, level) {
  const most = limit(ctx);
  const size = setSize.call(set);
  const out = [];
  ctx.indent += 2;
  const it = setValues.call(set);
  for (let r = setNext.call(it); !r.done && out.length < most; r = setNext.call(it)) {
    out.push(inspectValue(ctx, r.value, level));
  }
  ctx.indent -= 2;
  if (size > most) {
    out.push(moreItems(size - most));
  }
  return out;
}

function mapEntriesOf(ctx, map, level) {
  const most = limit(ctx);
  const size = mapSize.call(map);
  const out = [];
  ctx.indent += 2;
  const it = mapEntries.call(map);
  for (let r = mapNext.call(it); !r.done && out.length < most; r = mapNext.call(it)) {
    out.push(`${inspectValue(ctx, r.value[0], level)} => ${inspectValue(ctx, r.value[1], level)}`);
  }
  ctx.indent -= 2;
  if (size > most) {
    out.push(moreItems(size - most));
  }
  return out;
}

/** What an iterator of a Map or Set has still to give, without taking it. */
function iteratorEntries(ctx, it, level, braces) {
  const rest = host.iterator(it);
  if (rest === null) {
    return [ctx.style('<items unknown>', 'special')];
  }
  const most = limit(ctx);
  const out = [];
  ctx.indent += 2;
  if (rest.pairs) {
    braces[0] = braces[0].replace(/ Iterator\] \{$/, ' Entries] {');
  }
  const items = rest.items;
  for (let i = 0; i < items.length && i < most; i++) {
    if (rest.pairs) {
      const pair = [inspectValue(ctx, items[i][0], level), inspectValue(ctx, items[i][1], level)];
      out.push(assemble(ctx, pair, '', ['[', ']'], LIST, level));
    } else {
      out.push(inspectValue(ctx, items[i], level));
    }
  }
  ctx.indent -= 2;
  if (items.length > most) {
    out.push(moreItems(items.length - most));
  }
  return out;
}

function promiseEntries(ctx, promise, level) {
  const p = host.promise(promise);
  if (p.state === 'pending') {
    return [ctx.style('<pending>', 'special')];
  }
  ctx.indent += 2;
  const s = inspectValue(ctx, p.result, level);
  ctx.indent -= 2;
  return [p.state === 'rejected' ? `${ctx.style('<rejected>', 'special')} ${s}` : s];
}
