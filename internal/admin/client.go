package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// Client calls a daemon on its admin socket. It makes a connection for each call, so a daemon that was restarted is found again.
type Client struct {
	path string
	http *http.Client

	patience time.Duration // until the daemon has taken a call, and between two parts of its answer; the tests shorten it
	largest  int           // bytes of an answer, and of a line of one that streams; the tests lower it
}

// NotReachableError is a daemon that cannot be connected to, or that does not answer.
type NotReachableError struct {
	Path string
	Err  error
}

func (e *NotReachableError) Error() string {
	if errors.Is(e.Err, errSilent) {
		return fmt.Sprintf("nvsessd at %s took the connection but does not answer: it is still starting, or stuck; its log says more", e.Path)
	}
	if errors.Is(e.Err, fs.ErrPermission) {
		return fmt.Sprintf("this user may not connect to %s: %s", e.Path, e.Reason())
	}
	return fmt.Sprintf("no nvsessd answers at %s: %s", e.Path, e.Reason())
}

// Reason is what the system says of it.
func (e *NotReachableError) Reason() string { return reasonOf(e.Err).Error() }

func (e *NotReachableError) Unwrap() error { return e.Err }

// reasonOf is the innermost error: "connection refused" and not how it was come by.
func reasonOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// errSilent is a daemon whose socket takes connections, as the kernel does for one that is stopped or has no descriptors left, and that
// says nothing.
var errSilent = errors.New("it does not answer")

const (
	dialTimeout = 5 * time.Second  // a live daemon accepts at once
	takeTimeout = 10 * time.Second // and looks at a call soon after (100 Continue says so)
	workTimeout = time.Minute      // most commands are done in no time; restart may have many sessions to close
	waitMargin  = 5 * time.Second  // a command that waits answers so long after its own timeout at the latest
)

// Dial makes a client of the daemon whose socket is at path, and checks that one listens there.
func Dial(path string) (*Client, error) {
	c := NewClient(path)
	conn, err := c.dial(context.Background(), "", "")
	if err != nil {
		return nil, err
	}
	return c, conn.Close()
}

// NewClient is Dial without the check.
func NewClient(path string) *Client {
	c := &Client{path: path, patience: takeTimeout, largest: maxAnswer}
	// The body waits to be asked for: a daemon that is too busy for the call answers without reading it, and what is sent to it
	// nevertheless breaks the connection, answer and all.
	c.http = &http.Client{
		Transport:     &http.Transport{DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true, ExpectContinueTimeout: 2 * takeTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Path is the socket's.
func (c *Client) Path() string { return c.path }

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil && ctx.Err() == nil {
		return nil, &NotReachableError{c.path, err}
	}
	return conn, err
}

// Answer is what a call came back with. A failing one has no Result.
type Answer struct {
	Result  json.RawMessage
	Started string // tells one run of the daemon from the next
}

// Call carries out a command that does not stream. A failing answer is an *Error.
func (c *Client) Call(ctx context.Context, name string, args any) (Answer, error) {
	resp, a, err := c.post(ctx, name, args)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body.(*answerBody).steadily(c.patience), int64(c.largest)+1))
	switch {
	case errors.Is(err, errSilent):
		return a, &NotReachableError{c.path, err}
	case err != nil:
		return a, c.lost(ctx, err)
	case len(body) > c.largest:
		return a, c.tooLarge()
	}
	a.Result = bytes.TrimSpace(body)
	return a, nil
}

// Stream carries out a command that streams: begun once it is under way, then each line but the last, the result, which is returned.
func (c *Client) Stream(ctx context.Context, name string, args any, begun func(), line func(*Line) error) (Answer, error) {
	resp, a, err := c.post(ctx, name, args)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if begun != nil {
		begun()
	}
	r := bufio.NewReader(resp.Body)
	for {
		text, err := c.readLine(r)
		if errors.Is(err, errAnswerTooLarge) {
			return a, err
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return a, c.lost(ctx, err)
		}
		var l Line
		if err := json.Unmarshal(text, &l); err != nil {
			return a, fmt.Errorf("a line of the answer is not understood: %w", err)
		}
		switch {
		case l.Error != nil:
			return a, l.Error
		case l.Result != nil:
			a.Result = l.Result
			return a, nil
		}
		if err := line(&l); err != nil {
			return a, err
		}
	}
}

