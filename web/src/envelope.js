// The messages of the protocol; see docs/protocol.md.

export const CFG = "___cfg___";
export const PING = "___ping___";
export const PONG = "___pong___";
export const CREQ = "___creq___";
export const SRES = "___sres___";
export const SREQ = "___sreq___";
export const CRES = "___cres___";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** newID gives 64 random characters of A-Z a-z 0-9 - _. */
export function newID() {
  let id = "";
  for (const b of globalThis.crypto.getRandomValues(new Uint8Array(64))) id += ALPHABET[b & 63];
  return id;
}

/** envelope gives the text of a message of the protocol. */
export function envelope(type, data, id = newID()) {
  return JSON.stringify({ ___type___: type, ___id___: id, ___data___: data });
}

/** ownCfg gives the text of this side's configuration, which has no id. */
export function ownCfg(sessid, keepaliveInterval) {
  return JSON.stringify({ ___type___: CFG, ___data___: { sessid, keepaliveInterval } });
}

/**
 * parseText gives the object or array that a text message is, else undefined:
 * a bare number, a quoted string and broken JSON are strings.
 */
export function parseText(text) {
  if (!/^[ \t\r\n]*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
