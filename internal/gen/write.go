package gen

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// File is what is to be written.
type File struct {
	Path string // absolute
	Data []byte
	Mode fs.FileMode // before the umask
	// Shared says that several commands make this file. It is no conflict when it is there as it would be written.
	Shared bool
}

// ExistsError says which files are in the way.
type ExistsError struct{ Paths []string }

func (e *ExistsError) Error() string {
	verb := "exists"
	if len(e.Paths) > 1 {
		verb = "exist"
	}
	quoted := make([]string, len(e.Paths))
	for i, p := range e.Paths {
		quoted[i] = showPath(p)
	}
	return fmt.Sprintf("%s %s already, so nothing was written; -f overwrites", strings.Join(quoted, ", "), verb)
}

// showPath is a path for a line of text.
func showPath(p string) string {
	if plain(p) == nil && strings.IndexFunc(p, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return p
	}
	return strconv.Quote(p)
}

// placing is a file on its way: complete under a temporary name, then in its place.
type placing struct {
	File
	temp     string
	placed   bool
	replaced bool // then temp has what was there before
}

// WriteFiles writes all files or none. Without force it fails with [*ExistsError] if one is there, also one that appears meanwhile.
func WriteFiles(files []File, force bool) (err error) {
	todo, err := missing(files, force)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range todo {
			if err != nil {
				p.undo()
			}
			if p.temp != "" && (!p.placed || p.replaced) {
				_ = os.Remove(p.temp) // a leftover, whatever happened
			}
		}
	}()
	for _, p := range todo {
		if err := p.write(); err != nil {
			return err
		}
	}
	for _, p := range todo {
		if err := p.place(force); err != nil {
			return err
		}
	}
	return nil
}

// missing is what has to be written.
func missing(files []File, force bool) ([]*placing, error) {
	var todo []*placing
	var exist []string
	for _, f := range files {
		info, err := os.Lstat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case info.IsDir():
			return nil, fmt.Errorf("%s is a directory", showPath(f.Path))
		case f.Shared && info.Mode().IsRegular() && same(f):
			continue
		case !force:
			exist = append(exist, f.Path)
		}
		todo = append(todo, &placing{File: f})
	}
	if exist != nil {
		return nil, &ExistsError{exist}
	}
	return todo, nil
}

func same(f File) bool {
	data, err := os.ReadFile(f.Path)
	return err == nil && bytes.Equal(data, f.Data)
}

// write makes the file under a temporary name beside its place, so that a rename is enough.
func (p *placing) write() error {
	name := filepath.Join(filepath.Dir(p.Path), ".nvsessctl-"+rand.Text())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, p.Mode)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", showPath(p.Path), reason(err))
	}
	p.temp = name
	_, err = f.Write(p.Data)
	if err == nil {
		err = f.Sync() // a full disk may show no earlier
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", showPath(p.Path), reason(err))
	}
	return nil
}

// place gives the file its name.
func (p *placing) place(force bool) error {
	err := unix.Renameat2(unix.AT_FDCWD, p.temp, unix.AT_FDCWD, p.Path, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		p.placed = true
		return nil
	case errors.Is(err, fs.ErrExist) && !force:
		return &ExistsError{[]string{p.Path}}
	case errors.Is(err, fs.ErrExist):
		if err = unix.Renameat2(unix.AT_FDCWD, p.temp, unix.AT_FDCWD, p.Path, unix.RENAME_EXCHANGE); err == nil {
			p.placed, p.replaced = true, true
			return nil
		}
	}
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("%s cannot be written: %w", showPath(p.Path), reason(err))
	}
	// A file system that cannot do better (NFS).
	if force {
		err = os.Rename(p.temp, p.Path)
	} else if err = os.Link(p.temp, p.Path); err == nil {
		err = os.Remove(p.temp)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", showPath(p.Path), reason(err))
	}
	p.placed = true
	return nil
}

// undo takes the file from its place, and puts back what was there.
func (p *placing) undo() {
	switch {
	case p.replaced:
		_ = unix.Renameat2(unix.AT_FDCWD, p.temp, unix.AT_FDCWD, p.Path, unix.RENAME_EXCHANGE) // the first error is the one to tell
	case p.placed:
		_ = os.Remove(p.Path)
	}
}

// reason is an error without the temporary name in it.
func reason(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	if le := (*os.LinkError)(nil); errors.As(err, &le) {
		return le.Err
	}
	return err
}
