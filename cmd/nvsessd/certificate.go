package main

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/nvsess/nvsess/internal/config"
)

// currentCert is that of the TCP listeners, which a reload replaces: it expires.
type currentCert struct {
	pair atomic.Pointer[tls.Certificate]
}

// config is for the listeners; nil: they are plain TCP.
func (x *currentCert) config() *tls.Config {
	if x.pair.Load() == nil {
		return nil
	}
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return x.pair.Load(), nil },
		MinVersion:     tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}
}

// loadPair loads the certificate and its key; nil: none is named.
func loadPair(c *config.Config) (*tls.Certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("tls_cert, tls_key: %w", err)
	}
	return &pair, nil
}
