package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Reconnect says how a Client comes back. The zero value of each field means its
// default.
//
// Delays grow exponentially and are drawn at random from zero to the delay
// reached ("full jitter"), so that clients which lost their server together do
// not return together. What the server says goes first:
//
//   - "retry_after_ms=N" in a close reason, and the Retry-After of a refusal, are
//     waited for, and on top a delay drawn from zero to half of that or the delay
//     reached, whichever is more, but not over MaxDelay.
//   - Close code 1013, try again later, means the upper half of MaxDelay.
//   - Close code 1012, service restart, means the ordinary delay: whoever restarts
//     a server wants its clients back soon, though not all at once. Who wants the
//     5 to 30 seconds that the code's registration suggests, or any other wait,
//     says so with retry_after_ms.
//
// The JavaScript client does the same.
//
// A refusal by HTTP status that will not change by itself (400, 401, 403, 404,
// 426 and the like) ends the Client, unless RetryRefused is set. 408, 425, 429,
// 5xx other than 501 and 505, a redirect (never followed), an answer that is no
// WebSocket handshake, and every failure of network or TLS are tried again.
type Reconnect struct {
	MinDelay time.Duration // upper end of the first delay; default 1s
	MaxDelay time.Duration // upper end of any; default 1m
	Factor   float64       // by which it grows with each failure; default 2

	// MaxAttempts ends the Client after so many attempts in a row that led to no
	// stable connection. 0: no limit.
	MaxAttempts int
	// StableAfter is how long a connection lives to count as stable, so that the
	// next delay is small again; default 10s.
	StableAfter time.Duration
	// MaxRetryAfter bounds what a server may ask for; default 15m.
	MaxRetryAfter time.Duration
	// RetryRefused goes on after refusals that will not change by themselves.
	RetryRefused bool

	// The callbacks run one at a time on a goroutine of the Client, which
	// neither sends nor reconnects until they return. Handlers of an older
	// connection may still be running.

	// OnConnect is called with each new connection, before any of its handlers
	// and before anything queued leaves: the place to log in or subscribe. It
	// uses conn; the Client's own Send and Request would wait for its return.
	OnConnect func(conn *Conn)
	// OnDisconnect is called when a connection has ended, and when an attempt
	// to make one has failed.
	OnDisconnect func(d Disconnect)
	// CheckNetwork is called before each attempt but the first. An error, for
	// OnDisconnect to show, says there is no use in trying yet: that is no attempt,
	// and the next delay is longer. ctx ends with the Client and after the
	// handshake timeout.
	CheckNetwork func(ctx context.Context) error
}

// Disconnect is what OnDisconnect is told.
type Disconnect struct {
	Err      error         // why: a *CloseError, or why an attempt failed
	Attempts int           // in a row that led to no stable connection
	Delay    time.Duration // until the next one
	Final    bool          // there is no next one
}

func (r Reconnect) withDefaults() (Reconnect, error) {
	bad := func(format string, args ...any) (Reconnect, error) {
		return r, fmt.Errorf("%w: reconnect: %s", ErrOption, fmt.Sprintf(format, args...))
	}
	if r.MinDelay < 0 || r.MaxDelay < 0 || r.StableAfter < 0 || r.MaxRetryAfter < 0 || r.MaxAttempts < 0 {
		return bad("nothing of it is negative")
	}
	for d, preset := range map[*time.Duration]time.Duration{
		&r.MinDelay: time.Second, &r.StableAfter: 10 * time.Second, &r.MaxRetryAfter: 15 * time.Minute,
	} {
		if *d == 0 {
			*d = preset
		}
	}
	if r.MaxDelay == 0 {
		r.MaxDelay = max(time.Minute, r.MinDelay)
	}
	if r.Factor == 0 {
		r.Factor = 2
	}
	switch {
	case r.MinDelay > r.MaxDelay:
		return bad("the smallest delay, %v, is above the largest, %v", r.MinDelay, r.MaxDelay)
	case !(r.Factor >= 1) || math.IsInf(r.Factor, 1):
		return bad("factor %v: at least 1", r.Factor)
	}
	return r, nil
}

// delay gives how long to wait after the given number of failures in a row, the
// last for err; random is from [0, 1).
func (r Reconnect) delay(failures int, err error, now time.Time, random float64) time.Duration {
	drawn := func(low, high time.Duration) time.Duration {
		return low + time.Duration(random*float64(high-low))
	}
	reached := float64(r.MinDelay) * math.Pow(r.Factor, float64(max(failures, 1)-1))
	high := r.MaxDelay
	if reached < float64(r.MaxDelay) { // also keeps an infinity out
		high = time.Duration(reached)
	}
	if asked, ok := retryAfter(err, now); ok {
		asked = min(asked, r.MaxRetryAfter)
		return asked + drawn(0, min(max(asked/2, high), r.MaxDelay))
	}
	if closed := (*CloseError)(nil); errors.As(err, &closed) && closed.Remote && closed.Code == CloseTryLater {
		return drawn(r.MaxDelay/2, r.MaxDelay)
	}
	return drawn(0, high)
}

// askedIn is what a close reason asks for. The JavaScript client reads it in the
// same way: testdata/retry_after_ms.json is for the tests of both.
func askedIn(reason string) (time.Duration, bool) {
	m := retryAfterMS.FindStringSubmatch(reason)
	if m == nil {
		return 0, false
	}
	ms, _ := strconv.ParseUint(m[1], 10, 31) // the most that fits, if it does not
	return time.Duration(ms) * time.Millisecond, true
}

var retryAfterMS = regexp.MustCompile(`(?:^|[^0-9A-Za-z_])retry_after_ms=([0-9]+)(?:$|[^0-9A-Za-z_])`)

// retryAfter is what the server asked for, in a close reason or a refusal's
// Retry-After (RFC 9110, section 10.2.3: seconds, or a date).
func retryAfter(err error, now time.Time) (time.Duration, bool) {
	if closed := (*CloseError)(nil); errors.As(err, &closed) && closed.Remote {
		return askedIn(closed.Reason)
	}
	refused := (*HandshakeError)(nil)
	if !errors.As(err, &refused) {
		return 0, false
	}
	v := strings.TrimSpace(refused.Header.Get("Retry-After"))
	if s, err := strconv.ParseUint(v, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(s) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// hopeless tells whether err is a refusal that will not change by itself.
func hopeless(err error) bool {
	refused := (*HandshakeError)(nil)
	if !errors.As(err, &refused) {
		return false
	}
	switch s := refused.Status; s {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return true
	default:
		return s >= 400 && s < 500
	}
}
