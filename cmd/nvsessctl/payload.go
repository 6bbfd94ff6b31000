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
	limit := maxPayload - 1
	if inv.Binary() {
		limit = admin.MaxBinary
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case len(data) > limit:
		return fmt.Errorf("%s holds more than the daemon takes in one call (%d bytes)", name, limit)
	case len(data) == 0 && inv.NeedsPayload: // nobody said that there is something
		return &admin.UsageError{Command: inv.Command, Reason: inv.PayloadError().Error() + "; standard input is empty"}
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
