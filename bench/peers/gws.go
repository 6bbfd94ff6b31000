package main

import (
	"net"
	"net/http"
	"time"

	"github.com/lxzan/gws"
)

// gwsServer uses ReadLoop in a goroutine of its own, a Broadcaster for messages to
// all, and no compression. Messages are not handled in parallel: an echo must
// come back in order.
type gwsServer struct {
	settings
	gws.BuiltinEventHandler
	all *members[*gws.Conn]
	ka  *keepalive
}

func serveGws(l net.Listener, s settings) error {
	srv := &gwsServer{settings: s, all: newMembers[*gws.Conn]()}
	if s.keepalive > 0 {
		srv.ka = newKeepalive(s.keepalive)
		go srv.keepAlive()
	}
	upgrader := gws.NewUpgrader(srv, &gws.ServerOption{})
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		// A goroutine of its own lets go of all that net/http holds.
		go socket.ReadLoop()
	}))
}

func (s *gwsServer) OnOpen(c *gws.Conn) {
	if s.ka != nil {
		id := newID()
		c.Session().Store(seenKey, &seen{id: id, at: time.Now()})
		_ = c.WriteMessage(gws.OpcodeText, s.ka.cfg(id))
	}
	s.all.add(c)
}

func (s *gwsServer) OnClose(c *gws.Conn, _ error) { s.all.remove(c) }

func (s *gwsServer) OnPing(c *gws.Conn, b []byte) { _ = c.WritePong(b) }

func (s *gwsServer) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if s.ka != nil && s.envelope(c, m) {
		return
	}
	switch {
	case s.echo:
		_ = c.WriteMessage(m.Opcode, m.Bytes())
	case s.forward:
		// The broadcaster keeps the bytes after this returns.
		s.broadcast(m.Opcode, append([]byte(nil), m.Bytes()...), c)
	}
}

func (s *gwsServer) broadcast(op gws.Opcode, b []byte, except *gws.Conn) {
	bc := gws.NewBroadcaster(op, b)
	defer bc.Close()
	s.all.each(func(c *gws.Conn) {
		if c != except {
			_ = bc.Broadcast(c)
		}
	})
}
