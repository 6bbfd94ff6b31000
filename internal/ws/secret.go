package ws

import (
	"bytes"
	"net/url"
	"slices"
)

// hideQuery takes the values of parameters with these names out of a target's
// query, for the log. A name counts however it is escaped.
func hideQuery(target []byte, names []string) []byte {
	path, query, ok := bytes.Cut(target, []byte("?"))
	if !ok || len(names) == 0 {
		return target
	}
	out := append(slices.Clone(path), '?')
	for i, pair := range bytes.Split(query, []byte("&")) {
		if i > 0 {
			out = append(out, '&')
		}
		name, _, has := bytes.Cut(pair, []byte("="))
		if plain, err := url.QueryUnescape(string(name)); has && err == nil && slices.Contains(names, plain) {
			pair = append(slices.Clone(name), "=..."...)
		}
		out = append(out, pair...)
	}
	return out
}
