package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/config"
)

// dial finds the daemon: at the socket that was named, or at the first of the usual ones where one listens.
func dial(named string) (*admin.Client, error) {
	paths := config.AdminSockets()
	if named != "" {
		paths = []string{strings.TrimPrefix(named, "unix:")}
	}
	e := &nowhereError{}
	for _, path := range paths {
		c, err := admin.Dial(path)
		if err == nil {
			return c, nil
		}
		e.errs = append(e.errs, err)
	}
	return nil, e
}

// nowhereError is no daemon at any of the sockets tried.
type nowhereError struct{ errs []error }

func (e *nowhereError) Unwrap() []error { return e.errs }

func (e *nowhereError) Error() string {
	for _, err := range e.errs {
		if errors.Is(err, fs.ErrPermission) {
			return err.Error() + "; -s names another socket"
		}
	}
	var tried []string
	for _, err := range e.errs {
		var nr *admin.NotReachableError
		if errors.As(err, &nr) {
			tried = append(tried, fmt.Sprintf("%s (%s)", nr.Path, nr.Reason()))
		}
	}
	return "no nvsessd answers; tried " + strings.Join(tried, ", ") + "; -s names another socket"
}
