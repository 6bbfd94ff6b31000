// Package wire is a client's side of RFC 6455 for programs with thousands of
// connections and one thread: addresses, handshake keys, frames to bytes and
// bytes to messages, system calls that never block. It holds no buffer for a
// connection that is between messages.
package wire
