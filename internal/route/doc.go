// Package route answers the requests to other paths than those of sessions:
// files, the answers of a web server behind, redirects. It is net/http behind
// the loops: each request is judged by package ws and lent for its answer (see
// ws.Loan), so that the strict parser is the only one that decides where a
// request begins and ends.
package route
