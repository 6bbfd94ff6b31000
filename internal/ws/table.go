package ws

import (
	"sync"
	"sync/atomic"
)

// fdTable finds the connection of a descriptor. All loops share it, since a
// descriptor is the process's: the slots are atomic because a descriptor that
// one loop closed may be accepted by another the next moment.
type fdTable struct {
	chunks []atomic.Pointer[fdChunk]
	mu     sync.Mutex // guards the making of chunks
}

const fdChunkSize = 4096

type fdChunk [fdChunkSize]atomic.Pointer[Conn]

func newFDTable(limit int) *fdTable {
	return &fdTable{chunks: make([]atomic.Pointer[fdChunk], limit/fdChunkSize+1)}
}

func (t *fdTable) get(fd int32) *Conn {
	if ch := t.chunks[fd/fdChunkSize].Load(); ch != nil {
		return ch[fd%fdChunkSize].Load()
	}
	return nil
}

// set reports false for a descriptor beyond the table.
func (t *fdTable) set(fd int32, c *Conn) bool {
	i := int(fd / fdChunkSize)
	if i >= len(t.chunks) {
		return false
	}
	ch := t.chunks[i].Load()
	if ch == nil {
		t.mu.Lock()
		if ch = t.chunks[i].Load(); ch == nil {
			ch = new(fdChunk)
			t.chunks[i].Store(ch)
		}
		t.mu.Unlock()
	}
	ch[fd%fdChunkSize].Store(c)
	return true
}

// clear does nothing for a descriptor beyond the table.
func (t *fdTable) clear(fd int32) {
	if i := int(fd / fdChunkSize); i < len(t.chunks) {
		t.chunks[i].Load()[fd%fdChunkSize].Store(nil)
	}
}

// each calls f for every connection.
func (t *fdTable) each(f func(*Conn)) {
	for i := range t.chunks {
		ch := t.chunks[i].Load()
		if ch == nil {
			continue
		}
		for j := range ch {
			if c := ch[j].Load(); c != nil {
				f(c)
			}
		}
	}
}
