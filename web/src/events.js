/**
 * call runs a user's function. What it throws is an uncaught error, as from an
 * event listener: seen, and no harm to the connection.
 */
export function call(fn, ...args) {
  try {
    return fn(...args);
  } catch (err) {
    queueMicrotask(() => {
      throw err;
    });
    return undefined;
  }
}

/** Events calls who listens, in the order they came. */
export class Events {
  #listeners = new Map();

  on(name, fn) {
    if (typeof fn !== "function") throw new TypeError("a listener must be a function");
    const list = this.#listeners.get(name) ?? [];
    this.#listeners.set(name, [...list, fn]);
  }

  off(name, fn) {
    const list = this.#listeners.get(name) ?? [];
    const i = list.indexOf(fn);
    if (i >= 0) this.#listeners.set(name, list.filter((_, j) => j !== i));
  }

  emit(name, event) {
    for (const fn of this.#listeners.get(name) ?? []) call(fn, event);
  }
}
