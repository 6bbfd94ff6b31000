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
	auth  atomic.Uint32 // an AuthMode
	conns *ws.Mount
	table atomic.Pointer[table] // replaced while messages are being handled: one goes to the old or to the new
	as    string                // its Mode as configured; with taken guarded by handlers.mu
	taken []Kind                // those that its mode keeps from being set; none for the first mount
	alone atomic.Bool           // all sessions are its
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
	Gone     bool   `json:"gone,omitempty"`  // no more come: the configuration has it no longer
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
	now := s.handlers.mounts.Load()
	all := make(map[string]MountStats, len(now.served))
	for _, m := range now.gone {
		if n := m.conns.Conns(); n > 0 {
			all[m.name] = MountStats{Mode: m.mode(), Sessions: n, Gone: true}
		}
	}
	for _, m := range now.served {
		all[m.name] = MountStats{Mode: m.mode(), Sessions: m.conns.Conns(), Limit: m.conns.Limit()}
	}
	return all
}

// Mount is the name of the mount that the session's path belongs to.
func (s *Session) Mount() string { return s.mount.name }
