package main

import (
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

type gobwasConn struct {
	net.Conn
	mu sync.Mutex // held while writing
}

// serveGobwas is the naive way: a goroutine for each connection, upgraded without
// net/http, read and written with the library's convenience functions; a message
// to all is compiled to bytes once.
func serveGobwas(l net.Listener, s settings) error {
	all := newMembers[*gobwasConn]()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if _, err := ws.Upgrade(conn); err != nil {
				return
			}
			c := &gobwasConn{Conn: conn}
			all.add(c)
			defer all.remove(c)
			c.read(all, s)
		}()
	}
}

func (c *gobwasConn) read(all *members[*gobwasConn], s settings) {
	for {
		b, op, err := wsutil.ReadClientData(c)
		if err != nil {
			return
		}
		switch {
		case s.echo:
			c.mu.Lock()
			err = wsutil.WriteServerMessage(c, op, b)
			c.mu.Unlock()
			if err != nil {
				return
			}
		case s.forward:
			frame, err := ws.CompileFrame(ws.NewFrame(op, true, b))
			if err != nil {
				return
			}
			all.each(func(other *gobwasConn) {
				if other == c {
					return
				}
				other.mu.Lock()
				defer other.mu.Unlock()
				_, _ = other.Write(frame) // its own reader sees the end
			})
		}
	}
}