// maxAnswer bounds an answer, and a line of one that streams: more than any daemon of ours gives.
const maxAnswer = 256 << 20

var errAnswerTooLarge = errors.New("the answer is too large")

func (c *Client) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes. Is that nvsessd, at %s?", errAnswerTooLarge, c.largest, c.path)
}

// readLine reads a line of a stream.
func (c *Client) readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > c.largest:
			return nil, c.tooLarge()
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}

// lost says that the connection ended before the answer did.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &NotReachableError{c.path, fmt.Errorf("the connection ended before the answer did (%w)", err)}
}

// post sends a call and returns its answer when that is not an error.
func (c *Client) post(ctx context.Context, name string, args any) (*http.Response, Answer, error) {
	body := []byte("{}")
	if args != nil {
		var err error
		if body, err = marshal(args); err != nil {
			return nil, Answer{}, err
		}
	}
	if len(body) > maxBody {
		return nil, Answer{}, errorf(CodeTooLarge, "that is more than the %d bytes the daemon takes in one call", maxBody)
	}
	outer := ctx
	ctx, silent := context.WithCancelCause(ctx) // it ends with outer at the latest; the body is read under it
	timer := time.AfterFunc(c.patience, func() { silent(errSilent) })
	defer timer.Stop()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() {
		if timer.Stop() {
			if d := workTime(name, args); d > 0 {
				timer.Reset(d)
			}
		}
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://nvsessd/v1/"+name, bytes.NewReader(body))
	if err != nil {
		silent(nil)
		return nil, Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue")
	resp, err := c.http.Do(req)
	if err != nil {
		defer silent(nil)
		var notReachable *NotReachableError
		switch {
		case outer.Err() != nil:
			return nil, Answer{}, outer.Err()
		case errors.Is(context.Cause(ctx), errSilent):
			return nil, Answer{}, &NotReachableError{c.path, errSilent}
		case errors.As(err, &notReachable):
			return nil, Answer{}, notReachable
		}
		return nil, Answer{}, c.lost(outer, reasonOf(err))
	}
	timer.Stop()
	resp.Body = &answerBody{resp.Body, silent}
	a := Answer{Started: resp.Header.Get(startedHeader)}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, a, failure(resp)
	}
	return resp, a, nil
}

// workTime is how long a call may take once the daemon has taken it; 0 is no bound: the daemon's own default applies, and only it knows.
func workTime(name string, args any) time.Duration {
	cmd := Lookup(name)
	if cmd == nil || cmd.Stream || cmd.Arg("timeout") == nil {
		return workTimeout
	}
	a, _ := args.(Args)
	if d := a.Duration("timeout", 0); d > 0 {
		return d + waitMargin
	}
	return 0
}

// answerBody ends the call's context with the body.
type answerBody struct {
	io.ReadCloser
	end context.CancelCauseFunc
}

func (b *answerBody) Close() error {
	defer b.end(nil)
	return b.ReadCloser.Close()
}

// steadily reads the body as long as something comes of it within each patience; else the error is errSilent.
func (b *answerBody) steadily(patience time.Duration) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		timer := time.AfterFunc(patience, func() { b.end(errSilent) })
		n, err := b.Read(p)
		if !timer.Stop() && err != nil && !errors.Is(err, io.EOF) {
			err = errSilent
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// failure reads the error of an answer.
func failure(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody)) // what did not arrive is not JSON either
	var answer struct {
		Error *Error `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == nil {
		return errorf(CodeInternal, "the answer is not nvsessd's: %s %s", resp.Status, Quote(clip(strings.TrimSpace(string(body)), 80)))
	}
	return answer.Error
}
