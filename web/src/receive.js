import * as envelope from "./envelope.js";
import { call } from "./events.js";
import { inNode } from "./transport.js";

// More than this waiting to be sent, and a ping's answer would only add to it.
const CLOGGED = 1048576;

/**
 * receive is a message's way in: the protocol's own is dealt with here, the rest
 * goes to the handler of its kind and to who listens for "message".
 */
export function receive(client, link, requests, data, { emit, debug }) {
  const sess = client.sess_;
  const { conn_: conn, cfg_: cfg } = client;
  if (typeof data !== "string") {
    emit("message", { kind: "binary", data, sess });
    call(client.bin_handle_, data.length, data, conn, sess, client);
    return;
  }
  const j = envelope.parseText(data);
  if (j === undefined) {
    emit("message", { kind: "string", data, sess });
    call(client.str_handle_, data, conn, sess, client);
    return;
  }
  switch (j.___type___) {
    case envelope.CFG:
      emit("cfg", j);
      call(client.cfg_handle_, j, conn, sess, client);
      break;
    case envelope.PING:
      emit("keepalive", { type: "ping", sent: false });
      if (link.readyState === 1 && link.bufferedAmount < CLOGGED) {
        link.send(envelope.envelope(envelope.PONG, String(cfg.keepaliveInterval)));
        emit("keepalive", { type: "pong", sent: true });
      }
      break;
    case envelope.PONG:
      emit("keepalive", { type: "pong", sent: false });
      break;
    case envelope.SREQ:
      emit("request", j);
      call(client.sreq_handle_, j, conn, sess, client);
      break;
    case envelope.SRES:
      if (!requests.settle(j.___id___, j)) debug("ignored: an answer nobody waits for", j.___id___);
      break;
    case envelope.CREQ:
    case envelope.CRES:
      debug("ignored: a server does not send", j.___type___);
      break;
    default:
      emit("message", { kind: "json", data: j, sess });
      call(client.json_handle_, j, conn, sess, client);
  }
}

/** ping sends a ___ping___, and with a ping frame where that can be. */
export function ping(client, link, emit) {
  if (link.readyState !== 1 || link.bufferedAmount >= CLOGGED) return;
  link.send(envelope.envelope(envelope.PING, String(client.cfg_.keepaliveInterval)));
  if (inNode()) link.ping();
  emit("keepalive", { type: "ping", sent: true });
}
