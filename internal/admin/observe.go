package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// What is not a command, for programs that know no commands: Prometheus's text, and the profiles of Go's runtime. Who may call commands may
// read both; profiles are logged as what changes something is, for they take processor time, and tell of the memory's contents.

const (
	metricsPath = "/metrics"
	profilePath = "/debug/pprof/"

	// MaxProfile is the longest time a profile may be of.
	MaxProfile = 10 * time.Minute
)

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	if err := onlyGet(w, r, "metrics are"); err != nil {
		return err
	}
	if s.options.Metrics == nil {
		return errorf(CodeNotAvailable, "this daemon has no metrics")
	}
	s.options.Metrics.ServeHTTP(w, r)
	return nil
}

func onlyGet(w http.ResponseWriter, r *http.Request, what string) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	w.Header().Set("Allow", "GET, HEAD")
	return errorf(CodeMethod, "%s read with GET", what)
}

// profile gives a profile, which may take a while: until then, the caller's leaving or the daemon's end.
func (s *Server) profile(w http.ResponseWriter, r *http.Request, peer Peer) error {
	if err := onlyGet(w, r, "profiles are"); err != nil {
		return err
	}
	name := strings.TrimPrefix(r.URL.Path, profilePath)
	if v := r.URL.Query().Get("seconds"); v != "" {
		if n, err := strconv.ParseFloat(v, 64); err != nil || !(n > 0 && n <= MaxProfile.Seconds()) {
			return badArg("seconds", "a profile is of more than 0 and at most %d seconds", int(MaxProfile.Seconds()))
		}
	} else if name == "block" || name == "mutex" {
		return badArg("seconds", "nothing is noted for this profile until somebody asks: say for how many seconds it is to be")
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return errorf(CodeTooManyCalls, "%d calls are being carried out already; try again", cap(s.streams))
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	// When the daemon is replaced it is of the time until then: the timer that profiles the processor outlives execve(2), and its signal
	// would end the next process before that has a handler.
	leave, ok := s.gate.enter(ctx, true, false)
	defer leave()
	if !ok {
		cutOff(w)
		return nil
	}
	defer context.AfterFunc(s.gate.holding(), cancel)()
	r = r.WithContext(ctx)
	s.options.Log.Info("profile", zap.String("profile", clip(Escape(name), 40)), zap.Uint32("uid", peer.UID), zap.Uint32("gid", peer.GID), zap.Int32("pid", peer.PID))
	switch name {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	case "block", "mutex":
		defer s.waits.note()()
		pprof.Index(w, r)
	default:
		pprof.Index(w, r)
	}
	return nil
}

// waits has the runtime note where goroutines wait, for as long as somebody wants to know: all pay for it.
type waits struct {
	mu sync.Mutex // guards n
	n  int        // who want to know
}

func (x *waits) note() (done func()) {
	set := func(by int) {
		x.mu.Lock()
		defer x.mu.Unlock()
		switch x.n += by; {
		case x.n == 0:
			runtime.SetBlockProfileRate(0)
			runtime.SetMutexProfileFraction(0)
		case x.n == 1 && by > 0:
			runtime.SetBlockProfileRate(int(10 * time.Microsecond)) // one sample for so much waiting
			runtime.SetMutexProfileFraction(10)
		}
	}
	set(1)
	return func() { set(-1) }
}

// Profile writes a profile of the daemon: "profile" (of the processor), "heap", "goroutine", "trace" and what else GET /debug/pprof/ lists.
// seconds is what it is of; 0: the profile's own default.
func (c *Client) Profile(ctx context.Context, name string, seconds int, to io.Writer) error {
	path := profilePath + name
	wait := c.patience + 30*time.Second // the default is at most that
	if seconds > 0 {
		path += "?seconds=" + strconv.Itoa(seconds)
		wait = c.patience + time.Duration(seconds)*time.Second
	}
	return c.get(ctx, path, wait, to)
}

// get copies an answer, which has to begin in time.
func (c *Client) get(ctx context.Context, path string, wait time.Duration, to io.Writer) error {
	outer := ctx
	ctx, silent := context.WithCancelCause(ctx)
	defer silent(nil)
	timer := time.AfterFunc(wait, func() { silent(errSilent) })
	defer timer.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nvsessd"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), errSilent) {
			return &NotReachableError{c.path, errSilent}
		}
		var notReachable *NotReachableError
		if errors.As(err, &notReachable) {
			return notReachable
		}
		return c.lost(outer, reasonOf(err))
	}
	timer.Stop()
	body := &answerBody{resp.Body, silent}
	defer body.Close()
	if resp.StatusCode != http.StatusOK {
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") { // net/http/pprof's own
			text, _ := io.ReadAll(io.LimitReader(body, 1<<10))
			return errorf(CodeNotAvailable, "%s", clip(Escape(strings.TrimSpace(string(text))), 200))
		}
		return failure(resp)
	}
	n, err := io.Copy(to, io.LimitReader(body.steadily(c.patience), int64(c.largest)+1))
	switch {
	case err != nil:
		return c.lost(outer, err)
	case n > int64(c.largest):
		return c.tooLarge()
	case resp.ContentLength >= 0 && n != resp.ContentLength:
		return c.lost(outer, fmt.Errorf("%d of %d bytes came", n, resp.ContentLength))
	}
	return nil
}
