// What require gives.

const DFLT_SRV_CFG = () => ({ ...srv.cfg_ });
const missing = (what, why, there = {}) => new Proxy(there, {
  get(target, name) {
    if (typeof name === 'symbol') return undefined;
    if (apply(Object.prototype.hasOwnProperty, there, [name])) return there[name];
    return () => { throw new Error(`${what}.${name}: ${why}`); };
  },
});
const noFiles = 'scripts have no files; a socket that is left over is removed when the daemon starts';
// nv-session-simple's examples remove the socket's file, ___usock___, before they
// listen on it.
const unlinkSync = function unlinkSync(path) {
  if (typeof path !== 'string' || path === '' || path[0] === '/') throw new Error(`fs.unlinkSync: ${noFiles}`);
  write('warn', `fs.unlinkSync removes nothing at ${path}: ${noFiles}`);
};
const modules = {
  'nv-session-simple': {
    Server, srv: { Server, ...Object.fromEntries(Object.values(DFLT).map((f) => [f.name, f])) }, DFLT_SRV_CFG,
    get client() { throw new Error('clients run in Node.js or a browser; nvsessctl bw prints theirs'); },
  },
  buffer: { Buffer },
  util: native.inspect,
  fs: missing('fs', noFiles, { unlinkSync }),
  'nv-cli-user': missing('nv-cli-user', 'the owner of a socket is set by [socket] in the configuration'),
};
const require = function require(name) {
  name = String(name).replace(/^node:/, '');
  if (Object.prototype.hasOwnProperty.call(modules, name)) return modules[name];
  if (name === 'url') return native.require('url');
  const hint = /^[./]/.test(name) ? '; handlers come from the file that the configuration names, and clients run in Node.js' : '';
  throw new Error(`Cannot find module '${name}': scripts have nv-session-simple, buffer, url and util${hint}`);
};
