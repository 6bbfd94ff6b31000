// What scripts find in the global object.

hidden(globalThis, {
  Server, Sess, Conn, TimeoutError, ClosedError, console, require, global: globalThis, fs: modules.fs,
  setTimeout, setInterval, setImmediate, clearTimeout: clear, clearInterval: clear, clearImmediate: clear, queueMicrotask,
  fetch, Headers, Response, TextEncoder, TextDecoder, crypto,
  structuredClone: function structuredClone(value) { return clone(value, new Map()); },
  performance: { now: () => native.now() },
  atob: function atob(text) { return Buffer.from(String(text), 'base64').toString('latin1'); },
  btoa: function btoa(text) { return Buffer.from(String(text), 'latin1').toString('base64'); },
});

// Nobody takes the server away: an assignment to srv is without effect.
defineProperty(globalThis, 'srv', { value: srv, writable: false, enumerable: false, configurable: false });
