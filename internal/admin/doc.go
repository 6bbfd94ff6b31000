// Package admin is the operator's side of nvsessd: one table of commands ([Commands]) and what is made from it.
//
//   - the HTTP/JSON API on the admin socket ([Server]): POST /v1/NAME with a JSON object of arguments, GET where nothing changes,
//     GET /v1/ for the table itself; commands that stream answer with application/x-ndjson;
//   - the client of that API ([Client]);
//   - the grammar of a command line ([ParseLine], [ParseArgs]), its completion ([Complete]) and its help;
//   - how a result is shown to a human ([Command.Print] on a [Printer]);
//   - docs/admin.md ([Reference]).
//
// Who may call is decided twice: by the mode of the socket, and by the credentials the kernel recorded when the peer connected.
//
// Nothing that a WebSocket peer wrote reaches a terminal or a log as it came: see escape.go.
package admin

//go:generate go run gen.go
