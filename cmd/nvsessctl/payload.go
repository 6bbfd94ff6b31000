package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
)

// maxPayload is more than the daemon takes in one call, so that what is too large is found out without reading all of it.
const maxPayload = 4<<20 + 1

// readPayload gets what is to be sent from a file or from standard input, when it is not on the command line. in is nil where there
// is no standard input to read from.
func readPayload(inv *admin.Invocation, in io.Reader) error {
	switch {
	case inv.File == "-" && in == nil:
		return &admin.UsageError{Command: inv.Command, Reason: "there is no standard input to read from here"}
	case inv.File != "" && inv.File != "-":
		f, err := os.Open(inv.File)
		if err != nil {
			return err
		}
		defer f.Close()
		return setPayload(inv, f, inv.File)
	case inv.File == "-":
		return setPayload(inv, in, "standard input")
	case inv.NeedsPayload:
		if in == nil || isTerminal(in) {
			return inv.PayloadError()
		}
		return setPayload(inv, in, "standard input")
	}
	return nil
}

func setPayload(inv *admin.Invocation, r io.Reader, name string) error {
	data, err := io.ReadAll(io.LimitReader(r, maxPayload))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(data) == maxPayload {
		return fmt.Errorf("%s holds more than the daemon takes in one call (%d bytes)", name, maxPayload-1)
	}
	if inv.Binary() {
		return inv.SetPayload(base64.StdEncoding.EncodeToString(data))
	}
	return inv.SetPayload(withoutLineBreak(string(data)))
}

// withoutLineBreak drops the line break that echo and editors put at the end.
func withoutLineBreak(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
