package route

import (
	"strings"
)

// below is what the star of a route's path stands for, with its slash: "" for
// the prefix itself.
func below(pattern, path string) string {
	prefix, _ := strings.CutSuffix(pattern, "/*")
	return strings.TrimPrefix(path, prefix)
}
