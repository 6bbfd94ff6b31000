import { ClosedError, ConnectError, withFields } from "../errors.js";
import { isBlob } from "../bytes.js";
import { parseAddress } from "./address.js";
import { Decoder } from "./decoder.js";
import { BINARY, CLOSE, CONT, PING, PONG, TEXT, closePayload, encodeFrame } from "./frame.js";
import { checkUpgrade, refusal, requestOptions } from "./handshake.js";

const EMPTY = new Uint8Array(0); // Buffer is not there in a browser
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

// Answers before the final one, such as 103 Early Hints.
const MAX_INFORMATION = 64;

// A certificate that does not convince will not tomorrow either.
const CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_)/;

/** NodeSocket is one connection by node:http and RFC 6455 as written here. */
export class NodeSocket {
  readyState = CONNECTING;
  protocol = "";
  raw = this;
  #node;
  #url;
  #address;
  #cfg;
  #events;
  #request;
  #decoder;
  #masks = EMPTY;
  #masksUsed = 0;
  #error;
  #peerClose; // what the server's close frame said
  #closing; // timer of the closing handshake
  #where = {};

  constructor(node, target, cfg, events) {
    this.#node = node;
    this.#url = target.url;
    this.#cfg = cfg;
    this.#events = events;
    this.#address = parseAddress(target.url);
    const key = node.crypto.randomBytes(16).toString("base64");
    const request = (this.#address.tls ? node.https : node.http).request(requestOptions(this.#address, target, cfg, key));
    this.#request = request;
    request.on("upgrade", (res, socket, head) => {
      if (this.readyState !== CONNECTING) {
        socket.destroy();
        return;
      }
      this.response = res;
      try {
        this.protocol = checkUpgrade(res, key, target.protocols, node.crypto);
      } catch (error) {
        socket.destroy();
        this.#end({ code: 1006, reason: "", wasClean: false, error });
        return;
      }
      this.#opened(socket, head);
    });
    let before = 0;
    request.on("information", () => {
      if (++before > MAX_INFORMATION) request.destroy(new Error("informational answers without end"));
    });
    request.on("response", (res) => {
      this.response = res;
      refusal(res, (error, retryAfter) => {
        request.destroy();
        this.#end({ code: 1006, reason: "", wasClean: false, error, retryAfter });
      });
    });
    request.on("error", (cause) => {
      const error = new ConnectError(`cannot connect to ${this.#url}: ${cause.message || cause.code}`, { cause });
      this.#end({ code: 1006, reason: "", wasClean: false, error: withFields(error, { code: cause.code, certificate: CERTIFICATE.test(cause.code) }) });
    });
    request.end();
  }

  #opened(socket, head) {
    this.socket = socket;
    this.readyState = OPEN;
    const { remoteAddress, remoteFamily, remotePort, localAddress, localPort } = socket;
    this.#where = { server: { address: remoteAddress, family: remoteFamily, port: remotePort }, local: { localAddress, localPort } };
    socket.setTimeout(0);
    socket.setNoDelay(this.#cfg.disableNagleAlgorithm ?? true);
    this.#decoder = new Decoder(this.#cfg.maxMessage, this.#node.isUtf8, {
      text: (s) => this.readyState === OPEN && this.#events.message(s),
      binary: (b) => this.readyState === OPEN && this.#events.message(b),
      ping: (payload) => {
        this.#events.heard();
        // A server that pings and does not read gets no queue of answers.
        if (this.readyState === OPEN && socket.writableLength <= this.#cfg.maxBuffered) this.#write(PONG, payload, true);
      },
      pong: () => this.#events.heard(),
      close: (code, reason) => this.#closedByPeer(code, reason),
    });
    socket.on("error", (err) => {
      this.#error ??= err;
    });
    socket.on("close", () => this.#gone());
    this.#events.open();
    // open() may have closed it.
    socket.on("data", (chunk) => this.#read(chunk));
    if (head.length) this.#read(head);
  }

  #read(chunk) {
    if (this.readyState === CLOSED || this.#peerClose) return;
    try {
      this.#decoder.push(chunk);
    } catch (err) {
      this.#fail(err);
    }
  }

  /** The server broke the protocol: it is told, and the connection is over. */
  #fail(error) {
    if (this.readyState === OPEN) this.#write(CLOSE, closePayload(error.code), true);
    this.#hangUp(this.#cfg.closeTimeout);
    this.#end({ code: error.code, reason: "", wasClean: false, error });
  }

  /** hangUp ends this side, and reads on: unread bytes would cost the server the close frame. */
  #hangUp(limit) {
    const { socket } = this;
    const timer = setTimeout(() => socket.destroy(), limit);
    socket.once("close", () => clearTimeout(timer));
    socket.end();
  }

