// Package webhook gives the events of sessions to an HTTP server and does what
// it answers; docs/webhook.md is the contract.
//
// A [Hook] is a session.Backend and a session.Verifier. Events wait in one
// queue, first come, first served; since a session has one event at a time with
// its backend, that is fair, and the queue is bounded by the number of sessions
// and of handshakes being decided about. At most Options.Concurrency goroutines
// work on it, and they end when it is empty: an idle hook has none.
//
//   - hook.go: options, and what the session package calls
//   - queue.go: waiting, working, retrying, ending
//   - event.go: what the server is sent
//   - post.go: sending it, and telling answers from failures
//   - response.go: reading the answer; perform.go: doing what it says
//   - circuit.go: leaving a server alone that fails
//   - address.go: where the server is
package webhook
