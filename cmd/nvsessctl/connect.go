package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// connectOptions is the command line of connect.
type connectOptions struct {
	url          string
	header       http.Header
	origin       string
	subprotocols []string
	insecure     bool
	timeout      time.Duration
	keepalive    time.Duration
	auto         string // JSON to answer each sreq with
	autoEcho     bool
	wait         time.Duration
	count        int
	json         bool
	pretty       bool
	full         bool
	verbose      bool
}

// connectUsageError is a command line that makes no sense.
type connectUsageError struct{ err error }

func (e *connectUsageError) Error() string {
	return e.err.Error() + " (nvsessctl connect --help explains)"
}
func (e *connectUsageError) Unwrap() error { return e.err }

// ExitCode is the exit status for the error.
func (e *connectUsageError) ExitCode() int { return 2 }

func connectUsagef(format string, args ...any) error {
	return &connectUsageError{fmt.Errorf("connect: "+format, args...)}
}

// runConnect is the connect command: an interactive client. A nil error means
// that the connection closed normally. The end of ctx closes it with 1000.
func runConnect(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	opt, err := parseConnect(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, connectUsage)
		return err
	}
	if err != nil {
		return err
	}
	s := newConnectSession(opt, stdout, stderr)
	in, err := s.openInput(stdin, stdout)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer in.stop()
	if err := s.dial(ctx); err != nil {
		return err
	}
	defer s.finish()
	return s.run(ctx, in)
}

func parseConnect(args []string) (*connectOptions, error) {
	o := &connectOptions{header: http.Header{}}
	fs := flag.NewFlagSet("connect", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.Func("H", "", o.addHeader)
	fs.StringVar(&o.origin, "origin", "", "")
	fs.Func("subprotocol", "", func(s string) error {
		o.subprotocols = append(o.subprotocols, s)
		return nil
	})
	fs.BoolVar(&o.insecure, "insecure", false, "")
	fs.DurationVar(&o.timeout, "timeout", client.DefaultHandshakeTimeout, "")
	fs.DurationVar(&o.keepalive, "keepalive", client.DefaultKeepalive, "")
	fs.StringVar(&o.auto, "auto", "", "")
	fs.BoolVar(&o.autoEcho, "auto-echo", false, "")
	fs.DurationVar(&o.wait, "wait", 0, "")
	fs.IntVar(&o.count, "n", 0, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.pretty, "pretty", false, "")
	fs.BoolVar(&o.full, "full", false, "")
	fs.BoolVar(&o.verbose, "v", false, "")
	// Options may follow the URL.
	var words []string
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			what := strings.Replace(err.Error(), "flag provided but not defined: ", "there is no option ", 1)
			return nil, connectUsagef("%s", admin.Escape(what))
		}
		rest := fs.Args()
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			words = append(words, rest...)
			break
		}
		if len(rest) == 0 {
			break
		}
		words = append(words, rest[0])
		args = rest[1:]
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case len(words) == 0:
		return nil, connectUsagef("which URL?")
	case len(words) > 1:
		return nil, connectUsagef("one URL, not also %s", admin.Quote(words[1]))
	case o.timeout <= 0:
		return nil, connectUsagef("--timeout %v is not positive", o.timeout)
	case o.wait < 0:
		return nil, connectUsagef("--wait %v is negative", o.wait)
	case o.count < 0 || given["n"] && o.count == 0:
		return nil, connectUsagef("-n %d is not positive", o.count)
	case given["auto"] && o.autoEcho:
		return nil, connectUsagef("either --auto or --auto-echo")
	}
	o.url = words[0]
	if given["auto"] {
		if err := admin.CheckJSON(o.auto); err != nil {
			return nil, connectUsagef("--auto: %v", err)
		}
	}
	if guess := connectGuess(o.url); guess != "" {
		return nil, connectUsagef("%s is not a URL; did you mean %s?", admin.Quote(o.url), admin.Escape(guess))
	}
	if err := client.CheckURL(o.url); err != nil {
		return nil, connectUsagef("%w", err)
	}
	return o, nil
}

// connectGuess is the URL that HOST:PORT or HOST:PORT/PATH stands for; "" when s is not like that.
func connectGuess(s string) string {
	host, path, _ := strings.Cut(s, "/")
	guess := "ws://" + host + "/" + path
	if u, err := url.Parse(guess); err != nil || u.Port() == "" || u.User != nil || client.CheckURL(guess) != nil {
		return ""
	}
	return guess
}

func (o *connectOptions) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New(`a header is written "Name: value"`)
	}
	o.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// dialOptions is what the command line means to the client package.
func (o *connectOptions) dialOptions() []client.Option {
	opts := []client.Option{
		client.WithHeader(o.header),
		client.WithSubprotocols(o.subprotocols...),
		client.WithHandshakeTimeout(o.timeout),
		client.WithRequestTimeout(o.timeout),
		client.WithKeepalive(o.keepalive),
	}
	if o.origin != "" {
		opts = append(opts, client.WithOrigin(o.origin))
	}
	if o.insecure {
		opts = append(opts, client.WithTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	return opts
}

// dialFailure is why a client could not connect, with its exit status.
type dialFailure struct {
	error
	code int
}

func (e *dialFailure) Unwrap() error { return e.error }

// ExitCode is the exit status for the error.
func (e *dialFailure) ExitCode() int { return e.code }

// connectDialError puts a failure to connect in one line: a *dialFailure, or a *connectUsageError.
func connectDialError(rawURL string, err error) error {
	if errors.Is(err, client.ErrOption) {
		return connectUsagef("%s", connectError(err))
	}
	e := &dialFailure{connectDialText(rawURL, err), exitFailed}
	var network *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded), strings.HasPrefix(handshakeReason(err), "no answer within "):
		e.code = exitNoReply
	case errors.Is(err, syscall.EACCES):
		e.code = exitNotPermitted
	case errors.As(err, &dns), errors.As(err, &network) && network.Op == "dial":
		e.code = exitNotReachable
	}
	return e
}

func connectDialText(rawURL string, err error) error {
	where := admin.Escape(rawURL)
	if u, uerr := url.Parse(rawURL); uerr == nil {
		where = admin.Escape(u.Redacted())
	}
	var refused *client.HandshakeError
	var network *net.OpError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused):
		says := ""
		if body := strings.Join(strings.Fields(refused.Body), " "); body != "" {
			says = ": " + admin.Escape(connectClip(body, 200))
		}
		status := strings.TrimSpace(fmt.Sprintf("%d %s", refused.Status, http.StatusText(refused.Status)))
		return fmt.Errorf("connect: %s refused: %s%s", where, status, says)
	case errors.As(err, &unverified):
		return fmt.Errorf("connect: %s: %w (--insecure accepts it)", where, unverified.Err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("connect: %s: %w", where, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("connect: %s: no answer in time: %w", where, context.DeadlineExceeded)
	case errors.As(err, &network):
		return fmt.Errorf("connect: %s: %w", where, network.Err)
	case errors.Is(err, client.ErrHandshake):
		return fmt.Errorf("connect: %s: %s", where, admin.Escape(handshakeReason(err)))
	}
	return fmt.Errorf("connect: %s: %s", where, connectError(err))
}

// handshakeReason is what the client package says after client.ErrHandshake, "" for another error.
func handshakeReason(err error) string {
	_, what, _ := strings.Cut(err.Error(), client.ErrHandshake.Error()+": ")
	return what
}

// connectClip shortens s to at most n characters.
func connectClip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
