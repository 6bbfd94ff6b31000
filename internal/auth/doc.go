// Package auth finds out who asks for a session, by static tokens and by JSON
// Web Tokens (RFC 7519, as RFC 8725 wants them treated); docs/auth.md is for
// operators. It opens files and nothing else.
//
// An [Authenticator] is a session.Authenticator. A handshake costs it no lock, and
// a bounded amount of work: a token has at most 8 KiB, and is verified with at
// most 8 keys or so; what takes long says so.
//
// Signatures and the times of a JWT are golang-jwt's to judge. What it lets
// through is refused here: a name that comes twice, critical extensions, dates
// that are none, an audience that nobody asked about. JSON Web Keys are read by
// go-jose, which knows when a point is not on its curve, and names that come
// twice are an error to it; that is less code to trust than our own reading of
// them would be, and it needs no further modules. golang-jwt reads none, and
// MicahParks/jwkset wants an HTTP client with it, for fetching sets: here an
// operator's file is all that is believed.
//
//   - authenticator.go: options, loading, and the judgement on a handshake
//   - source.go: where in a request a token can be
//   - token.go: static tokens
//   - jwt.go: the judgement on a JWT; claims.go: its JSON
//   - keys.go: keys, and which of them are for a token; keyfile.go: their files
//   - file.go: reading what must not be everybody's
package auth
