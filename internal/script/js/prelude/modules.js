// What require gives.

const DFLT_SRV_CFG = () => ({ ...srv.cfg_ });
const missing = (what, why) => new Proxy({}, {
  get(target, name) {
    if (typeof name === 'symbol') return undefined;
    return () => { throw new Error(`${what}.${name}: ${why}`); };
  },
});
const modules = {
  'nv-session-simple': {
    Server, srv: { Server, ...Object.fromEntries(Object.values(DFLT).map((f) => [f.name, f])) }, DFLT_SRV_CFG,
    get client() { throw new Error('clients run in Node.js or a browser; nvsessctl bw prints theirs'); },
  },
  buffer: { Buffer },
  util: native.inspect,
  fs: missing('fs', 'scripts have no files; a socket that is left over is removed when the daemon starts'),
  'nv-cli-user': missing('nv-cli-user', 'the owner of a socket is set by [socket] in the configuration'),
};
const require = function require(name) {
  name = String(name).replace(/^node:/, '');
  if (Object.prototype.hasOwnProperty.call(modules, name)) return modules[name];
  if (name === 'url') return native.require('url');
  throw new Error(`Cannot find module '${name}': scripts have nv-session-simple, buffer, url and util`);
};
