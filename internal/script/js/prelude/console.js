// The console.

const counts = new Map();
const clocks = new Map();
let indent = '';
const write = (level, text) => native.write(level, indent ? text.replace(/^/gm, indent) : text);
const writer = (level) => ({ [level]: (...args) => write(level, format(...args)) })[level];
const label = (name) => (name === undefined ? 'default' : String(name));
const console = {
  log: writer('log'),
  info: writer('info'),
  debug: writer('debug'),
  warn: writer('warn'),
  error: writer('error'),
  dir(value, options) { write('log', inspect(value, { customInspect: false, ...options })); },
  trace(...args) {
    const { stack } = new Error(format(...args));
    write('error', stack.replace(/^Error:? ?/, 'Trace: '));
  },
  assert(ok, ...args) {
    if (!ok) write('error', args.length ? format('Assertion failed: ' + format(...args)) : 'Assertion failed');
  },
  count(name) {
    name = label(name);
    counts.set(name, (counts.get(name) || 0) + 1);
    write('log', `${name}: ${counts.get(name)}`);
  },
  countReset(name) { counts.delete(label(name)); },
  time(name) { clocks.set(label(name), native.now()); },
  timeLog(name, ...rest) {
    name = label(name);
    if (clocks.has(name)) write('log', format(`${name}: ${(native.now() - clocks.get(name)).toFixed(3)}ms`, ...rest));
  },
  timeEnd(name) {
    console.timeLog(name);
    clocks.delete(label(name));
  },
  group(...args) {
    if (args.length) console.log(...args);
    indent += '  ';
  },
  groupEnd() { indent = indent.slice(2); },
  table(rows) { console.log(rows); },
};
console.groupCollapsed = console.group;
hidden(console, { [Symbol.toStringTag]: 'console' });
