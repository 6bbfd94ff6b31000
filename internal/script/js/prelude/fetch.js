// fetch, with its Headers and Response.

class Headers {
  #list = [];
  constructor(init = {}) {
    const pairs = init instanceof Headers || Array.isArray(init) ? [...init] : Object.entries(init);
    for (const [name, value] of pairs) this.append(name, value);
  }
  append(name, value) { this.#list.push([String(name).toLowerCase(), String(value)]); }
  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }
  delete(name) { this.#list = this.#list.filter(([n]) => n !== String(name).toLowerCase()); }
  get(name) {
    const found = this.#list.filter(([n]) => n === String(name).toLowerCase()).map(([, v]) => v);
    return found.length ? found.join(', ') : null;
  }
  has(name) { return this.get(name) !== null; }
  forEach(f) { for (const [name, value] of this) f(value, name, this); }
  entries() { return this[Symbol.iterator](); }
  [Symbol.iterator]() { return this.#list.map((pair) => [...pair])[Symbol.iterator](); }
}

class Response {
  #body;
  constructor(r) {
    this.status = r.status;
    this.statusText = r.statusText;
    this.url = r.url;
    this.headers = new Headers(r.headers || []);
    this.#body = r.body;
  }
  get ok() { return this.status >= 200 && this.status <= 299; }
  async arrayBuffer() { return this.#body; }
  async text() { return native.utf8(this.#body); }
  async json() { return parse(native.utf8(this.#body)); }
}

const fetch = async function fetch(url, { method = 'GET', headers = {}, body } = {}) {
  const fields = new Headers(headers);
  if (body !== undefined && body !== null) {
    if (!isView(body) && !(body instanceof ArrayBuffer)) {
      if (!fields.has('content-type')) fields.set('content-type', 'text/plain;charset=UTF-8');
      body = Buffer.from(String(body));
    }
  } else {
    body = undefined;
  }
  return new Response(await native.fetch(String(url), String(method).toUpperCase(), [...fields], body));
};
