const encoder = new TextEncoder();

export const isBlob = (v) => typeof Blob === "function" && v instanceof Blob;

const isShared = (v) => typeof SharedArrayBuffer === "function" && v instanceof SharedArrayBuffer;

/** octet is for an array's elements: a Uint8Array would take 300 as 44, and "x" as 0. */
function octet(v, at) {
  if (Number.isInteger(v) && v >= 0 && v <= 255) return v;
  throw new TypeError(`element ${at} of the array is no byte: it must be a whole number from 0 to 255`);
}

/**
 * to_u8ary gives the bytes of data: of a typed array, DataView or ArrayBuffer as
 * they lie in memory, of a string in UTF-8, of an array its numbers, each from 0
 * to 255.
 */
export function to_u8ary(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || isShared(data)) return new Uint8Array(data);
  // Another realm's (an iframe's, a vm context's) ArrayBuffer is no instance of ours.
  if (Object.prototype.toString.call(data) === "[object ArrayBuffer]") return new Uint8Array(data);
  if (Array.isArray(data)) return Uint8Array.from(data, octet);
  if (typeof data === "string") return encoder.encode(data);
  if (isBlob(data)) throw new TypeError("a Blob's bytes come later: await ato_u8ary(blob), or absend(blob)");
  throw new TypeError(`${data === null ? "null" : typeof data} is not bytes: give a typed array, DataView, ArrayBuffer, array or string`);
}

/** ato_u8ary is to_u8ary for Blobs too. */
export async function ato_u8ary(data) {
  return isBlob(data) ? new Uint8Array(await data.arrayBuffer()) : to_u8ary(data);
}

/** sizeOf is how many bytes a message has on the wire: text, Uint8Array or Blob. */
export function sizeOf(data) {
  if (typeof data === "string") return encoder.encode(data).length;
  return data.byteLength ?? data.size;
}
