import { TimeoutError, TooManyPending } from "./errors.js";

/**
 * Requests are those that wait for the server's answer. Each ends once: with the
 * answer, at its deadline, by its AbortSignal, or with its connection.
 */
export class Requests {
  #cfg;
  #pending = new Map();

  constructor(cfg) {
    this.#cfg = cfg;
  }

  /**
   * add notes a request and gives its promise. send(sent) hands it over, calls
   * sent() when it has left this queue for a connection (so that the end of the
   * connection is its end too), and gives back how to withdraw it before.
   */
  add(id, { timeout = this.#cfg.requestTimeout, signal } = {}, send) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#pending.size >= this.#cfg.maxPending) {
        throw new TooManyPending(`${this.#pending.size} requests wait for their answer already`);
      }
      let timer;
      let withdraw;
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        this.#pending.delete(id);
      };
      const entry = {
        sent: false,
        rs: (answer) => (end(), resolve(answer)),
        rj: (err) => (end(), withdraw?.(), reject(err)),
      };
      const aborted = () => entry.rj(signal.reason);
      this.#pending.set(id, entry);
      try {
        withdraw = send(() => {
          entry.sent = true;
        });
      } catch (err) {
        entry.rj(err);
        return;
      }
      signal?.addEventListener("abort", aborted);
      if (timeout > 0 && timeout !== Infinity) {
        timer = setTimeout(() => entry.rj(new TimeoutError(`no answer within ${timeout} ms`)), timeout);
      }
    });
  }

  /** settle gives an answer to the request with its id, if one waits. */
  settle(id, answer) {
    const entry = this.#pending.get(id);
    if (!entry?.sent) return false;
    entry.rs(answer);
    return true;
  }

  /** fail ends the requests: those that were sent, or all. */
  fail(err, all) {
    for (const entry of this.#pending.values()) {
      if (all || entry.sent) entry.rj(err);
    }
  }

  /** An object as nv-session-simple shows it: by id, how to settle. */
  table() {
    const table = Object.create(null);
    for (const [id, { rs, rj }] of this.#pending) table[id] = { rs, rj };
    return table;
  }
}
