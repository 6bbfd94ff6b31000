package listen

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestTCP(t *testing.T) {
	checkDescriptors(t)
	for addr, dial := range map[string][]string{
		"tcp::0":          {"127.0.0.1", "::1"},
		"tcp:127.0.0.1:0": {"127.0.0.1"},
		"tcp:0.0.0.0:0":   {"127.0.0.1"},
		"tcp:[::1]:0":     {"::1"},
		"tcp:[::]:0":      {"::1"},
		"tcp:localhost:0": {"localhost"},
	} {
		s := mustOpen(t, addr, Options{})
		_, port, err := net.SplitHostPort(s.Addr.Address)
		if err != nil || port == "0" || s.String() != strings.TrimSuffix(addr, "0")+port {
			t.Errorf("%s: listens at %s", addr, s)
		}
		for _, host := range dial {
			c, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err != nil {
				t.Errorf("%s: %v", addr, err)
				continue
			}
			c.Close()
		}
	}
}

func TestTCPInUse(t *testing.T) {
	checkDescriptors(t)
	s := mustOpen(t, "tcp:0.0.0.0:0", Options{})
	mustRefuse(t, s.String(), Options{}, "is in use by another process: bind: address already in use")
	_, port, _ := net.SplitHostPort(s.Addr.Address)
	mustOpen(t, "tcp:[::]:"+port, Options{}) // the other family is free
	s.Close()
	mustOpen(t, s.String(), Options{})
	mustRefuse(t, "tcp:192.0.2.1:0", Options{}, "cannot be opened: bind: cannot assign requested address")
	if _, err := Open(Addr{Network: "tcp", Address: "no-such-host.invalid:1"}, Options{}); err == nil || !strings.HasPrefix(err.Error(), "listen: tcp:no-such-host.invalid:1 cannot be resolved: ") {
		t.Error(err)
	}
}

// A server on NetListener's listener stops without taking the file along.
func TestNetListener(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(t.TempDir(), "s")
	s := mustOpen(t, "unix:"+path, mode(0o600))
	l, err := s.NetListener()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") })}
	go func() { served <- srv.Serve(l) }()
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	resp, err := (&http.Client{Transport: tr}).Get("http://x/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	tr.CloseIdleConnections()
	if err := srv.Close(); err != nil || string(body) != "hi" {
		t.Errorf("%q, %v", body, err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
	if err := probe(path); err == nil {
		t.Error("the socket went with its copy")
	}
}
