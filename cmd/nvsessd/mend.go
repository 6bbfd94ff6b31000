package main

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/ws"
)

// socketCheck is how often the daemon looks whether its unix sockets' files are
// still there: a cleaner of /tmp or /run may have removed them, or somebody. The
// sessions do not notice, but no new ones can come, and no operator.
const socketCheck = 5 * time.Second

// mendSockets makes sockets again whose files are gone. What has taken the place
// of one is left alone, as at the start, and looked at again the next time.
// Sockets that came from systemd are systemd's to make again.
func (d *daemon) mendSockets() {
	s := d.sockets
	s.mu.Lock()
	public := slices.Clone(s.public)
	s.mu.Unlock()
	for _, old := range public {
		d.mend(old, s.publicAs, func(made *listen.Socket) error {
			if err := d.sessions.Listen(&ws.Listener{FD: made.FD, Network: made.Addr.Network, WhileDraining: true}); err != nil {
				return err
			}
			d.sessions.Unlisten(old.FD)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.public[slices.Index(s.public, old)] = made
			return nil
		})
	}
	for i, old := range s.admin {
		d.mend(old, s.adminAs, func(made *listen.Socket) error {
			ln, err := made.NetListener()
			if err != nil {
				return err
			}
			s.mu.Lock()
			s.admin[i] = made
			s.mu.Unlock()
			d.serveOperators(made, ln)
			_ = s.operators[old].Close()
			delete(s.operators, old)
			return nil
		})
	}
}

// mend replaces one socket, if its file is gone, by another at the same path,
// which use takes into service. It says each trouble once.
func (d *daemon) mend(old *listen.Socket, as listen.Options, use func(*listen.Socket) error) {
	at := old.String()
	if old.Reachable() {
		delete(d.missing, at)
		return
	}
	trouble, err := "the socket is systemd's: restart its unit to have it made again", error(nil)
	if !old.Inherited {
		var made *listen.Socket
		if made, err = listen.Open(old.Addr, as); err == nil {
			if err = use(made); err == nil {
				_ = old.Close()
				delete(d.missing, at)
				d.log.Warn("the file of a socket was gone, and has been made again", zap.String("socket", at))
				return
			}
			_ = made.Close()
		}
		trouble = err.Error()
	}
	if d.missing[at] != trouble {
		d.missing[at] = trouble
		d.log.Error("the file of a socket is gone, and cannot be made again; sessions go on", zap.String("socket", at), zap.String("reason", trouble))
	}
}
