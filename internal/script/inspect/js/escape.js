// Text: quoting, escaping, width on a terminal, colors.

/** What each style looks like with colors: [on, off] of "select graphic rendition". */
const STYLES = {
  special: [36, 39],
  number: [33, 39],
  bigint: [33, 39],
  boolean: [33, 39],
  undefined: [90, 39],
  null: [1, 22],
  string: [32, 39],
  symbol: [32, 39],
  date: [35, 39],
  regexp: [31, 39],
  module: [4, 24],
};

const COLOR = /\x1b\[[0-9;]*m/g;

function plainStyle(text) {
  return text;
}

function colorStyle(text, style) {
  const c = STYLES[style];
  return c === undefined ? text : `\x1b[${c[0]}m${text}\x1b[${c[1]}m`;
}

function withoutColors(text) {
  return text.includes('\x1b') ? text.replace(COLOR, '') : text;
}

/** The columns a piece of output takes on a terminal. */
function width(text, colors) {
  return host.width(colors ? withoutColors(text) : text);
}

// Marks that turn the direction of writing: raw, they make text read as what it is not.
const DIRECTION = '\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069';
const TO_QUOTE = new RegExp(`[\\x00-\\x1f'\\\\\\x7f-\\x9f${DIRECTION}]|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]`);
const UNSAFE = new RegExp(`[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f${DIRECTION}]`);
const UNSAFE_LINE = new RegExp(`[\\x00-\\x1f\\x7f-\\x9f${DIRECTION}]`);

const SHORT_ESCAPES = {8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 39: "\\'", 92: '\\\\'};

function isUnsafe(code) {
  return code < 0x20 || code >= 0x7f && code <= 0x9f || code === 0x61c || code === 0x200e || code === 0x200f ||
    code >= 0x202a && code <= 0x202e || code >= 0x2066 && code <= 0x2069;
}

/** \x1B, or \u202E for what needs more digits. */
function codeEscape(code) {
  const hex = code.toString(16);
  return code < 0x100 ? '\\x' + hex.toUpperCase().padStart(2, '0') : '\\u' + hex.padStart(4, '0');
}

function escapeBody(text, quote) {
  let out = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    let esc;
    if (code === 39) {
      if (quote === "'") {
        esc = SHORT_ESCAPES[code];
      }
    } else if (code === 92) {
      esc = SHORT_ESCAPES[code];
    } else if (isUnsafe(code)) {
      esc = SHORT_ESCAPES[code] || codeEscape(code);
    } else if (code >= 0xd800 && code <= 0xdfff) {
      const next = code < 0xdc00 ? text.charCodeAt(i + 1) : 0;
      if (next >= 0xdc00 && next <= 0xdfff) {
        i++;
      } else {
        esc = codeEscape(code);
      }
    }
    if (esc !== undefined) {
      out += text.slice(from, i) + esc;
      from = i + 1;
    }
  }
  return from === 0 ? text : out + text.slice(from);
}

/** A string as a literal: single quotes unless another kind saves escaping. */
function quote(text) {
  let q = "'";
  if (text.includes("'")) {
    if (!text.includes('"')) {
      q = '"';
    } else if (!text.includes('`') && !text.includes('${')) {
      q = '`';
    }
  } else if (!TO_QUOTE.test(text)) {
    return `'${text}'`;
  }
  return q + escapeBody(text, q) + q;
}

/**
 * Text that Node prints raw (names, tags, messages) made safe for a terminal: control characters and direction marks as escapes.
 * Line breaks stay, for they are part of what is printed.
 */
function safe(text) {
  return UNSAFE.test(text) ? replaceUnsafe(text, true) : text;
}

/** As safe, for what is never more than a line: keys and symbols. */
function safeLine(text) {
  return UNSAFE_LINE.test(text) ? replaceUnsafe(text, false) : text;
}

/** As safe, and tabs stay: for text that a program composed for a log. */
function safeText(text) {
  return text.includes('\t') ? text.split('\t').map(safe).join('\t') : safe(text);
}

/** As safeText, and colors stay: for what a method of an object made of itself, maybe with inspect. */
function safeColored(text) {
  if (!text.includes('\x1b')) {
    return safeText(text);
  }
  let out = '';
  let from = 0;
  for (const m of text.matchAll(COLOR)) {
    out += safeText(text.slice(from, m.index)) + m[0];
    from = m.index + m[0].length;
  }
  return out + safeText(text.slice(from));
}

function replaceUnsafe(text, lines) {
  let out = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isUnsafe(code) && !(lines && code === 10)) {
      out += text.slice(from, i) + (SHORT_ESCAPES[code] || codeEscape(code));
      from = i + 1;
    }
  }
  return out + text.slice(from);
}
