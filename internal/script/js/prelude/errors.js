// The errors that have a name of their own.

class TimeoutError extends Error {}
class ClosedError extends Error {}
for (const c of [TimeoutError, ClosedError]) hidden(c.prototype, { name: c.name });
const makeError = (name, text) => new ({ TimeoutError, ClosedError, RangeError }[name] || Error)(text);
