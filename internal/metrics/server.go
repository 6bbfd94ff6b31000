package metrics

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

const (
	maxScrapes = 4  // at once
	maxConns   = 32 // of the server's own listener, see seats
)

// Handler answers with what a registry has. What cannot be told is logged, and
// left out.
func Handler(r *prometheus.Registry, log *zap.Logger) http.Handler {
	errs, err := zap.NewStdLogAt(log, zap.WarnLevel)
	if err != nil { // there is such a level
		panic(err)
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog: errs, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	})
}

// A Server answers at a TCP address, for who is no operator: GET /metrics and
// nothing else.
type Server struct{ http *http.Server }

// NewServer makes a server; Serve starts it.
func NewServer(h http.Handler, log *zap.Logger) *Server {
	return &Server{&http.Server{
		Handler:           only(h),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      scrapeTimeout + 5*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          zap.NewStdLog(log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}}
}

// only lets nothing pass but a scrape. A page in a browser may reach a port of
// this machine, but has no business here.
func only(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.URL.Path != "/metrics":
			http.Error(w, "there is only /metrics", http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "it is read with GET", http.StatusMethodNotAllowed)
		case r.Header.Get("Origin") != "":
			http.Error(w, "this is not for pages", http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// Serve answers until Shutdown, then returns nil. It is called once.
func (s *Server) Serve(ln net.Listener) error {
	room := newSeats(ln, maxConns)
	s.http.ConnState = room.follow
	if err := s.http.Serve(room); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening, and waits for scrapes under way until ctx is done;
// then it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}
