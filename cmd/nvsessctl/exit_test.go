package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/internal/admin"
)

func TestSocketThatIsNotForThisUser(t *testing.T) {
	refused := &admin.NotReachableError{Path: "/run/b", Err: syscall.EACCES}
	err := &nowhereError{[]error{&admin.NotReachableError{Path: "/a", Err: syscall.ENOENT}, refused}}
	if got := err.Error(); got != "this user may not connect to /run/b: permission denied; -s names another socket" {
		t.Error(got)
	}
	if got := string(admin.ErrorJSON(err)); !strings.Contains(got, `"code":"not_permitted"`) {
		t.Error(got)
	}
}

func TestExitCodes(t *testing.T) {
	nowhere := func(err error) error {
		return &nowhereError{[]error{&admin.NotReachableError{Path: "/a", Err: err}}}
	}
	for want, errs := range map[int][]error{
		0:                {nil},
		exitFailed:       {errors.New("x"), &admin.Error{Code: admin.CodeNoSuchSession}, &admin.Error{Code: admin.CodeInternal}},
		exitUsage:        {&admin.UsageError{}, admin.CheckJSON("{"), &admin.Error{Code: admin.CodeBadArgument}, reported{&admin.UsageError{}}},
		exitNotReachable: {nowhere(fs.ErrNotExist), &admin.NotReachableError{Err: fs.ErrNotExist}, &admin.Error{Code: admin.CodeShuttingDown}},
		exitNoReply:      {&admin.Error{Code: admin.CodeNoReply}},
		exitNotPermitted: {nowhere(fs.ErrPermission), &admin.Error{Code: admin.CodeNotPermitted}},
		exitInterrupted:  {context.Canceled, reported{context.Canceled}},
	} {
		for _, err := range errs {
			if got := exitCode(err); got != want {
				t.Errorf("%v: %d, want %d", err, got, want)
			}
		}
		if !strings.Contains(exitCodesHelp, fmt.Sprint(want)+" ") || !strings.Contains(string(admin.Reference()), fmt.Sprintf("\n| %d |", want)) {
			t.Errorf("the exit code %d is not in the help or not in docs/admin.md", want)
		}
	}
}
