package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/internal/session"
	"go.uber.org/zap"
)

// Options is what a Server needs of the daemon around it. Sessions is required; the rest may be left out.
type Options struct {
	Sessions *session.Server
	Log      *zap.Logger
	Version  string

	Config      func() any // the effective configuration, to be shown as JSON
	LogLevel    func() string
	SetLogLevel func(string) error
	LogLost     func() uint64        // lines of the log that could not be written
	DrainDelay  func() time.Duration // drain's --delay if there is none
	Metrics     http.Handler         // answers GET /metrics; nil: there are none

	// Upgrade replaces the process. It returns when that has failed, or with ctx's cause: session.ErrSuspend when it succeeds. Upgraded is what
	// the last one has come to.
	Upgrade  func(ctx context.Context, binary string) (begun bool, err error)
	Upgraded func() (*Upgraded, error)

	Script    Script // nil: this daemon runs no JavaScript
	NoConsole bool   // operators may not run any: js, js_output and completion are refused

	// Who may call besides root and the daemon's own user. A group counts when it is the peer's own or a supplementary one.
	// SetAccess replaces what is said here, and NoConsole, while the server runs.
	AllowUIDs, AllowGIDs []uint32

	// Reload reads the configuration again, or with dry says what that would change. Its error is an *Error when the configuration is refused.
	Reload func(ctx context.Context, dry bool) (*Reloaded, error)

	started time.Time
}

const (
	maxBody    = 4 << 20
	smallBody  = 64 << 10
	maxCalls   = 128 // at once
	maxLarge   = 8   // of which have a body larger than smallBody
	maxStreams = 64  // at once: each console has one, and so has each watch and each broadcast that waits

	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 30 * time.Second
)

// startedHeader of every answer tells one run of the daemon from the next.
const startedHeader = "Nvsessd-Started"

// Server answers operators on the admin socket.
type Server struct {
	options Options
	access  atomic.Pointer[access]
	uid     uint32
	http    *http.Server
	calls   chan struct{} // a place for each call being carried out
	streams chan struct{}
	large   chan struct{}   // a place for each call whose body is large, in memory several times over
	ctx     context.Context // done when the streams have to end; its cause says why
	stop    context.CancelCauseFunc

	gate      *gate
	waits     waits
	continued sync.WaitGroup // calls that other processes began
}

// NewServer makes a server; Serve starts it.
func NewServer(o Options) *Server {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	o.started = time.Now()
	ctx, stop := context.WithCancelCause(context.Background())
	s := &Server{
		options: o, uid: uint32(os.Geteuid()), ctx: ctx, stop: stop, gate: newGate(),
		calls: make(chan struct{}, maxCalls), streams: make(chan struct{}, maxStreams), large: make(chan struct{}, maxLarge),
	}
	s.SetAccess(o.AllowUIDs, o.AllowGIDs, o.NoConsole)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          zap.NewStdLog(o.Log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
		ConnState:         s.gate.note,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	return s
}

type connKey struct{}

// Serve answers on a unix listener until Shutdown or Close, or until the listener is closed, then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	l := newPeerListener(ln, s)
	defer s.gate.acceptsNot(l, true)
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening, ends the streams, and waits for the commands being carried out until ctx ends; then it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(errShuttingDown)
	defer s.continued.Wait()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.stop(errShuttingDown)
	return s.http.Close()
}

var errShuttingDown = errorf(CodeShuttingDown, "the daemon is shutting down")

// ServeHTTP carries out one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(startedHeader, strconv.FormatInt(s.options.started.UnixNano(), 10))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	conn, ok := r.Context().Value(connKey{}).(*peerConn)
	if !ok || !conn.permitted || !s.access.Load().permits(conn.peer, s.uid) {
		w.Header().Set("Connection", "close")
		writeError(w, errorf(CodeNotPermitted, "user %d may not command this daemon", uidOf(conn)))
		return
	}
	if r.ContentLength != 0 {
		// Else who is refused without his body being read would be answered after it, whenever that comes. readBody takes this back.
		w.Header().Set("Connection", "close")
	}
	if err := s.serve(w, r, conn.peer); err != nil {
		writeError(w, asError(err))
	}
}

func uidOf(c *peerConn) int64 {
	if c == nil {
		return -1
	}
	return int64(c.peer.UID)
}

// serve carries out a request of somebody who may. The error it returns has not been written yet.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, peer Peer) error {
	// A page in a browser cannot reach a unix socket; what forwards one to a port must not make this reachable from a page.
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return errorf(CodeNotPermitted, "this API is not for browsers")
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	switch {
	case r.URL.Path == metricsPath:
		return s.metrics(w, r)
	case strings.HasPrefix(r.URL.Path, profilePath):
		return s.profile(w, r, peer)
	case !ok:
		return errorf(CodeNoSuchCommand, "the commands are under /v1/; there are /metrics and /debug/pprof/ besides")
	case name == "":
		return s.list(w, r)
	}
	cmd := Lookup(name)
	if cmd == nil || cmd.Run == nil {
		return errorf(CodeNoSuchCommand, "there is no command %s; GET /v1/ lists them", Quote(clip(name, 40)))
	}
	places := s.calls
	if cmd.Stream {
		places = s.streams
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	default:
		return errorf(CodeTooManyCalls, "%d calls are being carried out already; try again", cap(places))
	}
	isLarge := false
	defer func() {
		if isLarge {
			<-s.large
		}
	}()
	args, err := readArgs(w, r, cmd, func() error {
		select {
		case s.large <- struct{}{}:
			isLarge = true
			return nil
		default:
			return errorf(CodeTooManyCalls, "%d calls with more than %d bytes each are being carried out already; try again", maxLarge, smallBody)
		}
	})
	if err != nil {
		return err
	}
	return s.call(r.Context(), w, cmd, args, peer, nil)
}

