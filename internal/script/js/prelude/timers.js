// Timers.

class Timeout {
  constructor(id) { defineProperty(this, 'id', { value: id, enumerable: false }); }
  ref() { return this; }
  unref() { return this; }
  hasRef() { return true; }
  close() { native.clearTimer(this.id); }
  [Symbol.toPrimitive]() { return this.id; }
}
const setTimeout = function setTimeout(f, delay, ...args) { return new Timeout(native.setTimer(f, false, Number(delay), ...args)); };
const setInterval = function setInterval(f, delay, ...args) { return new Timeout(native.setTimer(f, true, Number(delay), ...args)); };
const setImmediate = function setImmediate(f, ...args) { return new Timeout(native.setTimer(f, false, 1, ...args)); };
const clear = (t) => {
  if (t !== undefined && t !== null) native.clearTimer(Number(t));
};
const queueMicrotask = function queueMicrotask(f) {
  if (typeof f !== 'function') throw new TypeError('queueMicrotask calls a function');
  Promise.resolve().then(() => f());
};
