// What the host keeps.

const objects = {
  srv,
  sess: (handle) => new Sess(made, handle),
  then: (promise, f, g) => { apply(then, promise, [f, g]); },
  require,
  error: makeError,
  response: (respond) => new ServerResponse(respond),
  properties,
};
