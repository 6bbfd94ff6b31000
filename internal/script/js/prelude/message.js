// What is sent.

function toJSON(j) {
  const text = stringify(j);
  if (text === undefined) throw new TypeError(`not JSON: ${inspect(j)}`);
  return text;
}

function toBytes(data) {
  if (isView(data) || data instanceof ArrayBuffer) return data;
  throw new TypeError(`not binary data (a Buffer, a typed array, a DataView or an ArrayBuffer): ${inspect(data)}`);
}

// The sending functions without an a return nothing, as nv-session-simple's do;
// the others promise undefined, or the error if the message was not sent.
const sent = (why) => (why === '' ? undefined : makeError(why === 'session is closed' ? 'ClosedError' : 'Error', why));
