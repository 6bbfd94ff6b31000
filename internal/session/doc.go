// Package session knows who is connected and what their messages mean: the
// nv-session wire protocol on top of the connections of package ws.
//
// A [Server] is a ws.Handler. Its registry owns membership, in the order of
// arrival; a [Session] owns its pending requests; neither holds a lock while
// calling anything outside this package.
//
//   - wire.go: the protocol's spellings, and encoding; envelope.go: reading it
//   - verify.go: deciding about a handshake elsewhere; auth.go: who asks
//   - mount.go, mounts.go: what holds at a path
//   - registry.go: who is here; find.go, filter.go: naming one or some of them
//   - receive.go: from a message to its handler; handlers.go: the built-in ones;
//     backend.go, inbox.go: those elsewhere, and what waits for them
//   - keepalive.go: silence, and what is done about it
//   - request.go: requests a client must answer; broadcast.go: to many at once
//   - record.go: a session's handshake as an operator sees it
//   - watch.go, debug.go: the live stream of what happens, of all or of one
//   - drain.go, drain_pace.go: sending everybody elsewhere
//   - reload.go: another configuration while sessions are connected
//   - state.go, settings.go, claim.go: what the next process goes on with
package session
