package client

import "sync"

// inboxLen is how many messages may wait for handlers; their bytes are bounded
// by the message limit.
const inboxLen = 64

// inbox holds messages on their way from the reader to the handlers. Empty, it
// holds no memory and no goroutine: whoever puts the first message into it
// starts the one that takes them out, which ends with the last.
type inbox struct {
	maxBytes int

	mu     sync.Mutex // guards what follows; a leaf
	items  []item     // those from head on wait
	head   int
	bytes  int           // of those that wait, and of the one being handled
	taking bool          // a goroutine takes messages out
	over   bool          // no message will follow
	room   chan struct{} // closed when a message was handled; nil: nobody waits for that
}

// put adds a message, waiting for room until quit closes. It tells whether the
// caller has to start the goroutine that takes messages out.
func (b *inbox) put(it item, quit <-chan struct{}) (start bool) {
	for {
		select {
		case <-quit:
			return false
		default:
		}
		b.mu.Lock()
		if b.fitsLocked(len(it.payload)) {
			break
		}
		if b.room == nil {
			b.room = make(chan struct{})
		}
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-quit:
		}
	}
	defer b.mu.Unlock()
	if b.head > 0 && len(b.items) == cap(b.items) {
		n := copy(b.items, b.items[b.head:])
		clear(b.items[n:])
		b.items, b.head = b.items[:n], 0
	}
	b.items = append(b.items, it)
	b.bytes += len(it.payload)
	start, b.taking = !b.taking, true
	return start
}

// fitsLocked: a message of any size fits when nothing else is there.
func (b *inbox) fitsLocked(size int) bool {
	return len(b.items)-b.head < inboxLen && (b.bytes == 0 || b.bytes+size <= b.maxBytes)
}

// take gives the next message. When there is none, the caller stops taking: for
// good if it is over.
func (b *inbox) take() (it item, ok, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head < len(b.items) {
		it, b.items[b.head] = b.items[b.head], item{}
		b.head++
		return it, true, false
	}
	b.items, b.head = nil, 0
	b.taking = b.over
	return item{}, false, b.over
}

// handled makes room: a message of that size has been dealt with.
func (b *inbox) handled(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= size
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// end says that no message will follow. It tells whether the caller has to take
// out what is left, because nobody does.
func (b *inbox) end() (take bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	take, b.taking = !b.taking, true
	return take
}

// size is the bytes of the messages that wait, and of the one being handled.
func (b *inbox) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}
