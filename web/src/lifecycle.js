import { askedDelay, retryDelay, steadyAfter } from "./backoff.js";
import { ClosedError, TimeoutError, withFields } from "./errors.js";
import { connector } from "./transport.js";

/** deferred is a promise and its ends. */
function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  return d;
}

/**
 * Lifecycle keeps one connection to a server: it connects, notices the end,
 * waits, connects again, until it is stopped or there is no sense in going on.
 *
 * state is "idle" (never started), "connecting", "open", "closing",
 * "reconnecting" (waiting for the next attempt, or making it) or "closed".
 *
 * host is told: opened(link), received(link, data), heard(link), ended(link, info,
 * willReconnect), failed(error), waiting({attempt, delay, error}), over(error);
 * and asked: check() before an attempt to reconnect.
 */
export class Lifecycle {
  state = "idle";
  link; // the connection that is open, or being closed
  #cfg;
  #host;
  #run; // what start began and stop ends

  constructor(cfg, host) {
    this.#cfg = cfg;
    this.#host = host;
  }

  /** Whether a connection is, or will be, without anybody's doing. */
  get promising() {
    if (!this.#run || this.#run.stopped) return false;
    return this.state === "open" || this.state === "connecting" || this.#cfg.autoReconnect;
  }

  /** start gives a promise of the first connection. */
  async start(target, signal) {
    signal?.throwIfAborted();
    const run = { target, stopped: false, ready: deferred(), over: deferred(), wake: undefined, dialing: undefined, replaced: false };
    const before = this.#run;
    this.#run = run;
    this.state = "connecting";
    // The promise given out is another's: what nobody waits for is not unhandled.
    run.ready.promise.catch(() => {});
    const aborted = () => void this.#stop(run, 1000, "", signal.reason);
    signal?.addEventListener("abort", aborted);
    try {
      if (before) {
        before.replaced = true;
        await this.#stop(before, 1000, "", new ClosedError("started anew"));
      }
      if (!run.stopped) this.#loop(run);
      await run.ready.promise;
    } finally {
      signal?.removeEventListener("abort", aborted);
    }
  }

  /** stop ends the connection, and there will be no other. It gives the close code and reason. */
  async stop(code, reason) {
    if (!this.#run) return [undefined, undefined];
    return this.#stop(this.#run, code, reason, new ClosedError("closed by close()"));
  }

  async #stop(run, code, reason, why) {
    if (!run.stopped) {
      run.stopped = true;
      run.why = why;
      if (!run.replaced) this.state = "closing";
      run.ready.reject(why);
      run.wake?.();
      run.dialing?.terminate(1006, "", why);
      if (run.link) this.close(code, reason, run.link);
      else if (!run.looping) this.#finish(run, why);
    }
    return run.over.promise;
  }

  /** close ends this connection with a handshake; what follows is the policy's. */
  close(code, reason, link = this.link) {
    if (!link || link.readyState > 1) return;
    if (this.state === "open") this.state = "closing";
    link.close(code, reason);
    link.limit = setTimeout(() => link.terminate(code, reason), this.#cfg.closeTimeout);
  }

  /** drop ends this connection without waiting for the server. */
  drop(code, reason, error) {
    this.link?.terminate(code, reason, error);
  }

  async #loop(run) {
    run.looping = true;
    let attempt = 0; // since the last steady connection
    let error;
    try {
      const connect = await connector(run.target, this.#cfg);
      while (!run.stopped) {
        const end = await this.#once(run, connect, attempt);
        error = end.error ?? withFields(new ClosedError(`closed with ${end.code}${end.reason ? ` ${end.reason}` : ""}`), { code: end.code, reason: end.reason });
        if (run.stopped || !end.again) break;
        if (end.lasted >= steadyAfter(this.#cfg)) attempt = 0;
        await this.#wait(run, ++attempt, end, error);
      }
    } catch (err) {
      error = err;
      if (!run.stopped) this.#host.failed(err);
    }
    this.#finish(run, run.stopped ? run.why : error);
  }

  #finish(run, error) {
    run.looping = false;
    const stopped = run.stopped;
    run.stopped = true;
    run.ready.reject(error);
    run.over.resolve(run.closed ?? [undefined, undefined]);
    if (this.#run !== run) return; // another has begun
    this.state = "closed";
    this.#host.over(error, stopped);
  }

  /** Whether to try again after the end of a connection that lasted so long, or a failure. */
  #retry(run, { error, lasted }, attempt) {
    if (run.stopped || !this.#cfg.autoReconnect) return false;
    if ((lasted >= steadyAfter(this.#cfg) ? 0 : attempt) >= this.#cfg.maxRetries) return false;
    if (lasted !== undefined) return true;
    if (this.#cfg.fatalStatus.includes(error?.status)) return false;
    return run.opened || !error?.certificate;
  }

  /** once makes one connection and gives its end: lasted is undefined if it never opened. */
  #once(run, connect, attempt) {
    const { promise, resolve } = deferred();
    let opened;
    const link = connect({
      open: () => {
        clearTimeout(limit);
        opened = performance.now();
        run.dialing = undefined;
        run.link = this.link = link;
        run.opened = true;
        this.state = "open";
        this.#host.opened(link);
        run.ready.resolve();
      },
      message: (data) => this.#host.received(link, data),
      heard: () => this.#host.heard(link),
      close: (info) => {
        clearTimeout(limit);
        clearTimeout(link.limit);
        run.dialing = run.link = undefined;
        const end = { ...info, lasted: opened === undefined ? undefined : performance.now() - opened };
        end.again = this.#retry(run, end, attempt);
        if (info.error && !run.stopped) this.#host.failed(info.error);
        if (opened !== undefined) {
          run.closed = [info.code, info.reason];
          if (this.#run === run) this.state = end.again ? "reconnecting" : "closing";
          this.#host.ended(link, info, end.again || run.replaced);
        }
        resolve(end);
      },
    });
    const limit = setTimeout(() => {
      link.terminate(1006, "", new TimeoutError(`no connection to ${run.target.url} within ${this.#cfg.connectTimeout} ms`));
    }, this.#cfg.connectTimeout);
    run.dialing = link;
    return promise;
  }

  /** wait is over when the delay is, and the check of the network agrees. */
  async #wait(run, attempt, end, error) {
    const delay = retryDelay(this.#cfg, attempt, end);
    this.state = run.opened ? "reconnecting" : "connecting";
    this.#host.waiting({ attempt, delay: Math.round(delay), error });
    await this.#sleep(run, delay, askedDelay(this.#cfg, end));
    for (let n = attempt; !run.stopped && !(await this.#checked(run)); ) {
      await this.#sleep(run, retryDelay(this.#cfg, ++n));
    }
  }

  /** sleep waits for delay; of what the server asked for nothing is left out. */
  async #sleep(run, delay, asked = 0) {
    if (run.stopped) return;
    const due = performance.now() + asked;
    const { promise, resolve } = deferred();
    const timer = setTimeout(resolve, delay);
    // A browser says when the network is back: then not all at once, but soon.
    const soon = () => setTimeout(resolve, Math.max(due - performance.now(), 0) + Math.random() * Math.min(delay, this.#cfg.reconnectMin));
    run.wake = resolve;
    globalThis.addEventListener?.("online", soon, { once: true });
    await promise;
    run.wake = undefined;
    clearTimeout(timer);
    globalThis.removeEventListener?.("online", soon);
  }

  /** A check that fails, or never ends, says no. */
  async #checked(run) {
    const { promise, resolve } = deferred();
    const timer = setTimeout(() => resolve(false), this.#cfg.connectTimeout);
    run.wake = () => resolve(false);
    Promise.resolve().then(() => this.#host.check()).then((ok) => resolve(ok !== false), () => resolve(false));
    const ok = await promise;
    run.wake = undefined;
    clearTimeout(timer);
    return ok;
  }
}
