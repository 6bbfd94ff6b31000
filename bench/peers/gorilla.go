package main

import (
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// gorillaConn adds the lock its documentation asks for: one writer at a time.
type gorillaConn struct {
	*websocket.Conn
	mu sync.Mutex // held while writing
}

// serveGorilla uses small buffers, a pool for writing (the documentation's advice
// for many connections that write seldom) and a prepared message for all.
func serveGorilla(l net.Listener, s settings) error {
	all := newMembers[*gorillaConn]()
	upgrader := websocket.Upgrader{
		ReadBufferSize:  1024,
		WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     func(*http.Request) bool { return true },
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &gorillaConn{Conn: ws}
		all.add(c)
		// A goroutine of its own lets go of all that net/http holds.
		go func() {
			defer ws.Close()
			defer all.remove(c)
			c.read(all, s)
		}()
	}))
}

func (c *gorillaConn) read(all *members[*gorillaConn], s settings) {
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return
		}
		switch {
		case s.echo:
			c.mu.Lock()
			err = c.WriteMessage(kind, b)
			c.mu.Unlock()
			if err != nil {
				return
			}
		case s.forward:
			m, err := websocket.NewPreparedMessage(kind, b)
			if err != nil {
				return
			}
			all.each(func(other *gorillaConn) {
				if other == c {
					return
				}
				other.mu.Lock()
				defer other.mu.Unlock()
				_ = other.WritePreparedMessage(m) // its own reader sees the end
			})
		}
	}
}
