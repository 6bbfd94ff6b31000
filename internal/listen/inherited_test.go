package listen

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// report is what a process says about what it inherited.
type report struct {
	Public, Admin []string
	Err           string
	Flags         bool // all are non-blocking, close-on-exec and marked inherited
	Again         bool // a second call gave something
	Left          []string
	Sockets       int // open before closing them
	After         int // and after
}

func childInherit() {
	var r report
	public, admin, _, err := Inherited(nil)
	if err != nil {
		r.Err = err.Error()
	}
	r.Flags = true
	for _, s := range public {
		r.Public = append(r.Public, s.String())
	}
	for _, s := range admin {
		r.Admin = append(r.Admin, s.String())
	}
	again, more, _, err2 := Inherited(nil)
	r.Again = again != nil || more != nil || err2 != nil
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if v, ok := os.LookupEnv(name); ok {
			r.Left = append(r.Left, v)
		}
	}
	r.Sockets = openSockets()
	for _, s := range slices.Concat(public, admin) {
		r.Flags = r.Flags && s.Inherited && fcntl(s.FD, unix.F_GETFL)&unix.O_NONBLOCK != 0 && fcntl(s.FD, unix.F_GETFD)&unix.FD_CLOEXEC != 0
		if err := s.Close(); err != nil {
			r.Err += err.Error()
		}
	}
	r.After = openSockets()
	_ = json.NewEncoder(os.Stdout).Encode(r)
}

func openSockets() (n int) {
	for fd := 3; fd < 64; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			n++
		}
	}
	return n
}

// passed runs this binary as systemd runs a service: the files from descriptor 3 on, and the environment that says so.
func passed(t *testing.T, names string, files ...*os.File) report {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, exe(t))
	cmd.Env = append(os.Environ(), childVar+"=inherit", quickExit, fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+names)
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !r.Flags || r.Again || r.Left != nil || r.After != 0 || r.Sockets != len(r.Public)+len(r.Admin) {
		t.Errorf("%+v", r)
	}
	return r
}

func exe(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func fileOf(t *testing.T, s *Socket) *os.File {
	t.Helper()
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestInherited(t *testing.T) {
	checkDescriptors(t)
	dir := t.TempDir()
	a := mustOpen(t, "unix:"+filepath.Join(dir, "a"), mode(0o600))
	b := mustOpen(t, "unix:"+filepath.Join(dir, "b"), mode(0o600))
	c := mustOpen(t, "tcp:127.0.0.1:0", Options{})
	if got := passed(t, "nvsess:nvsess-admin:nvsess", fileOf(t, a), fileOf(t, b), fileOf(t, c)); got.Err != "" ||
		!reflect.DeepEqual(got.Public, []string{a.String(), c.String()}) || !reflect.DeepEqual(got.Admin, []string{b.String()}) {
		t.Errorf("%+v", got)
	}
	for _, s := range []*Socket{a, b} {
		if err := probe(s.Addr.Address); err == nil {
			t.Errorf("%s went with the process that inherited it", s)
		}
	}
	if got := passed(t, ""); got.Err != "" || got.Public != nil || got.Admin != nil {
		t.Errorf("nothing passed: %+v", got)
	}
}

func TestInheritedMistakes(t *testing.T) {
	checkDescriptors(t)
	dir := t.TempDir()
	good := fileOf(t, mustOpen(t, "unix:"+filepath.Join(dir, "good"), mode(0o600)))
	tcp := fileOf(t, mustOpen(t, "tcp:127.0.0.1:0", Options{}))
	regular, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer regular.Close()
	pc, err := net.ListenPacket("unixgram", filepath.Join(dir, "dgram"))
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	dgram, err := pc.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer dgram.Close()
	conn, err := net.Dial("unix", filepath.Join(dir, "good"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	connected, err := conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()

	got := passed(t, "nvsess:nvsess:nvsessd.socket:nvsess:nvsess:nvsess-admin", good, regular, good, dgram, connected, tcp)
	want := []string{
		`listen: inherited descriptor 4 ("nvsess"): it is not a socket`,
		`listen: inherited descriptor 5 ("nvsessd.socket"): its name is unknown; allowed: FileDescriptorName=nvsess or nvsess-admin`,
		`listen: inherited descriptor 6 ("nvsess"): it is not a stream socket`,
		`listen: inherited descriptor 7 ("nvsess"): it does not listen (Accept=yes in the unit?)`,
		`listen: inherited descriptor 8 ("nvsess-admin"): it must be a unix socket: callers are known by their unix credentials`,
	}
	if got.Err != strings.Join(want, "\n") || got.Public != nil || got.Admin != nil {
		t.Errorf("%+v", got)
	}
	if got := passed(t, "", good); !strings.HasPrefix(got.Err, `listen: inherited descriptor 3 ("LISTEN_FD_3"): its name is unknown`) {
		t.Errorf("without a name: %+v", got)
	}
}
