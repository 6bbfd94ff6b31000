import { ProtocolError, withFields } from "../errors.js";
import { BINARY, CLOSE, CONT, PING, TEXT, legalCloseCode } from "./frame.js";

// Frames of a message: those without payload would never come to an end.
const MAX_FRAGMENTS = 131072;

const violation = (message, code = 1002) => withFields(new ProtocolError(`the server broke RFC 6455: ${message}`), { code });

/**
 * Decoder takes a server's bytes in any split and gives its messages. It never
 * holds more than maxMessage and one copy of it while growing: memory grows with
 * what has arrived, not with what a frame declares.
 */
export class Decoder {
  #max;
  #isUtf8;
  #out;
  #head = Buffer.alloc(10); // a frame's header as it comes
  #have = 0;
  #frame; // {fin, opcode, left} while its payload comes
  #kind = 0; // opcode of the message under way
  #fragments = 0; // of it
  #body = Buffer.alloc(0); // its payload so far, at the beginning of a larger buffer
  #used = 0;
  #valid = 0; // bytes of it that are whole characters
  #control = Buffer.alloc(125); // a control frame's payload so far
  #controlUsed = 0;
  #closed = false;

  /** out: text(string), binary(Buffer), ping(payload), pong(payload), close(code, reason). */
  constructor(maxMessage, isUtf8, out) {
    this.#max = maxMessage;
    this.#isUtf8 = isUtf8;
    this.#out = out;
  }

  /** push takes bytes; a ProtocolError is thrown after what came before it was given out. */
  push(chunk) {
    let at = 0;
    while (!this.#closed) {
      if (!this.#frame) {
        const need = this.#headerLength() - this.#have;
        const n = Math.min(need, chunk.length - at);
        chunk.copy(this.#head, this.#have, at, at + n);
        this.#have += n;
        at += n;
        if (this.#have < 2) return;
        if (this.#have === 2 && n) this.#checkStart();
        if (this.#have < this.#headerLength()) {
          if (at === chunk.length) return;
          continue;
        }
        this.#begin();
      }
      const frame = this.#frame;
      const n = Math.min(frame.left, chunk.length - at);
      const part = chunk.subarray(at, at + n);
      at += n;
      frame.left -= n;
      if (frame.opcode >= CLOSE) {
        this.#controlUsed += part.copy(this.#control, this.#controlUsed);
      } else if (frame.left === 0 && frame.fin && this.#used === 0) {
        this.#frame = undefined; // the whole message lies in this chunk
        this.#message(part);
        continue;
      } else {
        this.#append(part);
      }
      if (frame.left > 0) return;
      this.#frame = undefined;
      if (frame.opcode >= CLOSE) this.#controlFrame(frame.opcode);
      else if (frame.fin) this.#finish();
    }
  }

  #headerLength() {
    if (this.#have < 2) return 2;
    const n = this.#head[1] & 0x7f;
    return n < 126 ? 2 : n === 126 ? 4 : 10;
  }

  /** What the first two bytes already tell. */
  #checkStart() {
    const [first, second] = this.#head;
    const opcode = first & 0x0f;
    if (first & 0x70) throw violation("a reserved bit without an extension");
    if (second & 0x80) throw violation("a masked frame");
    if ((opcode > BINARY && opcode < CLOSE) || opcode > 0xa) throw violation(`the unknown opcode ${opcode}`);
    if (opcode >= CLOSE) {
      if (!(first & 0x80)) throw violation("a control frame in fragments");
      if ((second & 0x7f) > 125) throw violation("a control frame of more than 125 bytes");
    } else if (opcode === CONT) {
      if (!this.#kind) throw violation("a continuation of nothing");
    } else if (this.#kind) {
      throw violation("a new message inside another");
    }
  }

  #begin() {
    const head = this.#head;
    let length = head[1] & 0x7f;
    if (length === 126) {
      length = head.readUInt16BE(2);
      if (length < 126) throw violation("a length in more bytes than it needs");
    } else if (length === 127) {
      const big = head.readBigUInt64BE(2);
      if (big < 65536n) throw violation("a length in more bytes than it needs");
      if (big >> 63n) throw violation("a length of 2^63 or more");
      length = Number(big);
    }
    const opcode = head[0] & 0x0f;
    if (opcode < CLOSE) {
      if (this.#used + length > this.#max) throw violation(`a message of more than ${this.#max} bytes`, 1009);
      if (opcode !== CONT) this.#kind = opcode;
      if (++this.#fragments > MAX_FRAGMENTS) throw violation(`a message of more than ${MAX_FRAGMENTS} frames`, 1008);
    }
    this.#have = 0;
    this.#frame = { fin: (head[0] & 0x80) !== 0, opcode, left: length };
  }

  #append(part) {
    const need = this.#used + part.length;
    if (need > this.#body.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#max, Math.max(need, 2 * this.#body.length, 4096)));
      this.#body.copy(grown, 0, 0, this.#used);
      this.#body = grown;
    }
    part.copy(this.#body, this.#used);
    this.#used = need;
    if (this.#kind === TEXT) this.#checkText();
  }

  /** Text that cannot become UTF-8 any more need not come to its end: RFC 6455, section 8.1. */
  #checkText() {
    const text = this.#body.subarray(this.#valid, this.#used);
    let end = text.length;
    for (let n = 1; n < 4 && n <= text.length; n++) {
      const lead = text[text.length - n];
      if ((lead & 0xc0) === 0x80) continue;
      const missing = (lead > 0xef) + (lead > 0xdf) + (lead > 0xbf) + 1 - n;
      if (missing > 0) {
        // The second byte is the only one with a range of its own.
        const second = n > 1 ? text[text.length - n + 1] : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
        const rest = [second, ...text.subarray(text.length - n + 2), 0x80, 0x80].slice(0, n + missing - 1);
        if (!this.#isUtf8(Buffer.from([lead, ...rest]))) this.#notText();
        end -= n;
      }
      break;
    }
    if (!this.#isUtf8(text.subarray(0, end))) this.#notText();
    this.#valid += end;
  }

  #notText() {
    throw violation("text that is not UTF-8", 1007);
  }

  #finish() {
    const payload = this.#body.subarray(0, this.#used);
    this.#body = Buffer.alloc(0);
    this.#used = this.#valid = 0;
    this.#message(payload);
  }

  #message(payload) {
    const kind = this.#kind;
    this.#kind = this.#fragments = 0;
    if (kind === TEXT) {
      if (!this.#isUtf8(payload)) this.#notText();
      this.#out.text(payload.toString("utf8"));
    } else {
      this.#out.binary(payload);
    }
  }

  #controlFrame(opcode) {
    const payload = Buffer.from(this.#control.subarray(0, this.#controlUsed));
    this.#controlUsed = 0;
    if (opcode === PING) {
      this.#out.ping(payload);
    } else if (opcode !== CLOSE) {
      this.#out.pong(payload);
    } else {
      this.#closed = true;
      if (payload.length === 0) {
        this.#out.close(1005, "");
        return;
      }
      const code = payload.length > 1 ? payload.readUInt16BE(0) : 0;
      if (!legalCloseCode(code)) throw violation("a close frame with no legal code");
      const reason = payload.subarray(2);
      if (!this.#isUtf8(reason)) throw violation("a close reason that is not UTF-8", 1007);
      this.#out.close(code, reason.toString("utf8"));
    }
  }
}
