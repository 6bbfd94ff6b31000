package internal_test

import (
	"bytes"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoNameLeavesAFileOut: the go command takes a file whose name ends in
// _js_test.go, or in another system's name, for that system's, and says nothing.
// Who wants that writes //go:build too.
func TestNoNameLeavesAFileOut(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		seen++
		in, err := build.Default.MatchFile(filepath.Dir(path), d.Name())
		if err != nil || in {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(text, []byte("\n//go:build ")) && !bytes.HasPrefix(text, []byte("//go:build ")) {
			t.Errorf("%s is left out because of its name", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
}
