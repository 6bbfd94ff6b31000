package loadtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/nvsess/nvsess/client"
)

// errnoKinds are the network's errors by what a user calls them.
var errnoKinds = []struct {
	errno syscall.Errno
	kind  string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "reset"},
	{syscall.EPIPE, "reset"},
	{syscall.ETIMEDOUT, "timeout"},
	{syscall.EMFILE, "out of descriptors"},
	{syscall.ENFILE, "out of descriptors"},
	{syscall.EADDRNOTAVAIL, "out of local ports"},
	{syscall.EAGAIN, "listen queue full"},
	{syscall.ENOENT, "no such socket"},
	{syscall.EACCES, "permission denied"},
	{syscall.EHOSTUNREACH, "unreachable"},
	{syscall.ENETUNREACH, "unreachable"},
	{syscall.ENOBUFS, "out of memory"},
	{syscall.ENOMEM, "out of memory"},
}

// Kind sorts an error of connecting; the number of kinds is small, whatever the server sends.
func Kind(err error) string {
	var (
		refused    *client.HandshakeError
		dns        *net.DNSError
		unverified *tls.CertificateVerificationError
		record     tls.RecordHeaderError
		alert      tls.AlertError
	)
	switch {
	case errors.As(err, &refused):
		return strings.TrimSpace(fmt.Sprintf("refused: %d %s", refused.Status, http.StatusText(refused.Status)))
	case errors.As(err, &dns):
		return "DNS"
	case errors.As(err, &unverified), errors.As(err, &record), errors.As(err, &alert):
		return "TLS"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	}
	if kind := errnoKind(err); kind != "" {
		return kind
	}
	switch {
	case errors.Is(err, client.ErrHandshake):
		return "bad handshake"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "hung up"
	case strings.Contains(err.Error(), "tls: "): // crypto/tls has no type for the rest
		return "TLS"
	}
	return "other"
}

func errnoKind(err error) string {
	for _, k := range errnoKinds {
		if errors.Is(err, k.errno) {
			return k.kind
		}
	}
	return ""
}

// closedKind sorts the end of a connection: its code, and for 1006 what broke.
func closedKind(err *client.CloseError) string {
	if err.Code == client.CloseAbnormal && err.Err != nil {
		if kind := Kind(err.Err); kind != "other" {
			return fmt.Sprintf("%d (%s)", err.Code, kind)
		}
	}
	if name := client.CloseCodeName(err.Code); name != "" {
		return fmt.Sprintf("%d (%s)", err.Code, name)
	}
	return strconv.Itoa(err.Code)
}
