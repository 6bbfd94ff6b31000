package route

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
)

// Options configures a [Server].
type Options struct {
	Routes       []Route
	MaxRequests  int           // at a time; beyond: 503; 0: 256
	MaxBodyBytes int64         // beyond: 413
	ProxyTimeout time.Duration // until a backend begins to answer; 0: 30 s
	Log          *zap.Logger   // nil: nothing is logged

	// After is the server whose place this one takes: they count together.
	After *Server
}

// A Route is a path and what answers requests to it: one of Files, Proxy and
// Redirect.
type Route struct {
	Path     string      // see ws.Mount.Paths
	Files    string      // a directory, or for an exact path a file
	Proxy    string      // "http://host:port", "https://host" or "http+unix:///socket:/path"
	Redirect string      // a URL or a path; "/*" at its end stands for what the star in Path does
	Status   int         // of Redirect; 0: 302
	Header   http.Header // set in every answer
}

// A Server answers requests that it is lent. It implements session.Router. Its
// methods are safe for concurrent use.
type Server struct {
	opt    Options
	log    *zap.Logger
	routes []*handler
	http   http.Server
	loans  loans
	busy   *atomic.Int64
	count  *counters
	served sync.WaitGroup

	started time.Time
}

// A handler is a Route at work.
type handler struct {
	path string
	http.Handler
	writes bool // methods other than GET and HEAD, and bodies, are its to judge
	close  func()
}

// New prepares a server, and opens the directories; Close ends it.
func New(opt Options) (*Server, error) {
	if opt.MaxRequests <= 0 {
		opt.MaxRequests = 256
	}
	if opt.ProxyTimeout <= 0 {
		opt.ProxyTimeout = 30 * time.Second
	}
	s := &Server{opt: opt, log: opt.Log, started: time.Now(), loans: loans{lent: make(chan net.Conn, opt.MaxRequests), closed: make(chan struct{})}}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.opt.After = nil; opt.After != nil {
		s.busy, s.count = opt.After.busy, opt.After.count
	} else {
		s.busy, s.count = new(atomic.Int64), new(counters)
	}
	for _, r := range opt.Routes {
		h, err := s.handler(r)
		if err != nil {
			s.closeRoutes()
			return nil, fmt.Errorf("route %s: %w", r.Path, err)
		}
		s.routes = append(s.routes, h)
	}
	s.http = http.Server{
		Handler:        http.HandlerFunc(s.serve),
		ConnState:      s.connState,
		ConnContext:    func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, loanKey{}, c) },
		MaxHeaderBytes: 2 << 20, // the loop has judged it
		ErrorLog:       stdLog(s.log, zap.WarnLevel),
	}
	s.served.Go(func() { _ = s.http.Serve(&s.loans) })
	return s, nil
}

func (s *Server) handler(r Route) (h *handler, err error) {
	switch {
	case r.Files != "":
		h, err = newFiles(r)
	case r.Proxy != "":
		h, err = s.newProxy(r)
	default:
		h = newRedirect(r)
	}
	if err != nil {
		return nil, err
	}
	h.path = r.Path
	return h, nil
}

// find returns the route that fits a path best, or nil.
func (s *Server) find(path []byte) (best *handler, rank int) {
	for _, h := range s.routes {
		if n := ws.Rank(h.path, path); n > rank {
			best, rank = h, n
		}
	}
	return best, rank
}

// Rank is session.Router's.
func (s *Server) Rank(path []byte) int {
	_, rank := s.find(path)
	return rank
}

var (
	refuseMethod = &ws.Response{Status: http.StatusMethodNotAllowed, Detail: "the method is not allowed here", Header: "Allow: GET, HEAD\r\n"}
	refuseTrace  = &ws.Response{Status: http.StatusMethodNotAllowed, Detail: "the method is not allowed here",
		Header: "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"}
	refuseBody = &ws.Response{Status: http.StatusBadRequest, Detail: "there must be no body here"}
	refuseSize = &ws.Response{Status: http.StatusRequestEntityTooLarge, Detail: "the body is too large"}
	refuseBusy = &ws.Response{Status: http.StatusServiceUnavailable, Detail: "too many requests at once", Header: "Retry-After: 1\r\n"}
)

// Admit is session.Router's. What it takes is counted as busy until its loan is
// given back.
func (s *Server) Admit(r *ws.Request) *ws.Response {
	h, _ := s.find(r.Path())
	switch method := string(r.Method); {
	case h.writes && (method == http.MethodTrace || method == http.MethodConnect):
		return refuseTrace
	case !h.writes && !r.Reads():
		return refuseMethod
	case !h.writes && r.HasBody():
		return refuseBody
	case r.BodyLength() > s.opt.MaxBodyBytes:
		return refuseSize
	}
	if s.busy.Add(1) > int64(s.opt.MaxRequests) {
		s.busy.Add(-1)
		return refuseBusy
	}
	return nil
}

// Borrow is session.Router's.
func (s *Server) Borrow(x *ws.Loan) {
	if !s.loans.put(x) {
		s.busy.Add(-1)
		_ = x.Close()
	}
}

// Busy is the number of requests under way.
func (s *Server) Busy() int64 { return s.busy.Load() }

// connState is told what net/http does with a loan.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateIdle: // the answer has left
		c.(*ws.Loan).Keep()
	case http.StateClosed:
		s.busy.Add(-1)
	}
}

type loanKey struct{}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	h, _ := s.find([]byte(pathOf(r)))
	if h == nil {
		http.NotFound(w, r)
		return
	}
	if r.ContentLength < 0 {
		// Where the body ends is for net/http to find out, so nobody else may go
		// on reading there.
		w.Header().Set("Connection", "close")
	}
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, s.opt.MaxBodyBytes)
	}
	a := &answer{ResponseWriter: w}
	defer s.count.over(a, r)
	h.ServeHTTP(a, r)
	a.whole = true
}

// pathOf is the path as the loop has seen it.
func pathOf(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	_, path, _ = strings.Cut(path, "://") // of the absolute form
	_, path, _ = strings.Cut(path, "/")
	return "/" + path
}

// stdLog is a log for the standard library.
func stdLog(log *zap.Logger, level zapcore.Level) *stdlog.Logger {
	std, err := zap.NewStdLogAt(log, level)
	if err != nil { // of a level that is none
		panic(err)
	}
	return std
}

// clientOf is what the loop knows of the client.
func clientOf(r *http.Request) (*ws.Loan, *session.Client) {
	x := r.Context().Value(loanKey{}).(*ws.Loan)
	return x, x.Data().(*session.Client)
}

// Close waits until the requests under way are answered, or ctx is done, and
// then cuts them.
func (s *Server) Close(ctx context.Context) error {
	_ = s.loans.Close()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.served.Wait()
	for len(s.loans.lent) > 0 { // what nobody came to
		_ = (<-s.loans.lent).Close()
	}
	s.closeRoutes()
	return err
}

func (s *Server) closeRoutes() {
	for _, h := range s.routes {
		if h.close != nil {
			h.close()
		}
	}
}

// loans is the net.Listener that net/http is served from. It has room for as
// many as are admitted.
type loans struct {
	lent   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *loans) put(x net.Conn) bool {
	select {
	case <-l.closed:
		return false
	default:
	}
	select {
	case l.lent <- x:
		return true
	default:
		return false
	}
}

func (l *loans) Accept() (net.Conn, error) {
	select {
	case x := <-l.lent:
		return x, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *loans) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *loans) Addr() net.Addr { return &net.UnixAddr{Name: "loops", Net: "unix"} }
