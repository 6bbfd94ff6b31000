package gen

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func three(dir string) []File {
	return []File{{Path: filepath.Join(dir, "a"), Data: []byte("A"), Mode: 0o644}, {Path: filepath.Join(dir, "b"), Data: []byte("B"), Mode: 0o600},
		{Path: filepath.Join(dir, "c"), Data: []byte("C"), Mode: 0o644, Shared: true}}
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	if err := WriteFiles(three(dir), false); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "b"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestWriteFilesLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "b"), "mine")
	if err := os.Symlink("nowhere", filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	err := WriteFiles(three(dir), false)
	exists := (*ExistsError)(nil)
	if !errors.As(err, &exists) || !slices.Equal(exists.Paths, []string{filepath.Join(dir, "b"), filepath.Join(dir, "c")}) {
		t.Errorf("%v", err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"b", "c"}) || read(t, filepath.Join(dir, "b")) != "mine" {
		t.Errorf("%v", got)
	}
	if err := WriteFiles(three(dir), true); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a", "b", "c"}) || read(t, filepath.Join(dir, "b")) != "B" || read(t, filepath.Join(dir, "c")) != "C" {
		t.Errorf("with force: %v", got)
	}
	if info, err := os.Lstat(filepath.Join(dir, "c")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is still one: %v %v", info, err)
	}
}

// What another command wrote just so is no conflict; anything else is.
func TestWriteFilesShared(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "c"), "C")
	if err := WriteFiles(three(dir), false); err != nil {
		t.Error(err)
	}
	dir = t.TempDir()
	put(t, filepath.Join(dir, "c"), "changed")
	exists := (*ExistsError)(nil)
	if err := WriteFiles(three(dir), false); !errors.As(err, &exists) {
		t.Errorf("%v", err)
	}
}

// The last of the files cannot be placed. What was placed before is taken away again, and what it replaced comes back.
func TestWriteFilesAllOrNone(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a"), "old")
	files := append(three(dir), File{Path: filepath.Join(dir, "missing", "d"), Data: []byte("D"), Mode: 0o644})
	if err := WriteFiles(files, true); err == nil {
		t.Fatal("written into a directory that is not there")
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a"}) || read(t, filepath.Join(dir, "a")) != "old" {
		t.Errorf("%v", got)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(append(three(dir), File{Path: filepath.Join(dir, "d"), Mode: 0o644}), true); err == nil {
		t.Fatal("written over a directory")
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a", "d"}) {
		t.Errorf("%v", got)
	}
}

// Files that appear after they were looked for are not overwritten, and those already placed go away.
func TestPlaceIsLate(t *testing.T) {
	dir := t.TempDir()
	todo, err := missing(three(dir), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range todo {
		if err := p.write(); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "b"), "mine")
	if err := todo[0].place(false); err != nil {
		t.Fatal(err)
	}
	exists := (*ExistsError)(nil)
	if err := todo[1].place(false); !errors.As(err, &exists) {
		t.Errorf("%v", err)
	}
	todo[0].undo()
	if read(t, filepath.Join(dir, "b")) != "mine" {
		t.Error("overwritten")
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("a is still there")
	}
	// Overwriting keeps what was there until it is certain.
	if err := todo[1].place(true); err != nil || read(t, filepath.Join(dir, "b")) != "B" {
		t.Fatal(err)
	}
	if todo[1].undo(); read(t, filepath.Join(dir, "b")) != "mine" {
		t.Error("what was overwritten is lost")
	}
}

// A full disk: nothing is left, and the reason is named.
func TestWriteFilesFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	put(t, filepath.Join(dir, "a"), "old")
	files := append(three(dir), File{Path: filepath.Join(dir, "d"), Data: make([]byte, 1<<20), Mode: 0o644})
	if err := WriteFiles(files, true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a"}) || read(t, filepath.Join(dir, "a")) != "old" {
		t.Errorf("%v", got)
	}
}

// A directory where nothing can be made. Root may write anywhere but on a file system that is read-only.
func TestWriteFilesUnwritable(t *testing.T) {
	dir := t.TempDir()
	why := error(syscall.EACCES)
	if os.Geteuid() == 0 {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
			t.Skipf("no read-only file system: %v", err)
		}
		defer func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		}()
		why = syscall.EROFS
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := WriteFiles(three(dir), false)
	if want := filepath.Join(dir, "a") + " cannot be written: " + why.Error(); !errors.Is(err, why) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if got := list(t, dir); got != nil {
		t.Errorf("left behind: %v", got)
	}
}
