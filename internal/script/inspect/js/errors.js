// Errors: the stack, or the message in brackets where there is none.

const errorToString = Error.prototype.toString;

/** An error's stack as text in V8's format: goja indents with a tab, adds its program counter "(3)" and ends with a line break. */
function stackOf(err) {
  const stack = get(err, 'stack');
  if (!stack) {
    try {
      return errorToString.call(err);
    } catch (e) {
      return 'Error';
    }
  }
  const s = text(stack);
  if (!s.includes('\n\tat ')) {
    return s.endsWith('\n') ? s.slice(0, -1) : s;
  }
  const at = s.indexOf('\n\tat ');
  return s.slice(0, at) + s.slice(at).replace(/\n\tat /g, '\n    at ').replace(/(:\d+:\d+)\(\d+\)(?=\)?(?:\n|$))/g, '$1').replace(/\n+$/, '');
}

/** The head of an error; keys loses what the stack shows already and gains cause and errors. */
function errorHead(ctx, err, ctor, tag, keys) {
  const given = get(err, 'name');
  const name = given === null || given === undefined ? 'Error' : text(given);
  let stack = stackOf(err);
  if (!ctx.showHidden && keys.length !== 0) {
    for (const key of ['name', 'message', 'stack']) {
      const i = keys.indexOf(key);
      if (i >= 0 && stack.includes(text(get(err, key)))) {
        keys.splice(i, 1);
      }
    }
  }
  if ('cause' in err && !keys.includes('cause')) {
    keys.push('cause');
  }
  if (Array.isArray(get(err, 'errors')) && !keys.includes('errors')) {
    keys.push('errors');
  }
  stack = withClassName(stack, ctor, name, tag);
  const message = get(err, 'message');
  let from = typeof message === 'string' && message !== '' ? stack.indexOf(message) : -1;
  if (from >= 0) {
    from += message.length;
  }
  const at = stack.indexOf('\n    at', from);
  let out;
  if (at < 0) {
    out = `[${safe(stack)}]`;
  } else {
    const frames = stack.slice(at + 1).split('\n').map(safe);
    foldCause(ctx, err, frames);
    out = safe(stack.slice(0, at)) + '\n' + frames.join('\n');
  }
  return ctx.indent === 0 ? out : out.split('\n').join('\n' + ' '.repeat(ctx.indent));
}

/** Frames that the cause's stack has, too, are said once. */
function foldCause(ctx, err, frames) {
  const cause = get(err, 'cause');
  if (!isError(cause)) {
    return;
  }
  const stack = stackOf(cause);
  const at = stack.indexOf('\n    at');
  if (at < 0) {
    return;
  }
  const theirs = stack.slice(at + 1).split('\n').map(safe);
  for (let i = 0; i < frames.length - 3; i++) {
    const pos = theirs.indexOf(frames[i]);
    if (pos < 0) {
      continue;
    }
    const most = Math.min(theirs.length - pos, frames.length - i);
    if (most <= 3) {
      continue;
    }
    let n = 1;
    while (n < most && frames[i + n] === theirs[pos + n]) {
      n++;
    }
    if (n > 3) {
      frames.splice(i + 1, n - 2, ctx.style(`    ... ${n - 2} lines matching cause stack trace ...`, 'undefined'));
      return;
    }
  }
}

/** Names the class where the stack begins with an inherited name: "Error: x" of a class Foo is "Foo: x" or "Foo [Error]: x". */
function withClassName(stack, ctor, name, tag) {
  let n = name.length;
  const named = name.endsWith('Error') && stack.startsWith(name) && (stack.length === n || stack[n] === ':' || stack[n] === '\n');
  if (ctor !== null && !named) {
    return stack;
  }
  let fallback = 'Error';
  if (ctor === null) {
    const m = /^([A-Z][a-z_ A-Z0-9[\]()-]+)(?::|\n\s+at)/.exec(stack) || /^([a-z_A-Z0-9-]*Error)$/.exec(stack);
    fallback = m !== null && m[1] || '';
    n = fallback.length;
    fallback = fallback || 'Error';
  }
  const full = prefix(ctor, tag, fallback).slice(0, -1);
  if (name === full) {
    return stack;
  }
  if (full.includes(name)) {
    return n === 0 ? `${full}: ${stack}` : full + stack.slice(n);
  }
  return `${full} [${name}]${stack.slice(n)}`;
}
