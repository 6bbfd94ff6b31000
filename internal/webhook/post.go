package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxResponse = 1 << 20  // bytes of an answer
	maxHead     = 64 << 10 // bytes of its head
	maxDrain    = 64 << 10 // bytes of an answer that is not read, to use the connection again

	// idle connections are closed before Node.js closes them, after 5 s: who
	// sends while the other side closes does not know whether it was heard.
	idleTimeout = 3 * time.Second
)

// newClient makes a client that speaks HTTP/1.1 to one address and to nobody
// else: no proxies, no redirects, no cookies.
func newClient(to address, o *Options) *http.Client {
	tlsConfig := &tls.Config{}
	if o.TLS != nil {
		tlsConfig = o.TLS.Clone()
	}
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            to.dial,
			TLSClientConfig:        tlsConfig,
			MaxConnsPerHost:        o.Concurrency,
			MaxIdleConns:           o.Concurrency,
			MaxIdleConnsPerHost:    o.Concurrency,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHead,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A failure is why an attempt brought nothing.
type failure struct {
	what      string // for an operator; may quote the server
	away      bool   // the server did not answer, or said that it cannot now
	timeout   bool
	after     time.Duration // how long the server wants to be left alone
	leftAlone bool          // it was not asked: the circuit is open
	stopping  bool          // it was not asked, or not waited for: the hook is closing
}

// post makes an attempt.
func (h *Hook) post(e *event) (*response, *failure) {
	body, err := e.encode()
	if err != nil {
		return nil, &failure{what: "cannot be encoded: " + err.Error()}
	}
	s := h.set.Load()
	ctx, cancel := context.WithTimeout(h.ctx, s.Timeout)
	defer cancel()
	if !e.deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, e.deadline)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to.url, bytes.NewReader(body))
	if err != nil {
		return nil, &failure{what: err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", strings.TrimSuffix("nvsessd/"+s.Version, "/"))
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, h.broken(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxDrain))
		return refusal(e, resp)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, h.broken(err)
	case len(answer) > maxResponse:
		return nil, &failure{what: fmt.Sprintf("its answer is longer than %d bytes", maxResponse)}
	}
	if len(bytes.TrimSpace(answer)) > 0 {
		if t := resp.Header.Get("Content-Type"); !isJSONType(t) {
			return nil, &failure{what: fmt.Sprintf("its answer is %q, not application/json", clip(t))}
		}
	}
	r, err := parseResponse(e, answer)
	if err != nil {
		return nil, &failure{what: "its answer cannot be used: " + err.Error()}
	}
	return r, nil
}

// refusal judges a status other than 2xx.
func refusal(e *event, resp *http.Response) (*response, *failure) {
	code := resp.StatusCode
	if e.shake != nil && (code == http.StatusUnauthorized || code == http.StatusForbidden) {
		return &response{verdict: &verdict{status: code}}, nil
	}
	f := &failure{what: strings.TrimSpace(fmt.Sprintf("it answered %d %s", code, http.StatusText(code)))}
	if code == http.StatusTooManyRequests || code >= 500 {
		f.away, f.after = true, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return nil, f
}

// broken judges what kept an answer from coming.
func (h *Hook) broken(err error) *failure {
	var in *url.Error
	if errors.As(err, &in) {
		err = in.Err
	}
	f := &failure{away: true, what: err.Error()}
	var timeout net.Error
	switch {
	case h.ctx.Err() != nil:
		f.what, f.stopping = "the daemon is stopping", true
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.what, f.timeout = "no answer in time", true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.what = "it closed the connection in the middle of its answer, or before it"
	}
	return f
}

// retryAfter reads the field (RFC 9110, section 10.2.3); 0: there is none.
func retryAfter(field string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(field, 10, 32); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(field); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// isJSONType accepts an answer without a type, too: many a server's three lines
// do not name one.
func isJSONType(field string) bool {
	if field == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(field)
	return (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && (t == "application/json" || strings.HasSuffix(t, "+json"))
}
