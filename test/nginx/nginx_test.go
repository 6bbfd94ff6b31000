package nginx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
)

// proxy is a real nginx before a daemon.
type proxy struct {
	d      *daemon
	pid    int
	dir    string
	url    string
	config string
}

// configurations are the two that are shipped, filled in for a daemon.
var configurations = map[string]func(t *testing.T, d *daemon, port string) (main, http string){
	"deploy": func(t *testing.T, d *daemon, port string) (string, string) {
		shipped, err := os.ReadFile("../../deploy/nginx/nvsess.conf")
		if err != nil {
			t.Fatal(err)
		}
		site := strings.ReplaceAll(string(shipped), "/etc/nvsess/tls", d.dir)
		site = strings.ReplaceAll(site, "/run/nvsess/nvsess.sock", d.sock)
		site = regexp.MustCompile(`(?m)^ *listen \[::].*\n`).ReplaceAllString(site, "")
		site = strings.Replace(site, "listen 80;", "listen unix:"+d.dir+"/80;", 1)
		site = strings.Replace(site, "listen 443 ", "listen 127.0.0.1:"+port+" ", 1)
		return "worker_rlimit_nofile 20000;\nevents { worker_connections 20000; }\n", site
	},
	"gen": func(t *testing.T, d *daemon, port string) (string, string) {
		part := d.ctl("gen", "nginx", "-I", "127.0.0.1", "-P", port, "-C", d.dir+"/cert.pem", "-K", d.dir+"/key.pem", "-u", d.sock)
		main, http, ok := strings.Cut(part, "#----$http_upgrade-----")
		if !ok {
			t.Fatal("gen nginx marks no parts")
		}
		return strings.ReplaceAll(main, "60000", "20000"), http // as many descriptors as a process may have in a container
	},
}

// before starts nginx with a configuration. more is for the main context; site changes the rest.
func before(t *testing.T, d *daemon, configuration, more string, site func(string) string) *proxy {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	certificate(t, d.dir)
	port := freePort(t)
	p := &proxy{d: d, dir: d.dir, url: "wss://127.0.0.1:" + port + "/", config: filepath.Join(d.dir, "nginx.conf")}
	main, inHTTP := configurations[configuration](t, d, port)
	if site != nil {
		inHTTP = site(inHTTP)
	}
	main = "daemon off;\npid " + d.dir + "/nginx.pid;\nerror_log " + d.dir + "/nginx.log;\n" + main + more
	if os.Getuid() == 0 {
		main = "user root;\n" + main // the sockets are root's
	}
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += kind + "_temp_path " + filepath.Join(d.dir, kind) + ";\n"
	}
	if err := os.WriteFile(p.config, []byte(main+"http {\naccess_log off;\n"+temporary+inHTTP+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", d.dir, "-c", p.config, "-e", d.dir+"/nginx.log")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if log, _ := os.ReadFile(d.dir + "/nginx.log"); t.Failed() {
			t.Logf("nginx:\n%s", log)
		}
	})
	d.eventually("nginx listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil && len(p.workers()) == 1
	})
	return p
}

func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// workers are nginx's processes but the master: what the kernel lists as its children.
func (p *proxy) workers() []string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.pid, p.pid))
	return strings.Fields(string(data))
}

// memory is the most that the worker has had, in KB.
func (p *proxy) memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strings.Join(p.workers(), "") + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, most, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(most + " ?")[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// reload tells nginx to read its configuration again, and waits until the new worker is there and the old one takes nobody any more. It
// returns the old ones, which stay for their sessions.
func (p *proxy) reload() (old []string) {
	p.d.t.Helper()
	old = p.workers()
	if err := syscall.Kill(p.pid, syscall.SIGHUP); err != nil { // as nginx -s reload does
		p.d.t.Fatal(err)
	}
	p.d.eventually("a new worker of nginx", func() bool {
		return slices.ContainsFunc(p.workers(), func(w string) bool { return !slices.Contains(old, w) })
	})
	p.d.eventually("the old workers of nginx to take nobody", func() bool {
		return !slices.ContainsFunc(old, func(w string) bool {
			title, err := os.ReadFile("/proc/" + w + "/cmdline")
			return err == nil && !strings.Contains(string(title), "shutting down")
		})
	})
	return old
}

// gone waits until the workers have ended.
func (p *proxy) gone(old []string) {
	p.d.t.Helper()
	p.d.eventually("the old workers of nginx end", func() bool {
		return !slices.ContainsFunc(p.workers(), func(w string) bool { return slices.Contains(old, w) })
	})
}

// open connects; header is what the client claims.
func open(t *testing.T, url string, header http.Header) *client.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, client.WithTLS(&tls.Config{InsecureSkipVerify: true}), client.WithHeader(header), client.WithKeepalive(0))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// answers says whether the session is alive in both directions.
func answers(c *client.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.Ping(ctx)
	return err == nil
}
