package gen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"time"
)

// selfSignedFor is how long a certificate lasts; browsers refuse longer ones.
const selfSignedFor = 397 * 24 * time.Hour

// SelfSigned makes a certificate for tests, and its key. It is good for the host, and for this machine by its local names.
func SelfSigned(host string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "nvsess test"}, // a host name can be longer than a CommonName
		NotBefore:    now.Add(-time.Hour),                  // clocks differ
		NotAfter:     now.Add(selfSignedFor),
		// A CA, so that who is told to trust it (NODE_EXTRA_CA_CERTS, a browser) accepts it as its own issuer.
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip == nil {
		if !slices.Contains(template.DNSNames, host) {
			template.DNSNames = append(template.DNSNames, host)
		}
	} else if !slices.ContainsFunc(template.IPAddresses, ip.Equal) && !ip.IsUnspecified() {
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

// selfSignedFiles are the two files, the key for its owner only.
func selfSignedFiles(host, certPath, keyPath string) ([]File, error) {
	cert, key, err := SelfSigned(host)
	if err != nil {
		return nil, err
	}
	return []File{{Path: certPath, Data: cert, Mode: 0o644}, {Path: keyPath, Data: key, Mode: 0o600}}, nil
}
