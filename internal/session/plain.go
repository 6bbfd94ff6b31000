package session

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nvsess/nvsess/internal/ws"
)

// A PlainHandler answers requests that ask for no upgrade. It is called on event
// loops and returns at once; it or what it starts calls p.Respond once.
type PlainHandler func(p *PlainRequest)

// A PlainRequest is a GET or HEAD request that asks for no upgrade.
type PlainRequest struct {
	srv  *Server
	conn *ws.Conn
	head string
}

// Request reads the request record.
func (p *PlainRequest) Request() *RequestRecord { return p.srv.record(p.head, p.conn.Peer(), nil) }

// HeaderField is a field of a response.
type HeaderField struct{ Name, Value string }

// Respond answers the request. It refuses a status outside 200 to 599, and
// fields that would break the response; the request then still waits for an
// answer. Fields that are the transport's to set are left out.
func (p *PlainRequest) Respond(status int, fields []HeaderField, body []byte) error {
	if status < 200 || status > 599 {
		return fmt.Errorf("no status for a response: %d", status)
	}
	var b strings.Builder
	for _, f := range fields {
		if !validField(f) {
			return fmt.Errorf("not a header field: %q: %q", f.Name, f.Value)
		}
		if slices.Contains(framingFields, strings.ToLower(f.Name)) {
			continue
		}
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		body = nil // they have none (RFC 9110, section 15)
	}
	if body == nil {
		body = []byte{}
	}
	p.conn.Answer(&ws.Response{Status: status, Header: b.String(), Body: body})
	return nil
}

// framingFields are the transport's.
var framingFields = []string{"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "x-content-type-options"}

func validField(f HeaderField) bool {
	token := func(r rune) bool {
		return r > ' ' && r < 0x7f && !strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	}
	for _, r := range f.Name {
		if !token(r) {
			return false
		}
	}
	return f.Name != "" && strings.IndexFunc(f.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

// SetPlainHandler sets who answers requests that ask for no upgrade and are for
// none of Options.Pages; nil: they are answered 426.
func (s *Server) SetPlainHandler(h PlainHandler) {
	if h == nil {
		s.plain.Store(nil)
		return
	}
	s.plain.Store(&h)
}

// Plain answers a request that asks for no upgrade.
func (r receiver) Plain(c *ws.Conn, req *ws.Request) *ws.Response {
	if page := r.opt.Pages[string(req.Path())]; page != nil {
		return page
	}
	h := r.plain.Load()
	if h == nil {
		return nil
	}
	(*h)(&PlainRequest{srv: r.Server, conn: c, head: string(req.Head)})
	return ws.Deferred
}

// NewPage makes a page of Options.Pages.
func NewPage(contentType string, body []byte) *ws.Response {
	return &ws.Response{Status: http.StatusOK, Body: body,
		Header: "Content-Type: " + contentType + "\r\nCache-Control: no-cache\r\n"}
}
