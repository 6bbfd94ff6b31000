package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/nvsess/nvsess/internal/config"
)

// announce tells somebody who started the daemon by hand what to do next.
func (d *daemon) announce(stdout io.Writer) {
	if f, ok := stdout.(*os.File); !ok || os.Getenv("NOTIFY_SOCKET") != "" && !term.IsTerminal(int(f.Fd())) {
		return
	}
	fmt.Fprintf(stdout, "nvsessd %s, mode %s\n", versionString(), d.sessions.Mode())
	var connect, page string
	for _, s := range d.sockets.public {
		url := "ws+unix://" + s.Addr.Address
		if !s.Addr.IsUnix() {
			scheme := "ws://"
			if d.config().TLSCert != "" {
				scheme = "wss://"
			}
			url = scheme + reachable(s.Addr.Address) + "/"
			if page == "" && d.config().Web.DemoPath != "" {
				page = "http" + strings.TrimPrefix(strings.TrimSuffix(url, "/"), "ws") + d.config().Web.DemoPath
			}
		}
		fmt.Fprintf(stdout, "  clients:  %s\n", url)
		if connect == "" {
			connect = url
		}
	}
	for _, s := range d.sockets.admin {
		fmt.Fprintf(stdout, "  console:  %s\n", s.Addr.Address)
	}
	ctl := "nvsessctl"
	if _, err := os.Stat("bin/nvsessctl"); err == nil {
		ctl = "bin/nvsessctl"
	}
	open := ctl
	if len(d.sockets.admin) > 0 && !searched(d.sockets.admin[0].Addr.Address) {
		open += " -s " + d.sockets.admin[0].Addr.Address
	}
	client := ctl + " connect " + connect
	width := max(len(open), len(client)) + 3
	fmt.Fprintf(stdout, "\nIn another terminal:\n  %-*sthe console: sesses, send_jrr_sreq, help\n", width, open)
	if connect != "" {
		fmt.Fprintf(stdout, "  %-*sa client\n", width, client)
	}
	if page != "" {
		fmt.Fprintf(stdout, "\nIn a browser, in two tabs:\n  %s\n", page)
	}
	fmt.Fprintf(stdout, "\nBrowsers may connect from pages of: %s (-origin names others)\n", strings.Join(d.config().Handshake.Origins, ", "))
	fmt.Fprintf(stdout, "\nCtrl-C ends it.\n\n")
}

// reachable is where a client on this machine connects to an address: one that
// stands for every address of the machine is not one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip, perr := netip.ParseAddr(host); err == nil && (host == "" || perr == nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// searched reports whether nvsessctl looks at that socket by itself.
func searched(path string) bool {
	for _, p := range config.AdminSockets() {
		if p == path {
			return true
		}
	}
	return false
}
