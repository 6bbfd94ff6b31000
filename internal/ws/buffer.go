package ws

import (
	"math/bits"
	"sync"
)

// A buffer is a pooled byte slice that grows by powers of two. Idle connections
// hold none. A nil *buffer is an empty one.
type buffer struct {
	b       []byte
	counted int // of its capacity, in inUse
}

const (
	minBufferBits = 9  // 512 B
	maxBufferBits = 20 // 1 MiB; a larger one is left to the garbage collector
)

var bufferPools [maxBufferBits + 1]sync.Pool

// getBuffer returns an empty buffer with room for n bytes.
func getBuffer(n int) *buffer {
	class := max(minBufferBits, bits.Len(uint(max(n, 1)-1)))
	var x *buffer
	if class <= maxBufferBits {
		x, _ = bufferPools[class].Get().(*buffer)
	}
	if x == nil {
		x = &buffer{b: make([]byte, 0, 1<<class)}
	}
	if class >= countedBits {
		x.counted = 1 << class
		inUse.Add(int64(x.counted))
	}
	return x
}

// free gives the buffer back. Nobody may hold a slice of it afterwards.
func (x *buffer) free() {
	if x == nil {
		return
	}
	if x.counted > 0 {
		inUse.Add(-int64(x.counted))
		x.counted = 0
	}
	class := bits.Len(uint(cap(x.b))) - 1
	if class <= maxBufferBits && cap(x.b) == 1<<class {
		x.b = x.b[:0]
		bufferPools[class].Put(x)
	}
}

func (x *buffer) len() int {
	if x == nil {
		return 0
	}
	return len(x.b)
}

// size is its capacity.
func (x *buffer) size() int {
	if x == nil {
		return 0
	}
	return cap(x.b)
}

func (x *buffer) bytes() []byte {
	if x == nil {
		return nil
	}
	return x.b
}

// append adds p, moving to a larger buffer when it must, and returns the
// buffer that holds the whole.
func (x *buffer) append(p []byte) *buffer {
	x = x.reserve(len(p))
	x.b = append(x.b, p...)
	return x
}

// reserve returns a buffer with the same bytes and room for n more.
func (x *buffer) reserve(n int) *buffer {
	if x == nil {
		return getBuffer(n)
	}
	if cap(x.b)-len(x.b) >= n {
		return x
	}
	y := getBuffer(len(x.b) + n)
	y.b = append(y.b, x.b...)
	x.free()
	return y
}

var partialPool = sync.Pool{New: func() any { return new(partial) }}

func getPartial() *partial { return partialPool.Get().(*partial) }

func putPartial(p *partial) {
	*p = partial{}
	partialPool.Put(p)
}
