// Texts and bytes.

class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return new Uint8Array(Buffer.from(String(text))); }
}

const decoders = { 'utf-8': 'utf-8', utf8: 'utf-8', 'utf-16': 'utf-16le', 'utf-16le': 'utf-16le', 'ucs-2': 'utf-16le' };
const coded = (error, code) => Object.assign(error, { code });
class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    const name = String(label).trim().toLowerCase();
    if (!apply(Object.prototype.hasOwnProperty, decoders, [name])) {
      throw coded(new RangeError(`The "${label}" encoding is not supported`), 'ERR_ENCODING_NOT_SUPPORTED');
    }
    this.#encoding = decoders[name];
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }
  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }
  decode(data, { stream = false } = {}) {
    if (stream) throw new TypeError('a TextDecoder decodes whole texts only here');
    if (data === undefined) return '';
    const bytes = toBytes(data);
    const buffer = isView(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.from(bytes);
    const wide = this.#encoding === 'utf-16le';
    const text = wide ? buffer.toString('utf16le') : native.utf8(bytes);
    if (this.#fatal && !Buffer.from(text, wide ? 'utf16le' : 'utf8').equals(buffer)) {
      throw coded(new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`), 'ERR_ENCODING_INVALID_ENCODED_DATA');
    }
    return !this.#ignoreBOM && text[0] === '\ufeff' ? text.slice(1) : text;
  }
}
