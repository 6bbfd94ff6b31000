// Package hostile is a WebSocket server that does what none should, and the
// cases that the Go client and the JavaScript client are both held to: what
// reaches the client, and what it must report and answer (RFC 6455, 4.1, and 5
// to 8; RFC 7692). Tests use it; no program does.
package hostile
