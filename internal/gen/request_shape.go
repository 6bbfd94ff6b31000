package gen

// requestShape is the record of a handshake's request as verify functions get it, as Node shows it.
const requestShape = `{
  cookies: [],
  host: '',
  key: '',
  origin: '',
  remoteAddress: undefined,
  remoteAddresses: [ undefined ],
  requestedExtensions: [],
  requestedProtocols: null,
  resource: '/',
  resourceURL: {
    protocol: null,
    slashes: null,
    auth: null,
    host: null,
    port: null,
    hostname: null,
    hash: null,
    search: null,
    query: {},
    pathname: '/',
    path: '/',
    href: '/'
  },
  webSocketVersion: 13,
  httpRequest: {
    remoteAddress: undefined,
    remotePort: undefined,
    host: 'localhost',
    hostname: 'localhost',
    port: null,
    method: 'GET',
    path: '/',
    headers: {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '13',
      'sec-websocket-key': '7Ps6/Zdaao8BdULnTnfpmg==',
      host: 'localhost'
    },
    body: Buffer(0) [Uint8Array] []
  },
  auth: null
}
`
