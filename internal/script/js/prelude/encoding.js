// Texts and bytes.

class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return new Uint8Array(Buffer.from(String(text))); }
}
class TextDecoder {
  get encoding() { return 'utf-8'; }
  decode(data) { return data === undefined ? '' : native.utf8(toBytes(data)); }
}
