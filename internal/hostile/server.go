package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Verdict is how the server saw a run's end.
type Verdict struct {
	// Told is the code of the client's close frame: 1005 if it had none, 0 if
	// no close frame came.
	Told int `json:"told"`
	// Illegal is the first thing the client did that RFC 6455 forbids, or "".
	Illegal string `json:"illegal"`
}

// Server runs cases. Its methods may be called from any goroutine.
type Server struct {
	ln      net.Listener
	control *http.Server
	api     net.Listener
	cases   []Case
	wg      sync.WaitGroup

	mu    sync.Mutex // guards what follows
	runs  map[string]*run
	conns map[net.Conn]bool // nil: closed
}

type run struct {
	done    chan struct{} // closed when the verdict is known
	once    sync.Once
	verdict Verdict
}

// patience bounds a connection, in case that a client never hangs up.
const patience = 40 * time.Second

// Start listens on the loopback interface.
func Start() (*Server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ln.Close()
		return nil, err
	}
	s := &Server{ln: ln, api: api, cases: Cases(), runs: map[string]*run{}, conns: map[net.Conn]bool{}}
	s.control = &http.Server{Handler: http.HandlerFunc(s.serveControl), ReadHeaderTimeout: patience}
	s.wg.Go(s.accept)
	s.wg.Go(func() { s.control.Serve(api) })
	return s, nil
}

// Close ends the server and every connection.
func (s *Server) Close() {
	s.ln.Close()
	s.control.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}

// URL is where a client meets a case. id names the run, as no other. split is
// how many bytes each of the server's writes has; 0: what belongs together is
// written at once.
func (s *Server) URL(c int, id string, split int) string {
	return fmt.Sprintf("ws://%s/%d/%s/%d", s.ln.Addr(), c, id, split)
}

// Control is the address of an HTTP server for programs in other languages:
// GET /cases gives {"url": "ws://...", "maxMessage": N, "cases": [...]}, to the
// url of which /INDEX/RUN/SPLIT is added, and GET /verdict?run=RUN a Verdict,
// when there is one.
func (s *Server) Control() string { return "http://" + s.api.Addr().String() }

// Verdict waits until the run has ended.
func (s *Server) Verdict(ctx context.Context, id string) (Verdict, error) {
	r := s.run(id)
	select {
	case <-r.done:
		return r.verdict, nil
	case <-ctx.Done():
		return Verdict{}, fmt.Errorf("the client has not hung up: %w", context.Cause(ctx))
	}
}

func (s *Server) run(id string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[id]
	if r == nil {
		r = &run{done: make(chan struct{})}
		s.runs[id] = r
	}
	return r
}

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch r.URL.Path {
	case "/cases":
		answer = map[string]any{"url": "ws://" + s.ln.Addr().String(), "maxMessage": MaxMessage, "cases": s.cases}
	case "/verdict":
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		v, err := s.Verdict(ctx, r.URL.Query().Get("run"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusGatewayTimeout)
			return
		}
		answer = v
	default:
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *Server) accept() {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.conns == nil {
			s.mu.Unlock()
			nc.Close()
			continue
		}
		s.conns[nc] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(nc)
			nc.Close()
			s.mu.Lock()
			delete(s.conns, nc)
			s.mu.Unlock()
		})
	}
}

// serve plays one case with one client.
func (s *Server) serve(nc net.Conn) {
	nc.SetDeadline(time.Now().Add(patience))
	c := &conn{tcp: nc.(*net.TCPConn), br: bufio.NewReader(nc)}
	request, err := http.ReadRequest(c.br)
	if err != nil {
		return
	}
	index, id, split, err := parsePath(request.URL)
	if err != nil || index >= len(s.cases) {
		fmt.Fprintf(nc, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		return
	}
	c.split, c.request = split, request
	r := s.run(id)
	heard := make(chan struct{})
	var v Verdict
	go func() {
		defer close(heard)
		v = c.listen()
	}()
	s.cases[index].serve(c)
	<-heard
	r.once.Do(func() {
		r.verdict = v
		close(r.done)
	})
}

// parsePath takes /CASE/RUN/SPLIT apart.
func parsePath(u *url.URL) (index int, id string, split int, err error) {
	parts := strings.Split(u.Path, "/")
	if len(parts) != 4 {
		return 0, "", 0, errors.New("not /CASE/RUN/SPLIT")
	}
	index, err = strconv.Atoi(parts[1])
	if err == nil {
		split, err = strconv.Atoi(parts[3])
	}
	if err == nil && (index < 0 || split < 0) {
		err = errors.New("negative")
	}
	return index, parts[2], split, err
}
