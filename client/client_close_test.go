package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestClientClose(t *testing.T) {
	said := make(chan string, 1)
	url := server(t, func(p *peer) {
		code, reason := p.shut()
		said <- fmt.Sprint(code, reason)
	})
	t.Run("open", func(t *testing.T) {
		in, handlers := recorder()
		c, err := Connect(within(t), url, handlers)
		must(t, err)
		if err := c.Close(within(t), 1006, ""); err == nil {
			t.Error("1006 was sent")
		}
		if c.State() != StateOpen {
			t.Errorf("state %v", c.State())
		}
		must(t, c.Close(within(t), 4321, "enough"))
		if got := recv(t, said); got != "4321enough" {
			t.Errorf("the server was told %s", got)
		}
		if why := recv(t, in.closed); why.Code != 4321 || why.Remote {
			t.Errorf("the handler was told %v", why)
		}
		must(t, c.Close(within(t), CloseNormal, "")) // twice
	})
	t.Run("in OnConnect", func(t *testing.T) {
		var c *Client
		made, closing := make(chan struct{}), make(chan struct{})
		c = started(t, url, WithReconnect(Reconnect{OnConnect: func(conn *Conn) {
			<-made
			close(closing)
			if _, err := conn.Request(context.Background(), "never answered"); !errors.Is(err, ErrClosed) {
				t.Errorf("request: %v", err)
			}
		}}))
		close(made)
		wait(t, closing)
		must(t, c.Close(within(t), CloseNormal, ""))
		recv(t, said)
	})
	t.Run("dialing", func(t *testing.T) {
		arrived := make(chan struct{})
		c := started(t, rawServer(t, func(p *peer) { close(arrived); p.Read(make([]byte, 4096)); p.Read(make([]byte, 1)) }))
		wait(t, arrived)
		if c.State() != StateConnecting {
			t.Errorf("state %v", c.State())
		}
		must(t, c.Close(within(t), CloseNormal, ""))
		if s := c.Stats(); s.Failures != 0 || s.LastErr != nil {
			t.Errorf("called off, not failed: %+v", s)
		}
	})
	t.Run("in a handler", func(t *testing.T) {
		results := make(chan error, 1)
		var c *Client
		made := make(chan struct{})
		c = started(t, server(t, func(p *peer) { p.text("x"); p.shut() }), WithCloseTimeout(minKeepalive),
			WithHandlers(Handlers{String: func(*Conn, string) {
				<-made
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				results <- c.Close(ctx, CloseNormal, "")
			}}))
		close(made)
		if err := recv(t, results); err == nil {
			t.Error("a handler waited for itself")
		}
		wait(t, c.Done())
	})
}
