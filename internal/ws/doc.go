// Package ws is the transport: sockets and RFC 6455, bytes in and messages
// out. It knows nothing of sessions and nothing of JSON.
//
// A [Server] runs one event loop per core. Each loop has an epoll instance,
// one read buffer and one timing wheel; it accepts connections, collects and
// answers their opening handshakes, decodes frames in place, calls the
// [Handler], and at the end of every pass writes what the pass produced with
// one system call per connection. There is no goroutine, no buffer and no
// timer object per connection: an idle [Conn] is one small struct.
//
// # Who owns what
//
// The loop owns reading and the descriptor: only a connection's own loop
// closes it, and a generation number keeps an event that was already fetched
// from reaching the next user of the same descriptor. The connection's lock
// guards writing, so Send and Close may be called from any goroutine. The lock
// is a leaf: it is never held while a handler, another package or the logger
// is called.
//
// # Routes
//
//   - bytes in:  [Decoder] (decoder.go) is pure; any split of the input gives
//     the same messages and the same error.
//   - handshake: request.go parses and judges the head, handshake.go answers it
//     with gobwas/ws's Upgrader working on memory.
//   - bytes out: frame.go encodes once, outbound.go queues what the kernel did
//     not take, batch.go gathers the connections a pass has written to.
//   - the end:   close.go holds the closing handshake and its deadlines.
package ws
