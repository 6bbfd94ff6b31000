package nginx

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/selfsigned"
)

// proxy is a real nginx before a daemon.
type proxy struct {
	d   *daemon
	pid int
	url string
}

// configurations are the two that are shipped, filled in for a daemon.
var configurations = map[string]func(t *testing.T, d *daemon, port string) (main, http string){
	"deploy": func(t *testing.T, d *daemon, port string) (string, string) {
		site := strings.Replace(Shipped(t, d.Dir, d.Sock), "listen unix:"+d.Dir+"/443 ", "listen 127.0.0.1:"+port+" ", 1)
		return "worker_rlimit_nofile 20000;\nevents { worker_connections 20000; }\n", site
	},
	"gen": func(t *testing.T, d *daemon, port string) (string, string) {
		part := d.Ctl("gen", "nginx", "-I", "127.0.0.1", "-P", port, "-C", d.Dir+"/cert.pem", "-K", d.Dir+"/key.pem", "-u", d.Sock)
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
	selfsigned.Files(t, d.Dir, "127.0.0.1")
	port := FreePort(t)
	main, inHTTP := configurations[configuration](t, d, port)
	if site != nil {
		inHTTP = site(inHTTP)
	}
	running := Start(t, Options{Dir: d.Dir, Main: main + more, Site: inHTTP, Listen: "127.0.0.1:" + port})
	p := &proxy{d: d, url: "wss://127.0.0.1:" + port + "/", pid: running.Cmd.Process.Pid}
	d.Until("nginx has its worker", func() bool { return len(p.workers()) == 1 })
	return p
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
	p.d.Until("a new worker of nginx", func() bool {
		return slices.ContainsFunc(p.workers(), func(w string) bool { return !slices.Contains(old, w) })
	})
	p.d.Until("the old workers of nginx to take nobody", func() bool {
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
	p.d.Until("the old workers of nginx end", func() bool {
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
