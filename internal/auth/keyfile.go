package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	// Its fork of encoding/json: names are case-sensitive, none may come twice.
	"github.com/go-jose/go-jose/v4/json"
)

var errPrivate = errors.New("it is a private key; the daemon needs the public one only")

// readSecretKey reads the secret of HS256 and its like: the whole file, less a
// line's end after it.
func readSecretKey(path string) (key, error) {
	data, err := readSecret(path)
	if err != nil {
		return key{}, err
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return key{}, fmt.Errorf("%s: it is a key in PEM, which belongs into auth.jwt_keys_file", path)
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	k, err := newKey(data, "", "")
	if err != nil {
		return key{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// readKeys reads public keys from PEM, or a JSON Web Key Set.
func readKeys(path string) ([]key, error) {
	data, open, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var list []key
	if data = bytes.TrimSpace(data); bytes.HasPrefix(data, []byte("{")) {
		list, err = parseJWKS(data)
	} else {
		list, err = parsePEM(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	secret := func(k key) bool { _, is := k.material.([]byte); return is }
	if open && slices.ContainsFunc(list, secret) {
		return nil, fmt.Errorf("%s: there is a secret in it (kty oct), and %w", path, errReadable)
	}
	return list, nil
}

func parsePEM(data []byte) (list []key, err error) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		k, err := keyOf(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(list)+1, err)
		}
		list, data = append(list, k), rest
	}
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("key %d is cut off or broken", len(list)+1)
	case len(list) == 0:
		return nil, errors.New("there are no keys in it, neither in PEM nor as a JSON Web Key Set")
	}
	return list, nil
}

func keyOf(block *pem.Block) (key, error) {
	var material any
	var err error
	switch {
	case block.Type == "PUBLIC KEY":
		material, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		material, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE": // an envelope here: whom it was issued to and until when is not looked at
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			material = cert.PublicKey
		}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		err = errPrivate
	default:
		err = fmt.Errorf("%q is no key", block.Type)
	}
	if err != nil {
		return key{}, err
	}
	return newKey(material, "", "")
}

// parseJWKS reads a set, or a single key (RFC 7517). Keys that are not for
// verifying signatures, and those of a kind that is not known, are left out, as
// its section 5 has it: an issuer's set has keys for encryption in it.
func parseJWKS(data []byte) (list []key, err error) {
	var set struct {
		Kty  string            `json:"kty"`
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("it is no JSON Web Key Set: %w", err)
	}
	if set.Kty != "" && set.Keys == nil {
		set.Keys = []json.RawMessage{data}
	}
	for i, raw := range set.Keys {
		k, err := parseJWK(raw)
		switch {
		case errors.Is(err, jose.ErrUnsupportedKeyType) || errors.Is(err, errUnsupported) || errors.Is(err, errOtherUse):
		case err != nil:
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		default:
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("there is no key in the set that signs tokens")
	}
	return list, nil
}

var errOtherUse = errors.New("it is for something else")

func parseJWK(raw []byte) (key, error) {
	var is struct {
		Alg string   `json:"alg"`
		Crv string   `json:"crv"`
		Use string   `json:"use"`
		Ops []string `json:"key_ops"`
	}
	if err := json.Unmarshal(raw, &is); err != nil {
		return key{}, err
	}
	switch {
	case is.Use != "" && is.Use != "sig", is.Ops != nil && !slices.Contains(is.Ops, "verify"):
		return key{}, errOtherUse
	case is.Alg != "" && !slices.Contains(Algorithms, is.Alg):
		return key{}, errOtherUse
	case is.Crv == "secp256k1": // known, but not to go-jose, which calls it an error
		return key{}, errUnsupported
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return key{}, err
	}
	if _, secret := jwk.Key.([]byte); !secret && !jwk.IsPublic() {
		return key{}, errPrivate
	}
	return newKey(jwk.Key, jwk.KeyID, is.Alg)
}
