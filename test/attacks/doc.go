// Package attacks is hostile peers against the real daemon: what each of them
// tries is a test. While it tries, a well-behaved session goes on exchanging
// messages and answering requests, and may lose nothing; afterwards the daemon
// holds what it held before.
//
// What a single part refuses is tested beside it (internal/ws, internal/session,
// internal/script, internal/admin); docs/security.md names the tests of both.
package attacks
