package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/nvsess/nvsess/internal/config"
)

// certificate is that of the TCP listeners, which a reload replaces: it expires.
type certificate struct{ pair atomic.Pointer[tls.Certificate] }

// config is for the listeners; nil: they are plain TCP.
func (x *certificate) config() *tls.Config {
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
	for _, path := range []string{c.TLSCert, c.TLSKey} {
		// Opening a FIFO would wait for somebody to write to it.
		if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
			return nil, fmt.Errorf("tls_cert, tls_key: %s: it is no file", path)
		}
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("tls_cert, tls_key: %w", err)
	}
	return &pair, nil
}
