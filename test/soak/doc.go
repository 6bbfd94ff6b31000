// Command soak keeps a real daemon busy for minutes with thousands of sessions
// that come, go, vanish, break the rules and do not read, and checks what nobody
// may notice of it:
//
//   - every session that is opened is closed once, with the code it was closed with;
//   - every message that was accepted reaches each session it is for once, as it
//     was sent, in the order of its sender; nothing else reaches anybody;
//   - a session that does not read loses what the policy says, and each loss is
//     counted; nobody else loses anything;
//   - a question gets its own answer, once;
//   - when all are gone, so are sessions, requests, descriptors, goroutines and
//     memory.
//
// Its life is rounds. What happens in one is drawn from the seed and goes on at
// the same time; then everybody falls silent, a last broadcast tells each
// session that it has got everything, and the round's history is checked
// (history.go). Rounds make a lap, after which everybody leaves; two laps make a
// phase with a daemon of its own, one for each policy for slow readers.
package main
