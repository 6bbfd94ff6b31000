package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Client calls a daemon on its admin socket. It makes a connection for each call, so a daemon that was restarted is found again.
type Client struct {
	path string
	http *http.Client
}

// NotReachableError is a daemon that cannot be connected to.
type NotReachableError struct {
	Path string
	Err  error
}

func (e *NotReachableError) Error() string {
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

// dialTimeout bounds connecting; a live daemon accepts at once.
const dialTimeout = 5 * time.Second

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
	c := &Client{path: path}
	c.http = &http.Client{
		Transport:     &http.Transport{DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true},
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
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, c.lost(ctx, err)
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
		text, err := r.ReadBytes('\n')
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://nvsessd/v1/"+name, bytes.NewReader(body))
	if err != nil {
		return nil, Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		var notReachable *NotReachableError
		switch {
		case ctx.Err() != nil:
			return nil, Answer{}, ctx.Err()
		case errors.As(err, &notReachable):
			return nil, Answer{}, notReachable
		}
		return nil, Answer{}, c.lost(ctx, reasonOf(err))
	}
	a := Answer{Started: resp.Header.Get(startedHeader)}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, a, failure(resp)
	}
	return resp, a, nil
}

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
