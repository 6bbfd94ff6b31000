package session

import (
	"sync/atomic"

	"github.com/nvsess/nvsess/internal/ws"
)

// The modes of a mount: what becomes of its sessions' messages.
const (
	ModeHandlers = "handlers" // they go to the registered handlers
	ModeForward  = "forward"  // to every other session of the mount
	ModeEcho     = "echo"     // back to their sender
)

// Mount is a set of paths, and what holds for the sessions there.
type Mount struct {
	*ws.Mount // the transport's part; NewServer sets its Data
	Mode      string
	Auth      AuthMode
}

// mount is a Mount at work, a ws.Mount's Data.
type mount struct {
	srv   *Server
	name  string
	auth  AuthMode
	conns *ws.Mount
	table atomic.Pointer[table] // replaced while messages are being handled: one goes to the old or to the new
	taken []Kind                // those that its mode keeps from being set; none for the first mount
	alone bool                  // all sessions are its
	list  []*Session            // see registry.members; guarded by the registry's lock
}

// DefaultMount is the name of the top level's mount. Others are named by their
// first path.
const DefaultMount = "default"

// MountStats tells of a mount.
type MountStats struct {
	Mode     string `json:"mode"`
	Sessions int64  `json:"sessions"`        // open now
	Limit    int    `json:"limit,omitempty"` // the most at a time; 0: none
}

// newMounts makes the mounts of a server, and what the transport is to have.
func newMounts(srv *Server, opt Options) (list []*mount, transport []*ws.Mount, err error) {
	all := opt.Mounts
	if len(all) == 0 {
		for _, m := range opt.WS.Mounts {
			all = append(all, Mount{m, opt.Mode, opt.AuthMode})
		}
	}
	if len(all) == 0 {
		all = []Mount{{&ws.Mount{}, opt.Mode, opt.AuthMode}}
	}
	for i, o := range all {
		if o.Auth != AuthOff && opt.Auth == nil {
			return nil, nil, errNoAuthenticator
		}
		t, about, err := tableOf(o.Mode)
		if err != nil {
			return nil, nil, err
		}
		m := &mount{srv: srv, name: DefaultMount, auth: o.Auth, conns: o.Mount, alone: len(all) == 1}
		if i > 0 {
			m.taken = about
			if len(o.Paths) > 0 {
				m.name = o.Paths[0]
			}
		}
		m.table.Store(&t)
		o.Data = m
		list, transport = append(list, m), append(transport, o.Mount)
	}
	return list, transport, nil
}

// mode is "forward" or "echo" when all messages are handled so, otherwise
// "handlers".
func (m *mount) mode() string {
	now := m.table.Load()
	name := now[KindString].name
	if name == now[KindJSON].name && name == now[KindBinary].name && (name == HandlerForward || name == HandlerEcho) {
		return name
	}
	return ModeHandlers
}

// mountStats tells of the mounts, by their names.
func (s *Server) mountStats() map[string]MountStats {
	all := make(map[string]MountStats, len(s.handlers.mounts))
	for _, m := range s.handlers.mounts {
		all[m.name] = MountStats{Mode: m.mode(), Sessions: m.conns.Conns(), Limit: m.conns.MaxConns}
	}
	return all
}

// Mount is the name of the mount that the session's path belongs to.
func (s *Session) Mount() string { return s.mount.name }
