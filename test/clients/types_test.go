package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTypes has TypeScript check programs that use the JavaScript client, and its
// declarations themselves.
func TestTypes(t *testing.T) {
	compiler, err := filepath.Abs("node_modules/typescript/bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(compiler); err != nil {
		t.Skip("the npm package typescript is not installed: run make setup, or npm ci --ignore-scripts in test/clients")
	}
	dir := t.TempDir()
	client := filepath.Join(dir, "node_modules", "nvsess")
	if err := os.CopyFS(dir, os.DirFS("testdata/types")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(client, "dist"), os.DirFS("../../web/dist")); err != nil {
		t.Fatal(err)
	}
	link := func(from, to string) {
		t.Helper()
		abs, err := filepath.Abs(from)
		if err == nil {
			err = os.Symlink(abs, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	link("../../web/package.json", filepath.Join(client, "package.json"))
	for _, name := range []string{"@types", "undici-types"} {
		link("node_modules/"+name, filepath.Join(dir, "node_modules", name))
	}
	for name, project := range map[string]string{"Node.js": "tsconfig.json", "page": "tsconfig.page.json"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(within(t), "node", compiler, "--project", project)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
