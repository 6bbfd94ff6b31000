// The response that hsrv_handle is given.

class ServerResponse {
  #respond;
  #fields = [];
  #body = [];
  statusCode = 200;
  constructor(respond) { this.#respond = respond; }
  setHeader(name, value) {
    this.removeHeader(name);
    for (const v of [].concat(value)) this.#fields.push([String(name), String(v)]);
    return this;
  }
  getHeader(name) { return (this.#fields.find(([n]) => n.toLowerCase() === String(name).toLowerCase()) || [])[1]; }
  removeHeader(name) { this.#fields = this.#fields.filter(([n]) => n.toLowerCase() !== String(name).toLowerCase()); }
  writeHead(status, reason, headers) {
    this.statusCode = Number(status);
    if (typeof reason === 'object') headers = reason;
    for (const name of keys(headers || {})) this.setHeader(name, headers[name]);
    return this;
  }
  write(data) {
    this.#body.push(typeof data === 'string' ? Buffer.from(data) : Buffer.from(toBytes(data)));
    return true;
  }
  end(data) {
    if (data !== undefined && data !== null) this.write(data);
    if (this.getHeader('content-type') === undefined && this.#body.length > 0) this.setHeader('content-type', 'text/plain; charset=utf-8');
    this.#respond(this.statusCode, this.#fields, Buffer.concat(this.#body));
    return this;
  }
}
