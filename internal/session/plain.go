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
var framingFields = []string{"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "date", "x-content-type-options"}

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

// A Router answers requests to paths of its own. Its methods are called on event
// loops.
type Router interface {
	// Rank is the best ws.Rank of its paths for one.
	Rank(path []byte) int

	// Admit judges a request to one of its paths. Nil takes it.
	Admit(r *ws.Request) *ws.Response

	// Borrow takes a request that was admitted.
	Borrow(x *ws.Loan)

	// Totals counts the requests that it took, by what became of them. It may be
	// called from anywhere.
	Totals() map[string]uint64
}

// RequestsUnderWay is the name, in Router.Totals, of those that are not over.
const RequestsUnderWay = "under_way"

// Client is what is known of the client of a request that a Router has taken:
// its ws.Loan's Data.
type Client struct {
	Addr    string   // as far as it can be trusted, or ""
	Chain   []string // what came before the peer, if the peer is trusted
	Trusted bool     // the peer is a trusted proxy

	router Router
}

// borrow gives a request to the router that has admitted it.
func borrow(x *ws.Loan) { x.Data().(*Client).router.Borrow(x) }

// Plain answers a request that asks for no upgrade: pages go first, then routes,
// then the handler.
func (r receiver) Plain(c *ws.Conn, req *ws.Request) *ws.Response {
	path := req.Path()
	if page := r.now().Pages[string(path)]; page != nil {
		return onlyRead(req, page)
	}
	if resp := r.route(c, req, path); resp != nil {
		return resp
	}
	h := r.plain.Load()
	if h == nil || !req.Reads() || req.HasBody() {
		return nil
	}
	(*h)(&PlainRequest{srv: r.Server, conn: c, head: string(req.Head)})
	return ws.Deferred
}

// route gives a request to the router, unless a mount fits its path better.
func (r receiver) route(c *ws.Conn, req *ws.Request, path []byte) *ws.Response {
	opt := r.now()
	if opt.Routes == nil {
		return nil
	}
	rank := opt.Routes.Rank(path)
	if rank == 0 || rank < r.mountRank(path) {
		return nil
	}
	if resp := opt.Routes.Admit(req); resp != nil {
		return resp
	}
	client := &Client{Trusted: opt.proxies.trustsPeer(c.Peer()), router: opt.Routes}
	client.Addr, client.Chain = opt.proxies.remote(req, c.Peer())
	if peer := c.Peer().Addr; peer.IsValid() && len(client.Chain) > 0 {
		client.Chain = client.Chain[:len(client.Chain)-1]
	}
	c.SetData(client)
	return ws.HandOver
}

func (r receiver) mountRank(path []byte) int {
	if m := r.ws.MountOf(path); m != nil {
		return m.Rank(path)
	}
	return 0
}

// routed reports whether a path is a route's and not that of a mount.
func (r receiver) routed(path []byte) bool {
	to := r.now().Routes
	return to != nil && to.Rank(path) > r.mountRank(path)
}

// The answers of Options.HealthPath.
var (
	healthOK       = health(http.StatusOK, "ok")
	healthClosed   = health(http.StatusServiceUnavailable, "closed")
	healthDraining = health(http.StatusServiceUnavailable, "draining")
)

func health(status int, word string) *ws.Response {
	return &ws.Response{Status: status, Body: []byte(`{"status":"` + word + `"}` + "\n"),
		Header: "Content-Type: application/json\r\nCache-Control: no-store\r\n"}
}

// Health tells a load balancer whether sessions are taken. It tells no more:
// anybody may ask.
func (r receiver) Health(req *ws.Request) *ws.Response {
	if at := r.now().HealthPath; at == "" || string(req.Path()) != at {
		return nil
	}
	answer := healthOK
	switch closed, draining := r.ws.State(); {
	case draining || r.drain.away.Load():
		answer = healthDraining
	case closed:
		answer = healthClosed
	}
	return onlyRead(req, answer)
}

var (
	refuseWrite = &ws.Response{Status: http.StatusMethodNotAllowed, Detail: "this is only to be read", Header: "Allow: GET, HEAD\r\n"}
	refuseBody  = &ws.Response{Status: http.StatusBadRequest, Detail: "there must be no body here"}
	refuseRoute = &ws.Response{Status: http.StatusNotFound, Detail: "no such path"}
)

// onlyRead answers a request if it is GET or HEAD, without a body.
func onlyRead(req *ws.Request, answer *ws.Response) *ws.Response {
	switch {
	case !req.Reads():
		return refuseWrite
	case req.HasBody():
		return refuseBody
	}
	return answer
}

// NewPage makes a page of Options.Pages.
func NewPage(contentType string, body []byte) *ws.Response {
	return &ws.Response{Status: http.StatusOK, Body: body,
		Header: "Content-Type: " + contentType + "\r\nCache-Control: no-cache\r\n"}
}
