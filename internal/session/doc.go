// Package session knows who is connected and what their messages mean: the
// nv-session wire protocol on top of the connections of package ws.
//
// A [Server] is a ws.Handler. Its registry owns membership, in the order of
// arrival; a [Session] owns its pending requests; neither holds a lock while
// calling anything outside this package.
//
//   - wire.go: the protocol's spellings, and encoding; envelope.go: reading it
//   - registry.go: who is here; find.go: naming one of them
//   - receive.go: from a message to its handler; handlers.go: the built-in ones
//   - keepalive.go: silence, and what is done about it
//   - request.go: requests a client must answer; broadcast.go: to many at once
//   - record.go: a session's handshake as an operator sees it
//   - watch.go: the live stream of what happens
package session
