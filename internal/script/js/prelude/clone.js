// structuredClone.

// The errors that stay what they are; others become plain ones.
const cloned = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

const clone = (value, seen) => {
  if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`${String(value)} could not be cloned`);
  if (value === null || typeof value !== 'object') return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (copy) => (seen.set(value, copy), copy);
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (value instanceof DataView) return keep(new DataView(clone(value.buffer, seen), value.byteOffset, value.byteLength));
  if (isView(value)) return keep(Buffer.isBuffer(value) ? Buffer.from(value) : new value.constructor(value));
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [k, v] of value) copy.set(clone(k, seen), clone(v, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const v of value) copy.add(clone(v, seen));
    return copy;
  }
  if (value instanceof Error) {
    const kind = cloned.find((C) => C.name === value.name) || Error;
    const copy = keep(new kind(value.message));
    if (value.stack !== undefined) hidden(copy, { stack: value.stack });
    if (apply(Object.prototype.hasOwnProperty, value, ['cause'])) hidden(copy, { cause: clone(value.cause, seen) });
    return copy;
  }
  const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
  for (const k of keys(value)) copy[k] = clone(value[k], seen);
  return copy;
};
