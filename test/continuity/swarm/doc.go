// Package swarm holds thousands of WebSocket sessions on one daemon and checks
// that nobody notices what is done to it meanwhile: an upgrade, a restart, a
// kill.
//
// Every session sends numbered messages with a checksum, which the daemon (mode
// "echo") sends back; an operator broadcasts numbered messages; both ask
// requests that must be answered. Further sessions are in odd states while it
// happens (odd.go): within a frame, between fragments, with megabytes unread,
// within a handshake or its opposite. What a stream of numbers tells is decided
// in stream.go, what of it is a fault in verdict.go.
//
// One thread and one epoll instance serve all sessions; operators' calls run
// beside it and report to it. All state is the thread's.
package swarm
