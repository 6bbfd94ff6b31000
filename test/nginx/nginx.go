package nginx

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// Options are what a test wants of nginx.
type Options struct {
	Dir    string // for its files
	User   string // whom the workers run as, if that can be chosen; "": root, as the sockets are
	Main   string // for the main context, with events
	Site   string // for http
	Listen string // where it listens then: a path, HOST:PORT
}

// Start runs a real nginx until the test ends, and waits until it listens.
func Start(t *testing.T, o Options) *nvsessd.Process {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	conf := "daemon off;\npid " + o.Dir + "/nginx.pid;\nerror_log stderr;\n" + o.Main
	if o.User == "" {
		o.User = "root"
	}
	if os.Geteuid() == 0 {
		conf += "user " + o.User + ";\n"
	}
	conf += "http {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += kind + "_temp_path " + filepath.Join(o.Dir, kind) + ";\n"
	}
	file := filepath.Join(o.Dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf+o.Site+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &nvsessd.Process{Cmd: exec.Command(program, "-p", o.Dir, "-c", file, "-e", "stderr")}
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // it ends its workers
	p.Start(t)
	t.Cleanup(func() {
		p.Terminate()
		<-p.Ended
	})
	network := "tcp"
	if strings.HasPrefix(o.Listen, "/") {
		network = "unix"
	}
	p.Until("nginx listens", func() bool {
		c, err := net.Dial(network, o.Listen)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// FreePort is one that nobody listens at: nginx cannot take any.
func FreePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Shipped is the site that is shipped, for a daemon's socket: with cert.pem and
// key.pem in a directory, and listening there at the sockets 80 and 443.
func Shipped(t *testing.T, dir, socket string) string {
	t.Helper()
	file, err := os.ReadFile("../../deploy/nginx/nvsess.conf")
	if err != nil {
		t.Fatal(err)
	}
	site := strings.NewReplacer("/etc/nvsess/tls", dir, "/run/nvsess/nvsess.sock", socket).Replace(string(file))
	site = regexp.MustCompile(`(?m)^ *listen \[::].*\n`).ReplaceAllString(site, "")
	return regexp.MustCompile(`listen (\d+)`).ReplaceAllString(site, "listen unix:"+dir+"/$1")
}
