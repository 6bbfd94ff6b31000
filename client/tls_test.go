package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
)

func tlsListen(cert tls.Certificate) (net.Listener, error) {
	return tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
}

func tlsTrust(pool *x509.CertPool) *tls.Config { return &tls.Config{RootCAs: pool} }

func TestUntrustedCertificate(t *testing.T) {
	cert, _ := certificate(t)
	ln, err := tlsListen(cert)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, func(p *peer) {
		if p.upgrade() {
			p.echo()
		}
	})
	url := "wss://" + ln.Addr().String()
	_, err = Dial(within(t), url)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Fatalf("dialed an unknown authority: %v", err)
	}
	c := dialed(t, url, WithTLS(&tls.Config{InsecureSkipVerify: true}))
	must(t, c.Close(within(t), CloseNormal, ""))
}
