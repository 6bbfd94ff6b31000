package listen

import (
	"fmt"

	"github.com/nvsess/nvsess/internal/config"
)

// Options are how a unix socket is to look in the file system. They mean nothing for TCP.
type Options struct {
	Mode  config.FileMode // permission bits
	Owner string          // user, name or number; empty: the process's own
	Group string          // likewise
}

// Open makes a socket that listens at a. It may change the umask of the process for a moment, so it is for start-up.
func Open(a Addr, o Options) (*Socket, error) {
	var s *Socket
	var err error
	switch a.Network {
	case "unix":
		s, err = openUnix(a, o)
	case "tcp":
		s, err = openTCP(a)
	default:
		err = fmt.Errorf("no such network %q", a.Network)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %s %w", a, err)
	}
	s.Asked = a.String()
	return s, nil
}
