// Package package_test looks at what "make dist" makes: that the same source gives the same bytes, and what is in the packages. That
// they can be installed, upgraded and removed is shown in test/systemd.
package package_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

const version, epoch = "1.2.3~rc1", "1700000000"

// made is what the first build made, for all tests.
var made = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nvsess-dist-")
	if err != nil {
		return "", err
	}
	cmd := dist("../..", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, &failure{out, err}
	}
	return dir, nil
})

type failure struct {
	out []byte
	err error
}

func (f *failure) Error() string { return f.err.Error() + "\n" + string(f.out) }

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := made(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// dist makes the packages of a source tree.
func dist(source, to string, env ...string) *exec.Cmd {
	cmd := exec.Command("sh", filepath.Join(source, "deploy/package/dist.sh"), to)
	cmd.Env = append(append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+epoch, "ARCHES="+runtime.GOARCH), env...)
	return cmd
}

func first(t *testing.T) string {
	t.Helper()
	need(t, "go", "tar", "gzip", "sha256sum")
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, &complaints)
	}
	return string(out)
}

func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %q (%v)", pattern, found, err)
	}
	return found[0]
}

// The source copied elsewhere, built with another umask, time zone, language and Go settings, gives the same bytes. With
// NVSESS_PACKAGE_COLD=1 nothing that was compiled before is used, which takes minutes.
func TestReproducible(t *testing.T) {
	need(t, "git")
	one := first(t)
	if err := exec.Command("git", "-C", "../..", "rev-parse", "HEAD").Run(); err != nil {
		t.Skip("not a git checkout, which says what the source is")
	}
	source := filepath.Join(t.TempDir(), "some where", "else")
	for name := range strings.SplitSeq(strings.TrimSuffix(output(t, "git", "-C", "../..", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00"), "\x00") {
		copyFile(t, filepath.Join("../..", name), filepath.Join(source, name))
	}
	two := t.TempDir()
	script, err := os.ReadFile("../../deploy/package/dist.sh")
	if err != nil {
		t.Fatal(err)
	}
	// nfpm itself need not be compiled again.
	tools := t.TempDir()
	install := exec.Command("go", "install", regexp.MustCompile(`github\.com/goreleaser/[^}]*`).FindString(string(script)))
	install.Env = append(os.Environ(), "GOBIN="+tools, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cache := strings.TrimSpace(output(t, "go", "env", "GOCACHE"))
	if os.Getenv("NVSESS_PACKAGE_COLD") != "" {
		cache = t.TempDir()
	}
	cmd := exec.Command("sh", "-c", `umask 077; exec sh "$0" "$1"`, filepath.Join(source, "deploy/package/dist.sh"), two)
	cmd.Env = append(dist("", "").Env, "NFPM="+tools+"/nfpm", "GOCACHE="+cache, "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "GOAMD64=v2", "GOFLAGS=-race", "HOME="+t.TempDir(),
		"GOPATH="+strings.TrimSpace(output(t, "go", "env", "GOPATH")), "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, _ := filepath.Glob(one + "/*")
	if len(files) != 4 {
		t.Fatalf("made %q, not an archive, two packages and checksums", files)
	}
	for _, f := range files {
		a, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(two, filepath.Base(f)))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s is not the same when built elsewhere (%v)", filepath.Base(f), err)
		}
		if filepath.Base(f) != "SHA256SUMS" && bytes.Contains(a, []byte(source)) {
			t.Errorf("%s says where it was built", f)
		}
	}
	check := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = one
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if os.IsNotExist(err) {
		return // deleted, and not committed
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// both is what both packages bring; what one of them has elsewhere is in their tests.
var both = []string{
	"/etc/nvsess/nvsess.toml", "/usr/bin/nvsessctl", "/usr/bin/nvsessd", "/usr/lib/sysctl.d/90-nvsess.conf",
	"/usr/lib/systemd/system/nvsessd-admin.socket", "/usr/lib/systemd/system/nvsessd.service", "/usr/lib/systemd/system/nvsessd.socket",
	"/usr/lib/sysusers.d/nvsess.conf", "/usr/share/bash-completion/completions/nvsessctl", "/usr/share/doc/nvsess/admin.md",
	"/usr/share/doc/nvsess/changelog.Debian.gz", "/usr/share/doc/nvsess/changelog.gz", "/usr/share/doc/nvsess/copyright",
	"/usr/share/doc/nvsess/examples/network.conf", "/usr/share/doc/nvsess/examples/nginx.conf", "/usr/share/doc/nvsess/third-party-licenses.txt",
	"/usr/share/fish/vendor_completions.d/nvsessctl.fish", "/usr/share/man/man1/nvsessctl.1.gz", "/usr/share/man/man5/nvsess.toml.5.gz",
	"/usr/share/man/man8/nvsessd.8.gz",
}

func TestDeb(t *testing.T) {
	need(t, "dpkg-deb")
	deb := only(t, first(t)+"/*.deb")
	list := output(t, "dpkg-deb", "-c", deb)
	for _, path := range append(slices.Clone(both), "/usr/share/zsh/vendor-completions/_nvsessctl") {
		if !strings.Contains(list, " ."+path+"\n") {
			t.Errorf("no %s", path)
		}
	}
	for line := range strings.Lines(list) {
		if mode := line[:10]; !slices.Contains([]string{"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}, mode) || !strings.Contains(line, " root/root ") ||
			mode[0] == '-' && (mode == "-rwxr-xr-x") != strings.Contains(line, "/usr/bin/") {
			t.Errorf("mode or owner: %s", line)
		}
	}
	control := output(t, "dpkg-deb", "-I", deb)
	for _, want := range []string{"Package: nvsess\n", "Version: " + version + "-1\n", "Depends: systemd\n"} {
		if !strings.Contains(control, want) {
			t.Errorf("no %q in\n%s", want, control)
		}
	}
	if got := output(t, "dpkg-deb", "-I", deb, "conffiles"); got != "/etc/nvsess/nvsess.toml\n" {
		t.Errorf("conffiles are %q", got)
	}
	for _, name := range []string{"preinst", "postinst", "prerm", "postrm"} {
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(output(t, "dpkg-deb", "-I", deb, name))
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if _, err := exec.LookPath("lintian"); err != nil {
		t.Log("lintian is not installed")
		return
	}
	if out, _ := exec.Command("lintian", "--fail-on=error", "--allow-root", deb).CombinedOutput(); regexp.MustCompile(`(?m)^[EW]: `).Match(out) {
		t.Errorf("lintian:\n%s", out)
	}
}

func TestRPM(t *testing.T) {
	need(t, "rpm")
	rpm := only(t, first(t)+"/*.rpm")
	list := strings.Fields(output(t, "rpm", "-qpl", rpm))
	for _, path := range append(slices.Clone(both), "/usr/share/zsh/site-functions/_nvsessctl", "/usr/lib/systemd/system/nvsessd.socket.d/nginx-group.conf") {
		if !slices.Contains(list, path) {
			t.Errorf("no %s", path)
		}
	}
	if got := output(t, "rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{RELEASE} %{LICENSE} %{BUILDHOST} %{BUILDTIME}", rpm); got != "nvsess "+version+" 1 ISC localhost "+epoch {
		t.Errorf("it is %s", got)
	}
	if got := output(t, "rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", rpm); !strings.Contains(got, "/etc/nvsess/nvsess.toml cn\n") {
		t.Errorf("the configuration is not config(noreplace):\n%s", got)
	}
	if got := output(t, "rpm", "-qp", "--requires", rpm); !strings.Contains(got, "systemd\n") {
		t.Errorf("requires %s", got)
	}
	// Into an empty root and out of it again.
	root := t.TempDir()
	output(t, "rpm", "--root", root, "--initdb")
	output(t, "rpm", "--root", root, "-i", "--nodeps", "--noscripts", rpm)
	output(t, "rpm", "--root", root, "-V", "--nodeps", "--nouser", "--nogroup", "nvsess")
	output(t, "rpm", "--root", root, "-e", "--noscripts", "nvsess")
	for _, dir := range []string{"etc/nvsess", "usr/share/doc/nvsess", "usr/bin/nvsessd"} {
		if _, err := os.Stat(filepath.Join(root, dir)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
}

// The archive has what the packages have, below one directory, and its programs say their version.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	output(t, "tar", "-C", dir, "-xzf", only(t, first(t)+"/*.tar.gz"))
	top := filepath.Join(dir, "nvsess-"+version+"-linux-"+runtime.GOARCH)
	for _, path := range append(slices.Clone(both), "/usr/share/zsh/vendor-completions/_nvsessctl") {
		if _, err := os.Stat(top + path); err != nil {
			t.Error(err)
		}
	}
	if got := output(t, top+"/usr/bin/nvsessctl", "--version"); got != "nvsessctl "+version+"\n" {
		t.Errorf("%q", got)
	}
	if got := output(t, top+"/usr/bin/nvsessd", "-version"); got != "nvsessd "+version+"\n" {
		t.Errorf("%q", got)
	}
}
