package script

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// What a fetch may take.
const (
	fetchTimeout = 30 * time.Second
	maxFetch     = 8 << 20 // bytes of an answer's body
	maxRedirects = 5
)

// fetch sends an HTTP request to one of the hosts that the configuration lists:
// URL, method, a list of header fields, body or undefined. The promise is for
// {status, statusText, url, headers, body}.
func (w *world) fetch(c goja.FunctionCall) goja.Value {
	target, method := c.Argument(0).String(), c.Argument(1).String()
	var fields [][]string
	if err := w.rt.ExportTo(c.Argument(2), &fields); err != nil {
		panic(w.rt.NewTypeError("header fields are a list of pairs"))
	}
	var body []byte
	if b := c.Argument(3); !goja.IsUndefined(b) {
		body = append([]byte(nil), w.bytes(b)...)
	}
	return w.await("fetch", func(ctx context.Context) (func() goja.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if len(f) == 2 {
				req.Header.Add(f[0], f[1])
			}
		}
		if err := w.e.mayFetch(req.URL); err != nil {
			return nil, err
		}
		resp, err := w.e.fetcher().Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch+1))
		switch {
		case err != nil:
			return nil, err
		case len(data) > maxFetch:
			return nil, fmt.Errorf("the answer of %s is longer than %d bytes", req.URL.Host, maxFetch)
		}
		return func() goja.Value {
			var headers []any
			for name, values := range resp.Header {
				for _, v := range values {
					headers = append(headers, []string{strings.ToLower(name), v})
				}
			}
			return w.rt.ToValue(map[string]any{
				"status": resp.StatusCode, "statusText": http.StatusText(resp.StatusCode), "url": resp.Request.URL.String(),
				"headers": w.rt.ToValue(headers), "body": w.rt.ToValue(w.rt.NewArrayBuffer(data)),
			})
		}, nil
	})
}

// mayFetch reports why a URL is out of reach, or nil.
func (e *Engine) mayFetch(u *url.URL) error {
	if len(e.now().FetchHosts) == 0 {
		return errors.New("scripts may not use the network: list the hosts in script.fetch of the configuration")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("fetch knows http and https, not %q", u.Scheme)
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	for _, allowed := range e.now().FetchHosts {
		name, want, err := net.SplitHostPort(allowed)
		if err != nil {
			name, want = strings.Trim(allowed, "[]"), ""
		}
		name = strings.ToLower(name)
		if rest, wild := strings.CutPrefix(name, "*"); name != host && !(wild && strings.HasSuffix(host, rest) && len(host) > len(rest)) {
			continue
		}
		if want == port || want == "" && (port == "80" || port == "443") || port == "" && want == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
			return nil
		}
	}
	return fmt.Errorf("script.fetch of the configuration does not list %s", u.Host)
}

// fetcher is the client that scripts use. It knows no proxy and keeps no
// connections and no cookies.
func (e *Engine) fetcher() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, TLSHandshakeTimeout: fetchTimeout},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			return e.mayFetch(req.URL)
		},
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, max(0, n))
	_, _ = rand.Read(b) // never fails
	return b
}
