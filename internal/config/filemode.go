package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// FileMode is the permission bits of a file, written as text in octal, "0660". Text, because a TOML integer 0660 does not exist and
// 660 would mean something else.
type FileMode uint32

// Perm is m for package os.
func (m FileMode) Perm() fs.FileMode { return fs.FileMode(m).Perm() }

func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText writes m as String does.
func (m FileMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads three octal digits, or four with a leading 0: nothing but permission bits.
func (m *FileMode) UnmarshalText(text []byte) error {
	s := string(text)
	if len(s) == 4 && s[0] == '0' {
		s = s[1:]
	}
	v, err := strconv.ParseUint(s, 8, 9)
	if err != nil || len(s) != 3 {
		return errors.New("not an octal file mode")
	}
	*m = FileMode(v)
	return nil
}
