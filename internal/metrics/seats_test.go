package metrics

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"
)

// serveTCP serves a handler as the daemon does, until the test's end.
func serveTCP(t *testing.T, h http.Handler, change func(*Server)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(h, zap.NewNop())
	if change != nil {
		change(s)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// A scraper keeps its connection.
type scraper struct {
	net.Conn
	r *bufio.Reader
}

func scraping(t *testing.T, addr string) *scraper {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &scraper{c, bufio.NewReader(c)}
}

// scrape asks, and reads the answer. soon is less than what keeps others out until
// their time is over.
func (s *scraper) scrape() (status int, err error) {
	_ = s.SetDeadline(time.Now().Add(soon))
	if _, err := io.WriteString(s, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

const soon = 30 * time.Second

// ok answers at once.
var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })

// Who keeps a connection, or says nothing, or half of something, keeps nobody out,
// however many they are and however long they may.
func TestIdleScrapersMakeWay(t *testing.T) {
	patient := func(s *Server) {
		s.http.ReadHeaderTimeout, s.http.ReadTimeout, s.http.IdleTimeout = time.Hour, time.Hour, time.Hour
	}
	for name, idle := range map[string]func(*testing.T, *scraper){
		"after an answer": func(t *testing.T, s *scraper) {
			if status, err := s.scrape(); err != nil || status != 200 {
				t.Fatal(status, err)
			}
		},
		"saying nothing": func(*testing.T, *scraper) {},
		"in the middle": func(t *testing.T, s *scraper) {
			if _, err := io.WriteString(s, "GET /metrics HTTP/1.1\r\n"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serveTCP(t, ok, patient)
			for range maxConns + 8 {
				idle(t, scraping(t, addr))
			}
			mine := scraping(t, addr)
			for range 3 { // on one connection
				if status, err := mine.scrape(); err != nil || status != 200 {
					t.Fatal(status, err)
				}
			}
		})
	}
}

// The one that was quiet the longest makes way, and not one more than must.
func TestLongestIdleMakesWay(t *testing.T) {
	addr := serveTCP(t, ok, nil)
	var all []*scraper
	for range maxConns {
		s := scraping(t, addr)
		all = append(all, s)
		if status, err := s.scrape(); err != nil || status != 200 {
			t.Fatal(status, err)
		}
	}
	if status, err := all[0].scrape(); err != nil || status != 200 { // the second is it now
		t.Fatal(status, err)
	}
	if status, err := scraping(t, addr).scrape(); err != nil || status != 200 {
		t.Fatal(status, err)
	}
	for i, s := range all {
		if status, err := s.scrape(); (err != nil) != (i == 1) || err == nil && status != 200 {
			t.Errorf("number %d: %d, %v", i, status, err)
		}
	}
}

// Who is being answered keeps its connection: who comes then waits, until one is
// done or the listening ends.
func TestNoSeatIsTakenFromWhoIsAnswered(t *testing.T) {
	asked, let := make(chan struct{}, maxConns+1), make(chan struct{})
	addr := serveTCP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-let
		fmt.Fprintln(w, "ok")
	}), nil)
	statuses := make(chan error, maxConns+1)
	scrape := func(s *scraper) {
		status, err := s.scrape()
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		statuses <- err
	}
	for range maxConns {
		go scrape(scraping(t, addr))
	}
	for range maxConns {
		<-asked
	}
	go scrape(scraping(t, addr))
	select {
	case <-asked:
		t.Error("one more is answered at the same time")
	case err := <-statuses:
		t.Error("somebody had to go:", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(let)
	for range maxConns + 1 {
		if err := <-statuses; err != nil {
			t.Error(err)
		}
	}
}

func TestShutdownWhileOneWaitsForASeat(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSeats(ln, 1)
	scraping(t, ln.Addr().String())
	second := scraping(t, ln.Addr().String())
	c, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.follow(c, http.StateActive)
	got := make(chan error, 1)
	go func() { _, err := s.Accept(); got <- err }()
	select {
	case err := <-got:
		t.Fatal("two have one seat:", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-got; err == nil {
		t.Error("one was seated after the end")
	}
	_ = second.SetReadDeadline(time.Now().Add(patience))
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("who waited is not told")
	}
}

// Who is slow to ask is not waited for, though there are seats.
func TestSlowScraperEndsByDeadline(t *testing.T) {
	addr := serveTCP(t, ok, func(s *Server) { s.http.ReadHeaderTimeout = 50 * time.Millisecond })
	for _, said := range []string{"", "GET /metrics HTTP/1.1\r\n"} {
		s := scraping(t, addr)
		_ = s.SetDeadline(time.Now().Add(soon))
		if _, err := io.WriteString(s, said); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); err != nil { // its end, or what it is told before
			t.Errorf("after %q: %v", said, err)
		}
	}
}
