package script

import (
	"embed"
	"strings"
)

//go:embed js/prelude/*.js
var preludeFiles embed.FS

// preludeOrder has a file after those that it needs when it is run.
var preludeOrder = []string{
	"intrinsics", "errors", "message", "conn", "sess", "handlers", "server", "response", "console", "timers", "fetch",
	"encoding", "clone", "crypto", "modules", "globals", "completion", "objects",
}

// preludeSource is one program of js/prelude: a function of the natives, whose
// value is what objects.js lists.
func preludeSource() string {
	var b strings.Builder
	b.WriteString("(function (native) { 'use strict';\n")
	for _, name := range preludeOrder {
		text, err := preludeFiles.ReadFile("js/prelude/" + name + ".js")
		if err != nil {
			panic(err) // it is embedded
		}
		b.Write(text)
	}
	b.WriteString("return objects;\n})\n")
	return b.String()
}
