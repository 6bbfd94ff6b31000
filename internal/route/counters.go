package route

import (
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// counters are the server's totals.
type counters struct {
	answered [6]atomic.Uint64 // by the status's first digit
	aborted  atomic.Uint64
	failed   atomic.Uint64
}

// Totals are the requests that were lent, each when it is over: by the class of
// their status ("2xx"), "aborted" ones, whose client or time ran out before the
// answer was whole, those "under_way", and the "proxy_failures", answers in place
// of a backend's.
func (s *Server) Totals() map[string]uint64 {
	m := map[string]uint64{
		"aborted": s.count.aborted.Load(), "proxy_failures": s.count.failed.Load(), session.RequestsUnderWay: uint64(max(0, s.busy.Load())),
	}
	for class := 2; class < len(s.count.answered); class++ {
		m[strconv.Itoa(class)+"xx"] = s.count.answered[class].Load()
	}
	return m
}

// Counts is what of Totals goes on in the next process.
func (s *Server) Counts() map[string]uint64 {
	m := s.Totals()
	delete(m, session.RequestsUnderWay) // they become fewer, too
	return m
}

// AddCounts adds that of an earlier process.
func (s *Server) AddCounts(m map[string]uint64) {
	s.count.aborted.Add(m["aborted"])
	s.count.failed.Add(m["proxy_failures"])
	for class := 2; class < len(s.count.answered); class++ {
		s.count.answered[class].Add(m[strconv.Itoa(class)+"xx"])
	}
}

// An answer notes its status.
type answer struct {
	http.ResponseWriter
	status int // 0: none was written, which is 200
	whole  bool
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// ReadFrom keeps the way of net/http to copy files.
func (a *answer) ReadFrom(r io.Reader) (int64, error) { return io.Copy(a.ResponseWriter, r) }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (t *counters) over(a *answer, r *http.Request) {
	if !a.whole || r.Context().Err() != nil {
		t.aborted.Add(1)
		return
	}
	class := 2
	if a.status != 0 {
		class = min(a.status/100, len(t.answered)-1)
	}
	t.answered[class].Add(1)
}

// burstGap is the silence that separates two bursts in the log.
const burstGap = 10 * time.Second

// A burst is of failures that are worth one line of the log together.
type burst struct{ last atomic.Int64 }

// begins reports whether a failure now, on a clock that does not begin at zero,
// is the first of a burst.
func (b *burst) begins(now time.Duration) bool {
	last := time.Duration(b.last.Swap(int64(now)))
	return last == 0 || now-last > burstGap
}