  #closedByPeer(code, reason) {
    this.#peerClose = { code, reason };
    if (this.readyState === OPEN) {
      this.readyState = CLOSING;
      this.#write(CLOSE, closePayload(code), true);
      this.#limitClosing();
    }
    this.socket.end();
  }

  #limitClosing() {
    this.#closing ??= setTimeout(() => this.socket.destroy(), this.#cfg.closeTimeout);
  }

  /** The socket has ended, one way or another. */
  #gone() {
    const { code, reason } = this.#peerClose ?? { code: 1006, reason: "" };
    this.#end({ code, reason, wasClean: this.#peerClose !== undefined, error: this.#peerClose ? undefined : this.#error });
  }

  #end(info) {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    clearTimeout(this.#closing);
    this.#events.close(info);
  }

  #mask() {
    if (this.#masksUsed === this.#masks.length) {
      this.#masks = this.#node.crypto.randomBytes(1024);
      this.#masksUsed = 0;
    }
    this.#masksUsed += 4;
    return this.#masks.subarray(this.#masksUsed - 4, this.#masksUsed);
  }

  #write(opcode, payload, fin, done) {
    this.socket.write(encodeFrame(opcode, payload, fin, this.#mask()), done);
  }

  get bufferedAmount() {
    return this.socket?.writableLength ?? 0;
  }

  send(data, done) {
    if (isBlob(data)) {
      data.arrayBuffer().then((b) => this.send(new Uint8Array(b), done)).catch(done);
      return;
    }
    const written = done && ((err) => done(err && new ClosedError("the connection ended before the message had left", { cause: err })));
    if (this.readyState !== OPEN) {
      written?.(new Error("it is being closed"));
      return;
    }
    const payload = typeof data === "string" ? Buffer.from(data) : data;
    const { fragmentOutgoingMessages, fragmentationThreshold } = this.#cfg;
    const size = fragmentOutgoingMessages ? fragmentationThreshold : Infinity;
    const kind = typeof data === "string" ? TEXT : BINARY;
    if (payload.length <= size) {
      this.#write(kind, payload, true, written);
      return;
    }
    // Other servers limit frames more tightly than messages.
    this.socket.cork();
    for (let at = 0; at < payload.length; at += size) {
      const fin = at + size >= payload.length;
      this.#write(at === 0 ? kind : CONT, payload.subarray(at, at + size), fin, fin ? written : undefined);
    }
    this.socket.uncork();
  }

  ping(payload = EMPTY, done) {
    if (this.readyState !== OPEN) throw new ClosedError("not connected");
    this.#write(PING, payload, true, done);
  }

  close(code, reason) {
    if (this.readyState === CONNECTING) {
      this.terminate(1006, "");
    } else if (this.readyState === OPEN) {
      this.readyState = CLOSING;
      this.#write(CLOSE, closePayload(code, reason), true);
      this.#limitClosing();
    }
  }

  /** terminate ends it here and now; a server that still listens is told. */
  terminate(code, reason, error) {
    if (this.readyState === CLOSED) return;
    const socket = this.socket;
    if (!socket) {
      this.#request.on("error", () => {});
      this.#end({ code, reason, wasClean: false, error });
      this.#request.destroy();
      return;
    }
    if (this.readyState === OPEN && code !== 1006) {
      this.#write(CLOSE, closePayload(code, reason), true);
      this.#hangUp(1000);
    } else {
      socket.destroy();
    }
    this.#end({ code, reason, wasClean: false, error });
  }

  /** describe is what a Sess shows of it, describeServer what a Client does. */
  describe() {
    return { local: this.describeServer().local };
  }

  describeServer() {
    return this.#address.socketPath ? { server: this.#url, local: { localAddress: null, localPort: null } } : this.#where;
  }
}
