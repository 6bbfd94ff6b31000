// Package deflate is permessage-deflate (RFC 7692) as functions: what is agreed
// upon in the handshake, and payloads to and from DEFLATE. It does no I/O.
//
// No state of an algorithm is kept per idle connection. Compressors, inflaters and
// scanners are pooled; a direction with context takeover keeps a [Window] of at
// most 32 KiB, one without keeps nothing. The price is that a window is indexed
// anew for each message compressed with context takeover.
//
// Everything is safe for concurrent use, except that a Window serves one
// message at a time, and a [Scanner] one goroutine.
package deflate
