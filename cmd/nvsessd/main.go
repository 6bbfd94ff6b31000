// Command nvsessd is the session daemon. See README.md and docs/architecture.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		complain(err)
		os.Exit(2)
	default:
		complain(err)
		os.Exit(1)
	}
}

// complain says why the daemon ends, unless nobody takes it.
func complain(err error) {
	said := make(chan struct{})
	go func() {
		fmt.Fprintln(os.Stderr, "nvsessd:", err)
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(logPatience):
	}
}
