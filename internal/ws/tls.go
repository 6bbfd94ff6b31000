package ws

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// TLS is for tests and small installations; in production a proxy ends it. It
// costs two goroutines per connection, which pump between the TLS session and
// one end of a socket pair whose other end the loops serve like any other
// connection, so that no other part knows of TLS.

type tlsListener struct {
	srv *Server
	ln  net.Listener
	cfg *tls.Config
	wg  sync.WaitGroup
	ctx context.Context
	end context.CancelFunc
}

func (s *Server) serveTLS(ln *Listener) (*tlsListener, error) {
	fd, err := unix.FcntlInt(uintptr(ln.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "tls listener")
	nl, err := net.FileListener(f) // dups again
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	t := &tlsListener{srv: s, ln: nl, cfg: ln.TLS}
	t.ctx, t.end = context.WithCancel(context.Background())
	s.wg.Go(t.run)
	return t, nil
}

// stop ends accepting and handshakes; what is open goes on until its loop
// closes it.
func (t *tlsListener) stop() {
	_ = t.ln.Close()
	t.end()
}

func (t *tlsListener) run() {
	defer t.wg.Wait()
	for {
		nc, err := t.ln.Accept()
		if err != nil {
			if t.ctx.Err() != nil {
				return
			}
			t.srv.log.Error("cannot accept TLS connections; retrying", zap.Error(err))
			select {
			case <-t.ctx.Done():
				return
			case <-time.After(acceptRetry):
			}
			continue
		}
		t.wg.Go(func() { t.serve(nc) })
	}
}

func (t *tlsListener) serve(nc net.Conn) {
	defer nc.Close()
	tc := tls.Server(nc, t.cfg)
	ctx, cancel := context.WithTimeout(t.ctx, t.srv.opt.HandshakeTimeout)
	err := tc.HandshakeContext(ctx)
	cancel()
	if err != nil {
		t.srv.log.Debug("TLS handshake failed", zap.Error(err))
		return
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.srv.log.Error("cannot serve a TLS connection", zap.Error(err))
		return
	}
	f := os.NewFile(uintptr(fds[1]), "tls pair")
	inner, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		closeFD(int32(fds[0]))
		return
	}
	defer inner.Close()
	addr, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	peer := &Peer{Network: "tcp", Addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())}
	l := t.srv.loops[0]
	if !l.post(func() { t.srv.adopt(int32(fds[0]), peer, l) }) {
		closeFD(int32(fds[0]))
		return
	}

	var wg sync.WaitGroup
	wg.Go(func() { // peer to loop
		_, _ = io.Copy(inner, tc)
		_ = inner.(*net.UnixConn).CloseWrite()
	})
	_, _ = io.Copy(tc, inner) // loop to peer; ends when the loop shuts or closes its end
	_ = tc.CloseWrite()
	_ = nc.SetReadDeadline(time.Now().Add(t.srv.opt.CloseTimeout))
	wg.Wait()
}
