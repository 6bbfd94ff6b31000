// The errors that have a name of their own.

class TimeoutError extends Error {}
class ClosedError extends Error {}
for (const c of [TimeoutError, ClosedError]) hidden(c.prototype, { name: c.name });
// What the host throws, and rejects promises with, is made here.
const makeError = (name, text) => new ({ TimeoutError, ClosedError, RangeError }[name] || Error)(native.unprefixed(text));
