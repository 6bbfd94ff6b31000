package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nvsess/nvsess/internal/config"
	"golang.org/x/sys/unix"
)

// ensureDir sees to the directory of a socket. The runtime directory is made when missing; any other must be there.
func ensureDir(path string) error {
	dir := filepath.Dir(path)
	shared := strings.HasPrefix(dir, "/tmp/")
	isRuntime := dir == config.RuntimeDir()
	if isRuntime {
		mode := uint32(0o755)
		if shared {
			mode = 0o700
		}
		err := withUmask(mode, func() error { return unix.Mkdir(dir, 0o777) })
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot be opened: the runtime directory %s cannot be made: %w", dir, err)
		}
	}
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot be opened: the directory %s does not exist", dir)
	case err != nil:
		return fmt.Errorf("cannot be opened: %w", err)
	case !st.IsDir():
		return fmt.Errorf("cannot be opened: %s is not a directory", dir)
	case isRuntime && shared:
		return checkShared(dir)
	}
	return nil
}

// checkShared refuses a directory in /tmp that somebody else may have made to catch our clients.
func checkShared(dir string) error {
	st, err := lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("cannot be opened: %s: %w", dir, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("cannot be opened: %s must be a directory, but is %s", dir, fileType(st.Mode))
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("cannot be opened: %s belongs to uid %d", dir, st.Uid)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("cannot be opened: %s is writable by others (mode %04o)", dir, st.Mode&0o7777)
	}
	return nil
}
