// RFC 6455, section 5: frames as this side sends them.

export const CONT = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** encodeFrame gives a masked frame; mask is 4 random bytes. */
export function encodeFrame(opcode, payload, fin, mask) {
  const n = payload.length;
  const head = n < 126 ? 2 : n < 65536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + 4 + n);
  frame[0] = (fin ? 0x80 : 0) | opcode;
  if (head === 2) {
    frame[1] = 0x80 | n;
  } else if (head === 4) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(n, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(n), 2);
  }
  frame.set(mask, head);
  const at = head + 4;
  for (let i = 0; i < n; i++) frame[at + i] = payload[i] ^ mask[i & 3];
  return frame;
}

/** closePayload gives a close frame's payload; a reason too long for one is cut at a character. */
export function closePayload(code, reason = "") {
  if (code === undefined || code === 1005) return Buffer.alloc(0);
  let text = Buffer.from(reason);
  if (text.length > 123) {
    let cut = 123;
    while ((text[cut] & 0xc0) === 0x80) cut--;
    text = text.subarray(0, cut);
  }
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code, 0);
  payload.set(text, 2);
  return payload;
}

/** legalCloseCode tells whether a peer may send it: RFC 6455, section 7.4, and the registry. */
export const legalCloseCode = (code) =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
