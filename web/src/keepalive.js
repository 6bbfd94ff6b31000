/**
 * Keepalive pings a server every quarter of the interval and gives it up when
 * nothing came for an interval: after a last ping and a quarter more, because a
 * process or page that was stopped must first see what has come meanwhile.
 */
export class Keepalive {
  #interval;
  #ping;
  #giveUp;
  #heard = performance.now();
  #pinging;
  #watching;
  #timedOut = false;
  #cancelled = false;

  constructor(interval, { ping, giveUp }) {
    this.#interval = interval;
    this.#ping = ping;
    this.#giveUp = giveUp;
    this.#pinging = setInterval(ping, interval / 4);
    this.#watch(interval);
  }

  #watch(delay, last = false) {
    this.#watching = setTimeout(() => {
      const left = this.lefted_;
      if (left > 0) {
        this.#watch(left);
      } else if (!last) {
        this.#ping();
        this.#watch(this.#interval / 4, true);
      } else {
        this.#timedOut = true;
        this.#stop();
        this.#giveUp();
      }
    }, delay);
  }

  #stop() {
    clearInterval(this.#pinging);
    clearTimeout(this.#watching);
  }

  /** The timer that pings. */
  get timer() {
    return this.#pinging;
  }

  /** renew says that the server was heard. */
  renew() {
    this.#heard = performance.now();
    return !this.#cancelled && !this.#timedOut;
  }

  /** cancel stops it for good. */
  cancel() {
    this.#cancelled = true;
    this.#stop();
  }

  is_canceled() {
    return this.#cancelled;
  }

  is_tmouted() {
    return this.#timedOut;
  }

  /** The interval, the time since the server was heard, and what is left of the interval. */
  get tmout_() {
    return this.#interval;
  }

  get passed_() {
    return Math.max(0, performance.now() - this.#heard);
  }

  get lefted_() {
    return this.#interval - this.passed_;
  }
}
