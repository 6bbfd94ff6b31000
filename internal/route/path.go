package route

import (
	"net/url"
	"strings"
)

// dotted reports whether a path, or what a server might make of it, has segments
// that lead elsewhere: "." and "..", escaped or behind a backslash as well.
func dotted(path []byte) bool {
	p, err := url.PathUnescape(string(path))
	if err != nil {
		return true
	}
	for segment := range strings.FieldsFuncSeq(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// below is what the star of a route's path stands for, with its slash: "" for
// the prefix itself.
func below(pattern, path string) string {
	prefix, _ := strings.CutSuffix(pattern, "/*")
	return strings.TrimPrefix(path, prefix)
}
