// Node's modules, found at run time: no bundler for browsers stumbles over them.

let found;

export async function builtins() {
  if (found) return found;
  const get = globalThis.process.getBuiltinModule;
  const load = async (name) => (get ? get(name) : import(/* webpackIgnore: true */ /* @vite-ignore */ name));
  const [http, https, crypto, buffer] = await Promise.all(["node:http", "node:https", "node:crypto", "node:buffer"].map(load));
  found = { http, https, crypto, isUtf8: buffer.isUtf8 };
  return found;
}
