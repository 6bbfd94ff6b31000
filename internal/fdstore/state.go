package fdstore

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
)

// Seal says that the shared memory is out of date, or no longer.
func (s *Store) Seal(sealed bool) {
	var v uint64
	if sealed {
		v = 1
	}
	atomic.StoreUint64(&s.mem.h.sealed, v)
}

// PutState keeps a file for the next process, which gets it as Restored.State unless DropState comes first. It returns when systemd has it.
func (s *Store) PutState(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("fdstore: state: %w", err)
	}
	s.mu.Lock()
	s.mem.h.lastRing++
	number := s.mem.h.lastRing
	name := fmt.Sprintf("%s%d.%d", prefixState, s.generation, number)
	s.states = append(s.states, name)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), systemdLimit)
	defer cancel()
	err = s.call(ctx, func(ctx context.Context) error {
		var err error
		if cerr := raw.Control(func(fd uintptr) { err = storeFD(name, int(fd)) }); cerr != nil {
			return cerr
		}
		if err != nil {
			return err
		}
		return probe(ctx)
	})
	if err != nil {
		s.DropState()
		return fmt.Errorf("fdstore: state: %w", err)
	}
	atomic.StoreUint64(&s.mem.h.state, number)
	return nil
}

// DropState makes Restored.State, or what PutState kept, void at once, and has systemd forget it. A process that was given a state calls it when
// it begins to do what makes it untrue.
func (s *Store) DropState() {
	atomic.StoreUint64(&s.mem.h.state, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.states {
		s.laterLocked(func(context.Context) { s.complain(removeFD(name)) })
	}
	s.states = nil
}
