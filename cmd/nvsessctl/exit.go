package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/nvsess/nvsess/internal/admin"
)

// The exit codes, as docs/admin.md and --help have them.
const (
	exitFailed       = 1 // the command failed
	exitUsage        = 2 // it was not understood
	exitNotReachable = 3 // no daemon answers, or no server at a URL
	exitNoReply      = 4 // no answer from a client in time
	exitNotPermitted = 5 // the socket or the daemon refuses this user
	exitInterrupted  = 130
)

const exitCodesHelp = `0 done, 1 failed, 2 not understood, 3 no daemon or server answers, 4 no reply in time, 5 not permitted, 130 interrupted`

// reported is an error that the user has been told of already.
type reported struct{ err error }

func (r reported) Error() string { return r.err.Error() }
func (r reported) Unwrap() error { return r.err }

// exitCode is the code the process ends with for what run returned.
func exitCode(err error) int {
	var (
		failed       *admin.Error
		usage        *admin.UsageError
		json         *admin.JSONError
		code         *admin.CodeError
		notReachable *admin.NotReachableError
		nowhere      *nowhereError
		own          interface{ ExitCode() int } // of connect and tst
	)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &json), errors.As(err, &code):
		return exitUsage
	case errors.As(err, &nowhere), errors.As(err, &notReachable):
		if errors.Is(err, fs.ErrPermission) {
			return exitNotPermitted
		}
		return exitNotReachable
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.As(err, &failed):
		return exitCodeOf(failed.Code)
	}
	return exitFailed
}

func exitCodeOf(code string) int {
	switch code {
	case admin.CodeBadArgument, admin.CodeBadJSON, admin.CodeBadRequest, admin.CodeNoSuchCommand, admin.CodeMethod:
		return exitUsage
	case admin.CodeNoReply:
		return exitNoReply
	case admin.CodeNotPermitted:
		return exitNotPermitted
	case admin.CodeShuttingDown:
		return exitNotReachable
	}
	return exitFailed
}
