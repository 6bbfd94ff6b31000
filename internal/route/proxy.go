package route

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/session"
)

// dialTimeout is for a connection to a backend.
const dialTimeout = 5 * time.Second

// newProxy passes requests on to a web server, with their path, query, Host and
// body as they are. Upgrades are not passed on.
func (s *Server) newProxy(r Route) (*handler, error) {
	target, socket, err := backend(r.Proxy)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	transport := &http.Transport{
		DialContext:           dialer.DialContext,
		ResponseHeaderTimeout: s.opt.ProxyTimeout,
		TLSHandshakeTimeout:   dialTimeout,
		IdleConnTimeout:       30 * time.Second, // below what servers usually have
		MaxIdleConnsPerHost:   s.opt.MaxRequests,
		DisableCompression:    true, // the client's wish counts, not ours
	}
	if socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	var failing burst
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  stdLog(s.log, zap.DebugLevel), // of answers that broke off
		Rewrite: func(p *httputil.ProxyRequest) {
			onward(p, target)
			p.Out.Header.Del("Expect") // the client is told to go on when its body is read
			x, client := clientOf(p.In)
			forwarded(p.Out.Header, p.In, client, x.Peer().Addr.Addr().String(), x.Peer().Addr.IsValid(), x.TLS())
		},
		ModifyResponse: func(resp *http.Response) error {
			for name, values := range r.Header {
				resp.Header[name] = values
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) { s.unanswered(w, req, r, &failing, err) },
	}
	return &handler{writes: true, close: transport.CloseIdleConnections, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Header.Del("Upgrade") // may be ignored (RFC 9110, section 7.8), and ReverseProxy would not
		proxy.ServeHTTP(w, req)
	})}, nil
}

// onward addresses the request to the backend, with path and query byte for byte
// as they came: what net/url makes of them may mean something else there.
func onward(p *httputil.ProxyRequest, target *url.URL) {
	path := strings.TrimSuffix(target.EscapedPath(), "/") + pathOf(p.In)
	u := &url.URL{Scheme: target.Scheme, Host: target.Host, Opaque: path, RawQuery: p.In.URL.RawQuery, ForceQuery: p.In.URL.ForceQuery}
	if strings.HasPrefix(path, "//") { // as Opaque it would be a host and a path
		u.Opaque, u.RawPath = "", path
		u.Path, _ = url.PathUnescape(path) // the loop has judged its escapes
	}
	p.Out.URL = u
	if p.Out.Host = p.In.Host; p.Out.Host == "" { // of HTTP/1.0
		p.Out.Host = target.Host
	}
}

// backend takes the address of a web server apart: socket is the path of a unix
// socket, or "".
func backend(address string) (target *url.URL, socket string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	if u.Scheme == "http+unix" {
		socket, path, _ := strings.Cut(u.Path, ":")
		return &url.URL{Scheme: "http", Host: "localhost", Path: path}, socket, nil
	}
	return u, "", nil
}

// ours are the fields that say who the client is. Many a backend takes "_" in a
// name for "-" (CGI's variables cannot tell them apart).
var ours = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-Ip"}

// plausible reports whether s has only what names, addresses and ports are made of.
func plausible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".:-_[]%", r)
	})
}

// forwarded says who the client is. What the client itself says of that is
// passed on only if it is a trusted proxy.
func forwarded(out http.Header, in *http.Request, client *session.Client, peer string, known, tls bool) {
	for name := range out {
		if slices.Contains(ours, http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			delete(out, name)
		}
	}
	chain, host, proto := []string{}, in.Host, "http"
	if tls {
		proto = "https"
	}
	if client.Trusted {
		for _, address := range client.Chain {
			if plausible(address) {
				chain = append(chain, address)
			}
		}
		first, _, _ := strings.Cut(in.Header.Get("X-Forwarded-Host"), ",")
		if first = strings.TrimSpace(first); plausible(first) {
			host = first
		}
		if v := in.Header.Get("X-Forwarded-Proto"); v == "http" || v == "https" {
			proto = v
		}
	}
	if known {
		chain = append(chain, peer)
	}
	if len(chain) > 0 {
		out.Set("X-Forwarded-For", strings.Join(chain, ", "))
	}
	if client.Addr != "" {
		out.Set("X-Real-Ip", client.Addr)
	}
	if host != "" { // HTTP/1.0 needs none
		out.Set("X-Forwarded-Host", host)
	}
	out.Set("X-Forwarded-Proto", proto)
}

// unanswered answers in place of a backend that did not.
func (s *Server) unanswered(w http.ResponseWriter, req *http.Request, r Route, failing *burst, err error) {
	var size *http.MaxBytesError
	var timeout net.Error
	status := http.StatusBadGateway
	x, _ := clientOf(req)
	switch {
	case x.Stalled():
		status = http.StatusRequestTimeout
		w.Header().Set("Connection", "close")
	case req.Context().Err() != nil: // nobody is there to be answered
		panic(http.ErrAbortHandler)
	case errors.As(err, &size):
		status = http.StatusRequestEntityTooLarge
		w.Header().Set("Connection", "close")
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	case scarce(err):
		status = http.StatusServiceUnavailable
	}
	if status >= 500 {
		s.count.failed.Add(1)
	}
	if status >= 500 && failing.begins(time.Since(s.started)) {
		s.log.Warn("a proxy's backend does not answer", zap.String("route", r.Path), zap.Int("status", status), zap.Error(err))
	}
	fail(w, status)
}

// scarce reports whether err is want of descriptors or memory.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ENOBUFS)
}