// call runs the command and writes its answer. ctx is done when the caller leaves. resumed is where it goes on; nil: it is new.
func (s *Server) call(ctx context.Context, w http.ResponseWriter, cmd *Command, args Args, peer Peer, resumed *SuspendedCall) error {
	c := &Call{Sessions: s.options.Sessions, Daemon: &s.options, Args: args, Peer: peer, since: time.Now(), resumed: resumed, noConsole: s.access.Load().noConsole}
	if resumed != nil {
		c.since = resumed.Since
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if cmd.Stream {
		c.stream = newStreamWriter(w)
		c.stream.begun = resumed != nil && resumed.Begun
		defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
	}
	leave, ok := s.gate.enter(ctx, !cmd.Suspends && !cmd.Endless, resumed != nil)
	defer leave()
	if !ok {
		s.keep(w, cmd, args, c, nil)
		return nil
	}
	if cmd.Suspends || cmd.Endless {
		defer context.AfterFunc(s.gate.suspending(), func() { cancel(session.ErrSuspend) })()
	}
	begin := time.Now()
	result, err := cmd.Run(ctx, c)
	if errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	var halted *suspension
	if errors.As(err, &halted) || errors.Is(err, session.ErrSuspend) {
		if cmd.Endless {
			cutOff(w)
		} else {
			s.keep(w, cmd, args, c, halted)
		}
		return nil
	}
	if cmd.changes(args) {
		s.audit(cmd, args, peer, time.Since(begin), err)
	}
	if err == nil {
		var raw []byte
		if raw, err = marshal(result); err == nil {
			return c.answer(w, raw)
		}
	}
	if c.stream == nil || !c.stream.begun {
		return err
	}
	_ = c.send(&Line{Error: asError(err)}) // the caller may be gone
	_ = c.flush()
	return nil
}

// answer writes the result.
func (c *Call) answer(w http.ResponseWriter, result []byte) error {
	if c.stream != nil {
		if c.send(&Line{Result: result}) == nil {
			_ = c.flush()
		}
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(wireJSON(result))
	return nil
}

// audit logs a call that changed something: who, what, and how it went. What was sent is not logged, only how much; of JavaScript, the
// beginning is.
func (s *Server) audit(cmd *Command, args Args, peer Peer, took time.Duration, err error) {
	fields := []zap.Field{
		zap.String("command", cmd.Name), zap.Uint32("uid", peer.UID), zap.Uint32("gid", peer.GID), zap.Int32("pid", peer.PID),
		zap.Duration("took", took),
	}
	for i := range cmd.Args {
		a := &cmd.Args[i]
		v, ok := args.values[a.Name]
		if !ok {
			continue
		}
		raw, merr := marshal(v)
		if merr != nil {
			continue
		}
		if a == cmd.payload() && a.Name != "code" || a.Name == "hex" {
			fields = append(fields, zap.Int("payload_bytes", len(raw)))
		} else {
			fields = append(fields, zap.String("arg_"+a.Name, clip(string(EscapeJSON(raw)), 200)))
		}
	}
	if err != nil {
		e := asError(err)
		fields = append(fields, zap.String("failed", e.Code), zap.String("reason", clip(Escape(e.Message), 300)))
	}
	s.options.Log.Info("operator command", fields...)
}

// wireJSON is JSON as the server writes it: safe on the terminal of somebody who calls with curl.
func wireJSON(raw []byte) []byte { return append(EscapeJSON(raw), '\n') }

func writeError(w http.ResponseWriter, e *Error) {
	raw, err := marshal(struct {
		Error *Error `json:"error"`
	}{e})
	if err != nil {
		raw = []byte(`{"error":{"code":"internal","message":"an error could not be written"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status())
	_, _ = w.Write(wireJSON(raw))
}

// list answers GET /v1/ with the table.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET")
		return errorf(CodeMethod, "the list of commands is read with GET")
	}
	type arg struct {
		Name     string   `json:"name"`
		Type     ArgType  `json:"type"`
		Required bool     `json:"required"`
		Default  string   `json:"default,omitempty"`
		Choices  []string `json:"choices,omitempty"`
		Help     string   `json:"help"`
	}
	type command struct {
		Name     string   `json:"name"`
		Aliases  []string `json:"aliases,omitempty"`
		Summary  string   `json:"summary"`
		Methods  []string `json:"methods"`
		Stream   bool     `json:"stream"`
		ReadOnly bool     `json:"read_only"`
		Args     []arg    `json:"args"`
	}
	list := []command{}
	for _, c := range table {
		if c.Run == nil {
			continue
		}
		row := command{c.Name, c.Aliases, c.Summary, c.methods(), c.Stream, c.ReadOnly, []arg{}}
		for i := range c.Args {
			if a := &c.Args[i]; !a.Local {
				row.Args = append(row.Args, arg{a.Name, a.apiType(), a.Required, a.Default, a.Choices, a.Help})
			}
		}
		list = append(list, row)
	}
	raw, err := json.Marshal(struct {
		Version  string    `json:"version"`
		Commands []command `json:"commands"`
	}{s.options.Version, list})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(wireJSON(raw))
	return nil
}

func (c *Command) methods() []string {
	if c.ReadOnly {
		return []string{http.MethodGet, http.MethodPost}
	}
	return []string{http.MethodPost}
}

// apiType is the type as the API sees it: how text is read from a line is no matter there.
func (a *Arg) apiType() ArgType {
	if a.Type == TypeText || a.Type == TypeWords {
		return TypeString
	}
	return a.Type
}
