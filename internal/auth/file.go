package auth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxFileBytes is far above any file of tokens or keys.
const maxFileBytes = 4 << 20

var errReadable = errors.New("anybody on this machine can read it (chmod o-rwx)")

// readFile reads a regular file that not everybody may change. open says that
// everybody may read it.
func readFile(path string) (data []byte, open bool, err error) {
	// A FIFO is refused, and not waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	switch {
	case !st.Mode().IsRegular():
		return nil, false, fmt.Errorf("%s: it is no file", path)
	case st.Mode()&0o002 != 0:
		return nil, false, fmt.Errorf("%s: anybody on this machine can change it (chmod o-w)", path)
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("%s: it has more than %d bytes", path, maxFileBytes)
	}
	return data, st.Mode()&0o004 != 0, err
}

// readSecret reads a file that not everybody may read either.
func readSecret(path string) ([]byte, error) {
	data, open, err := readFile(path)
	if err == nil && open {
		err = fmt.Errorf("%s: %w", path, errReadable)
	}
	return data, err
}
