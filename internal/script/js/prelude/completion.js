// What a completion offers.

function properties(expr, prefix) {
  let target = globalThis;
  for (const name of expr === '' ? [] : expr.split(/\?\.|\./)) {
    target = name === 'this' && target === globalThis ? globalThis : target[name];
    if (target === undefined || target === null) return [];
  }
  const names = new Set();
  for (let o = Object(target); o !== null; o = Object.getPrototypeOf(o)) {
    if (expr !== '' && o === Object.prototype && target !== o && prefix === '') break;
    for (const name of Object.getOwnPropertyNames(o)) {
      if (name.startsWith(prefix) && native.identifier(name)) names.add(name);
    }
  }
  return [...names].sort().slice(0, 500);
}
