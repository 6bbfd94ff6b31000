// Nvsessctl commands a running nvsessd: one command and its answer, a script of them, or a console.
//
// See nvsessctl --help, and docs/admin.md.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(exitCode(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)))
}
