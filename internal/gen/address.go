package gen

import (
	"net"
	"net/netip"
)

const loopback = "127.0.0.1"

// PrimaryAddress is the address this machine would speak from to the world, or 127.0.0.1 when it has no route there. Nothing is sent:
// to connect a UDP socket only asks the kernel for the route. The address connected to is one of documentation's (RFC 5737).
func PrimaryAddress() string {
	conn, err := net.Dial("udp4", "192.0.2.1:9")
	if err != nil {
		return loopback
	}
	defer conn.Close()
	addr, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil || addr.Addr().IsUnspecified() {
		return loopback
	}
	return addr.Addr().String()
}

// hostPort is a host as it stands in a URL and in nginx's listen, with the port unless it is 0.
func hostPort(host string, port int) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + host + "]"
	}
	if port == 0 {
		return host
	}
	return host + ":" + itoa(port)
}

// anyAddress says that a host stands for all addresses: good to listen at, not to connect to.
func anyAddress(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsUnspecified()
}
