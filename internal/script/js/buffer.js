// What goja_nodejs's Buffer leaves out of Node's.
(function () {
  'use strict';

  const { apply, defineProperty } = Reflect;
  const proto = Buffer.prototype;
  const bytes = Uint8Array.prototype;
  const native = { from: Buffer.from, toString: proto.toString, fill: bytes.fill, indexOf: bytes.indexOf, lastIndexOf: bytes.lastIndexOf, map: bytes.map, filter: bytes.filter, write: proto.write };

  function define(object, members) {
    for (const name of Object.keys(members)) {
      defineProperty(object, name, { value: members[name], writable: true, enumerable: false, configurable: true });
    }
  }

  const view = (array) => native.from(array.buffer, array.byteOffset, array.byteLength);

  // A result of map and its kin is made as a Uint8Array first: new Buffer(n) is not there.
  defineProperty(Buffer, Symbol.species, { get: () => Uint8Array, configurable: true });

  // ---- encodings ----

  const aliases = { utf8: 'utf8', 'utf-8': 'utf8', hex: 'hex', base64: 'base64', base64url: 'base64url', latin1: 'latin1', binary: 'latin1', ascii: 'ascii',
    ucs2: 'utf16le', 'ucs-2': 'utf16le', utf16le: 'utf16le', 'utf-16le': 'utf16le' };
  function encodingOf(name) {
    if (name === undefined || name === null || name === '') return 'utf8';
    const encoding = aliases[String(name).toLowerCase()];
    if (encoding === undefined) {
      const err = new TypeError('Unknown encoding: ' + String(name));
      err.code = 'ERR_UNKNOWN_ENCODING';
      throw err;
    }
    return encoding;
  }

  function encode(text, name) {
    const encoding = encodingOf(name);
    switch (encoding) {
      case 'latin1':
      case 'ascii': {
        const out = Buffer.alloc(text.length);
        for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
        return out;
      }
      case 'utf16le': {
        const out = Buffer.alloc(2 * text.length);
        for (let i = 0; i < text.length; i++) {
          out[2 * i] = text.charCodeAt(i);
          out[2 * i + 1] = text.charCodeAt(i) >> 8;
        }
        return out;
      }
      case 'base64':
      case 'base64url': // either alphabet, padded or not, as in Node
        return apply(native.from, Buffer, [text.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, ''), 'base64']);
    }
    return apply(native.from, Buffer, [text, encoding]);
  }

  function codes(count, at) {
    const parts = [];
    for (let from = 0; from < count; from += 4096) {
      const part = [];
      for (let i = from; i < Math.min(count, from + 4096); i++) part.push(at(i));
      parts.push(String.fromCharCode(...part));
    }
    return parts.join('');
  }

  function decode(b, name) {
    const encoding = encodingOf(name);
    if (b.length === 0) return '';
    switch (encoding) {
      case 'latin1': return codes(b.length, (i) => b[i]);
      case 'ascii': return codes(b.length, (i) => b[i] & 0x7f);
      case 'utf16le': return codes(b.length >> 1, (i) => b[2 * i] | (b[2 * i + 1] << 8));
      case 'base64url': return apply(native.toString, b, ['base64']).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
    }
    return apply(native.toString, b, [encoding]);
  }

  const toBuffer = (value, encoding) => {
    if (typeof value === 'string') return encode(value, encoding);
    if (value instanceof Uint8Array) return value;
    throw new TypeError('not a string, a Buffer or a Uint8Array');
  };

  define(Buffer, {
    from(value, ...rest) {
      if (typeof value === 'string') return encode(value, rest[0]);
      if (value !== null && typeof value === 'object' && value.type === 'Buffer' && Array.isArray(value.data)) value = value.data;
      return apply(native.from, Buffer, [value, ...rest]);
    },
    isBuffer(value) { return value instanceof Buffer; },
    isEncoding(name) { return typeof name === 'string' && aliases[name.toLowerCase()] !== undefined; },
    byteLength(value, encoding) { return typeof value === 'string' ? encode(value, encoding).length : value.byteLength; },
    compare(a, b) {
      const most = Math.min(a.length, b.length);
      for (let i = 0; i < most; i++) {
        if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
      }
      return Math.sign(a.length - b.length);
    },
    allocUnsafe(size) { return Buffer.alloc(size); },
    allocUnsafeSlow(size) { return Buffer.alloc(size); },
  });

  // Where a search begins, and a range ends.
  const within = (i, length, otherwise) => {
    i = i === undefined ? otherwise : Math.trunc(Number(i)) || 0;
    return Math.min(length, Math.max(0, i < 0 ? i + length : i));
  };
  const matches = (b, what, at) => {
    for (let j = 0; j < what.length; j++) {
      if (b[at + j] !== what[j]) return false;
    }
    return true;
  };

  define(proto, {
    toString(encoding, start, end) {
      if (start === undefined && end === undefined) return decode(this, encoding);
      return decode(this.subarray(Math.max(0, Number(start) || 0), end === undefined ? this.length : Math.max(0, Number(end) || 0)), encoding);
    },
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; },
    subarray(start, end) {
      const from = within(start, this.length, 0);
      const length = Math.max(0, within(end, this.length, this.length) - from);
      return native.from(this.buffer, length > 0 ? this.byteOffset + from : 0, length); // goja would point behind the end
    },
    slice(start, end) { return this.subarray(start, end); }, // not a copy, as in Node
    map(...args) { return view(apply(native.map, this, args)); },
    filter(...args) { return view(apply(native.filter, this, args)); },
    compare(other) { return Buffer.compare(this, other); },
    copy(target, targetStart = 0, start = 0, end = this.length) {
      const part = this.subarray(start, Math.min(end, start + Math.max(0, target.length - targetStart)));
      target.set(part, targetStart);
      return part.length;
    },
    write(text, offset, length, encoding) {
      if (typeof offset === 'string') [offset, length, encoding] = [undefined, undefined, offset];
      else if (typeof length === 'string') [length, encoding] = [undefined, length];
      if (encodingOf(encoding) === 'utf8') { // whole characters only: goja_nodejs knows
        return apply(native.write, this, [String(text), ...(offset === undefined ? [] : [offset]), ...(length === undefined ? [] : [length])]);
      }
      const at = offset === undefined ? 0 : Number(offset);
      const data = encode(String(text), encoding);
      return data.copy(this, at, 0, Math.min(data.length, length === undefined ? Infinity : Number(length)));
    },
    fill(value, start, end, encoding) {
      if (typeof start === 'string') [start, end, encoding] = [undefined, undefined, start];
      else if (typeof end === 'string') [end, encoding] = [undefined, end];
      if (typeof value !== 'string' && !(value instanceof Uint8Array)) return apply(native.fill, this, [value, start, end]);
      const what = toBuffer(value, encoding);
      const from = within(start, this.length, 0);
      const to = within(end, this.length, this.length);
      for (let i = from; i < to; i++) this[i] = what.length ? what[(i - from) % what.length] : 0;
      return this;
    },
    indexOf(value, from, encoding) {
      if (typeof value === 'number') return apply(native.indexOf, this, [value & 0xff, from]);
      if (typeof from === 'string') [from, encoding] = [undefined, from];
      const what = toBuffer(value, encoding);
      for (let i = within(from, this.length, 0); i + what.length <= this.length; i++) {
        if (matches(this, what, i)) return i;
      }
      return -1;
    },
    lastIndexOf(value, from, encoding) {
      if (typeof from === 'string') [from, encoding] = [undefined, from];
      const what = typeof value === 'number' ? [value & 0xff] : toBuffer(value, encoding);
      for (let i = Math.min(within(from, this.length, this.length), this.length - what.length); i >= 0; i--) {
        if (matches(this, what, i)) return i;
      }
      return -1;
    },
    includes(value, from, encoding) { return this.indexOf(value, from, encoding) !== -1; },
  });
})
