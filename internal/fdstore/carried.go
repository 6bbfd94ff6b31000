package fdstore

import (
	"context"
	"fmt"
	"sync/atomic"
)

// A Handle is a descriptor of the store's, and the name it has with systemd.
type Handle struct {
	Name string
	FD   int
}

// Handles stands the store still, and gives what another image needs that this process executes: it opens the same descriptors as Files, with
// Carried set. The caller clears their close-on-exec flags. No keeper may be used meanwhile. Thaw undoes it.
func (s *Store) Handles(ctx context.Context) ([]Handle, error) {
	s.mu.Lock()
	s.frozen = true
	s.mu.Unlock()
	if err := s.call(ctx, func(context.Context) error { return nil }); err != nil {
		s.Thaw()
		return nil, fmt.Errorf("fdstore: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Handle{{fmt.Sprintf("%s%d", prefixMemory, s.generation), s.mem.fd}}
	for _, r := range s.ringsLocked() {
		read, write := r.names(s.generation)
		all = append(all, Handle{read, r.r})
		if r.w >= 0 {
			all = append(all, Handle{write, r.w})
		}
	}
	return all, nil
}

// Thaw goes on after Handles.
func (s *Store) Thaw() {
	s.mu.Lock()
	s.frozen = false
	s.mu.Unlock()
	s.wake()
}

// claimCarried notes what came through an exec, by key, and stands still until all have been added.
func (s *Store) claimCarried() {
	s.carried = map[uint64]uint32{}
	for i := range s.places {
		if s.places[i].state == placeFlying {
			s.carried[s.mem.slot(uint32(i)).key] = uint32(i)
		}
	}
	s.frozen = true
	s.carrying.Store(true)
}

// adopt gives a connection that came through an exec its descriptor.
func (s *Store) adopt(fd int32, key uint64) bool {
	if !s.carrying.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.carried[key]
	if !ok {
		return false
	}
	delete(s.carried, key)
	s.places[i].fd = fd
	atomic.StoreUint32(&s.byFD[fd], i)
	return true
}

// Adopted says that all that came through an exec have been added: the others are gone.
func (s *Store) Adopted() {
	s.mu.Lock()
	for _, i := range s.carried {
		s.dropLocked(i)
	}
	s.carried = nil
	s.mu.Unlock()
	s.carrying.Store(false)
	s.Thaw()
}
