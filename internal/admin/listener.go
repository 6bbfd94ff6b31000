package admin

import (
	"errors"
	"net"
	"sync"

	"go.uber.org/zap"
)

// Connections are bounded before HTTP sees them. Those who may call get places of their own, so that those who may not cannot take them.
const (
	maxConns   = 512 // more wait in the listen queue
	maxRefused = 16  // connections being told 403; more are closed without a word
)

// peerListener learns who connects, and bounds how many do.
type peerListener struct {
	net.Listener
	server  *Server
	places  chan struct{} // for those who may call
	refused chan struct{} // for those who may not
	done    chan struct{} // closed by Close
	once    sync.Once
}

func newPeerListener(ln net.Listener, s *Server) *peerListener {
	return &peerListener{
		Listener: ln, server: s,
		places: make(chan struct{}, maxConns), refused: make(chan struct{}, maxRefused), done: make(chan struct{}),
	}
}

func (l *peerListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.done:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		peer, err := peerOf(c)
		if err == nil && l.server.options.permits(peer, l.server.uid) {
			return &peerConn{Conn: c, peer: peer, permitted: true, place: l.places}, nil
		}
		<-l.places
		l.server.options.Log.Warn("operator refused", zap.Uint32("uid", peer.UID), zap.Uint32("gid", peer.GID),
			zap.Int32("pid", peer.PID), zap.NamedError("credentials", err))
		select {
		case l.refused <- struct{}{}:
			return &peerConn{Conn: c, peer: peer, place: l.refused}, nil
		default:
			_ = c.Close()
		}
	}
}

func (l *peerListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// peerConn is a connection whose peer is known. It gives its place back when it closes.
type peerConn struct {
	net.Conn
	peer      Peer
	permitted bool
	place     chan struct{}
	once      sync.Once
}

func (c *peerConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.place })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
