// Command nvsessd is the session daemon. See README.md and docs/architecture.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "nvsessd:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "nvsessd:", err)
		os.Exit(1)
	}
}
