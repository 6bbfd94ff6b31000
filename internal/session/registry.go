package session

import (
	"slices"
	"sync"
)

// registry is who is connected, in the order of arrival.
type registry struct {
	mu    sync.RWMutex // guards what follows
	byKey map[uint64]*Session
	order []*Session // nil where somebody left; compacted when half of it is
	holes int
	list  []*Session // order without holes; nil after a change
}

func newRegistry() *registry { return &registry{byKey: make(map[uint64]*Session)} }

// add gives s a new ID and makes it the newest session.
func (r *registry) add(s *Session) {
	s.id = newID()
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.byKey[s.id.key()] != nil {
		s.id = newID()
	}
	r.byKey[s.id.key()] = s
	s.slot = int32(len(r.order))
	r.order = append(r.order, s)
	r.list, s.mount.list = nil, nil
}

// readmit makes a session of an earlier process, which has an ID, the newest.
func (r *registry) readmit(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[s.id.key()] != nil {
		return // twice in what was written down
	}
	r.byKey[s.id.key()] = s
	s.slot = int32(len(r.order))
	r.order = append(r.order, s)
	r.list, s.mount.list = nil, nil
}

// position is where s stands in the order, from 1 on; 0: nowhere.
func (r *registry) position(s *Session) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.byKey[s.id.key()] != s {
		return 0
	}
	return uint64(s.slot) + 1
}

// remove takes s out. It does nothing when s is out already.
func (r *registry) remove(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[s.id.key()] != s {
		return
	}
	delete(r.byKey, s.id.key())
	r.order[s.slot] = nil
	r.holes++
	r.list, s.mount.list = nil, nil
	if r.holes > 64 && r.holes > len(r.order)/2 {
		kept := make([]*Session, 0, len(r.order)-r.holes)
		for _, s := range r.order {
			if s != nil {
				s.slot = int32(len(kept))
				kept = append(kept, s)
			}
		}
		r.order, r.holes = kept, 0
	}
}

func (r *registry) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.order) - r.holes
}

// snapshot returns all sessions in order. The slice is shared and must not be
// changed; it stays as it is when sessions come and go.
func (r *registry) snapshot() []*Session {
	return r.cached(&r.list, func(*Session) bool { return true })
}

// members is the snapshot of a mount's sessions.
func (r *registry) members(m *mount) []*Session {
	if m.alone.Load() {
		return r.snapshot()
	}
	return r.cached(&m.list, func(s *Session) bool { return s.mount == m })
}

// cached returns a list, which the registry's lock guards, and makes it anew if
// it is nil.
func (r *registry) cached(list *[]*Session, has func(*Session) bool) []*Session {
	r.mu.RLock()
	have := *list
	r.mu.RUnlock()
	if have != nil {
		return have
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if *list == nil {
		*list = make([]*Session, 0, len(r.order)-r.holes)
		for _, s := range r.order {
			if s != nil && has(s) {
				*list = append(*list, s)
			}
		}
	}
	return slices.Clip(*list)
}

func (r *registry) get(id ID) *Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if s := r.byKey[id.key()]; s != nil && s.id == id {
		return s
	}
	return nil
}
