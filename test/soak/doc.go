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
// (history.go). Rounds make a lap, after which everybody leaves; in the last lap
// of three the daemon is upgraded in each round. Three laps make a phase with a
// daemon of its own (setting.go): one for each policy for slow readers; one whose
// messages are handled in JavaScript, by handlers that wait, ask back, throw, and
// are loaded anew (script.go); one where a web server does it, which is slow,
// fails, dies and comes back (webhook.go). Of these two it holds besides:
//
//   - they are told of each session's beginning, messages and end once, in that
//     order; a web server more often if its answer was lost, under the same id;
//   - the daemon counts their failures, and what they fail at reaches nobody;
//   - an upgrade loses no more messages than it says that it has cut off handlers,
//     and repeats none but those that it had not seen answered.
package main
