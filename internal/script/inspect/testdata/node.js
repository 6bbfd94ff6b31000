// Answers what Node.js itself prints: reads {"declare": "...", "cases": [...]}, writes an array of strings.
const { inspect, format, formatWithOptions } = require('node:util');

process.on('unhandledRejection', () => {});
const { declare, cases } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const run = new Function(
  'inspect', 'format', 'formatWithOptions',
  `${declare}\nreturn [${cases.map((c) => `() => (${c}\n)`).join(',')}]`,
);
console.log(JSON.stringify(run(inspect, format, formatWithOptions).map((f) => {
  try {
    return f();
  } catch (e) {
    return `threw ${e}`;
  }
})));
