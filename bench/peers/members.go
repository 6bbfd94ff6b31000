package main

import "sync"

// members is the set of open connections of a server.
type members[T comparable] struct {
	mu  sync.RWMutex // guards set
	set map[T]struct{}
}

func newMembers[T comparable]() *members[T] {
	return &members[T]{set: map[T]struct{}{}}
}

func (m *members[T]) add(c T) {
	m.mu.Lock()
	m.set[c] = struct{}{}
	m.mu.Unlock()
}

func (m *members[T]) remove(c T) {
	m.mu.Lock()
	delete(m.set, c)
	m.mu.Unlock()
}

// each calls f for all of them. Members may not come or go meanwhile: f only
// writes, and a writer that fails leaves its removal to the reading side.
func (m *members[T]) each(f func(T)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for c := range m.set {
		f(c)
	}
}
