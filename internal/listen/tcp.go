package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// openTCP listens at one address, or with an empty host at all of them. "[::]" is IPv6 alone, so that it can stand next to "0.0.0.0".
func openTCP(a Addr) (*Socket, error) {
	host, port, err := net.SplitHostPort(a.Address)
	if err != nil {
		return nil, fmt.Errorf("is not an address: %w", err)
	}
	sa, v6only, err := sockaddr(host, port)
	if err != nil {
		return nil, fmt.Errorf("cannot be resolved: %w", err)
	}
	fd, err := bindTCP(sa, v6only)
	if host == "" && errors.Is(err, unix.EAFNOSUPPORT) { // a kernel without IPv6
		fd, err = bindTCP(&unix.SockaddrInet4{Port: sa.(*unix.SockaddrInet6).Port}, false)
	}
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("is in use by another process: %w", err)
	case err != nil:
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot be opened: getsockname: %w", err)
	}
	_, got, _ := net.SplitHostPort(addrOf(bound).Address)
	return &Socket{FD: fd, Addr: Addr{Network: "tcp", Address: net.JoinHostPort(host, got)}}, nil
}

func bindTCP(sa unix.Sockaddr, v6only bool) (int, error) {
	family := unix.AF_INET
	if _, ok := sa.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := prepareTCP(fd, sa, v6only); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func prepareTCP(fd int, sa unix.Sockaddr, v6only bool) error {
	// Or a restart would have to wait for the connections of the last run to time out.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("SO_REUSEADDR: %w", err)
	}
	if _, ok := sa.(*unix.SockaddrInet6); ok {
		only := 0
		if v6only {
			only = 1
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return fmt.Errorf("IPV6_V6ONLY: %w", err)
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, backlog()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

// sockaddr resolves a host; of a name with several addresses the first is taken, IPv4 before IPv6.
func sockaddr(host, port string) (sa unix.Sockaddr, v6only bool, err error) {
	if host == "" {
		n, err := strconv.Atoi(port)
		return &unix.SockaddrInet6{Port: n}, false, err
	}
	a, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, false, err
	}
	if ip, ok := netip.AddrFromSlice(a.IP); ok && (ip.Is4() || ip.Is4In6()) {
		return &unix.SockaddrInet4{Port: a.Port, Addr: ip.As4()}, false, nil
	}
	sa6 := &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16())}
	if a.Zone != "" {
		ifc, err := net.InterfaceByName(a.Zone)
		if err != nil {
			return nil, false, err
		}
		sa6.ZoneId = uint32(ifc.Index)
	}
	return sa6, true, nil
}

// addrOf is a kernel address as an Addr; the zero Addr for a family this package does not make.
func addrOf(sa unix.Sockaddr) Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrUnix:
		return Addr{Network: "unix", Address: sa.Name}
	case *unix.SockaddrInet4:
		return tcpAddr(netip.AddrFrom4(sa.Addr), sa.Port)
	case *unix.SockaddrInet6:
		return tcpAddr(netip.AddrFrom16(sa.Addr), sa.Port)
	}
	return Addr{}
}

func tcpAddr(ip netip.Addr, port int) Addr {
	return Addr{Network: "tcp", Address: net.JoinHostPort(ip.String(), strconv.Itoa(port))}
}
