package nginx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 2 * time.Minute

var programs string // where nvsessd and nvsessctl are

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nvsess-nginx-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	build := exec.Command("go", "build", "-o", dir+"/", "../../cmd/nvsessd", "../../cmd/nvsessctl")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("%s%v\n", out, err)
		return 1
	}
	return m.Run()
}

// daemon is a real nvsessd, with a unix and a TCP listener.
type daemon struct {
	t         *testing.T
	dir       string
	sock, tcp string
	log       bytes.Buffer
}

// startDaemon runs nvsessd with this configuration, the listeners apart.
func startDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{t: t, dir: dir, sock: filepath.Join(dir, "nvsess.sock"), tcp: "127.0.0.1:" + freePort(t)}
	file := filepath.Join(dir, "nvsess.toml")
	head := fmt.Sprintf("listen = [%q, %q]\n", "unix:"+d.sock, "tcp:"+d.tcp)
	if err := os.WriteFile(file, []byte(head+config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(programs, "nvsessd"), "-config", file, "-admin", filepath.Join(dir, "admin.sock"))
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nvsessd:\n%s", &d.log)
		}
	})
	d.eventually("nvsessd answers", func() bool {
		_, err := d.try("sesses", "--count")
		return err == nil
	})
	return d
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (d *daemon) try(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(programs, "nvsessctl"), append([]string{"-s", filepath.Join(d.dir, "admin.sock")}, args...)...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *daemon) ctl(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("nvsessctl %q: %v\n%s", args, err, out)
	}
	return out
}

// sessions is how many there are.
func (d *daemon) sessions() int {
	d.t.Helper()
	n, err := strconv.Atoi(d.ctl("sesses", "--count"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// remotes are the addresses that sessions come from, as the daemon sees it.
func (d *daemon) remotes() (list []string) {
	d.t.Helper()
	var answer struct {
		Sessions []struct{ Remote string } `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(d.ctl("--json", "sesses")), &answer); err != nil {
		d.t.Fatal(err)
	}
	for _, s := range answer.Sessions {
		list = append(list, s.Remote)
	}
	return list
}

// eventually calls ok until it is true. What it waits for has no event to wait for; asking takes its time.
func (d *daemon) eventually(what string, ok func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
