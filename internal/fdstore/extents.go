package fdstore

import "math/bits"

// extents says which units of the data chunks are in use. Neighbours that are free are one, so nothing is lost to fragments for good.
type extents struct {
	chunks []spaceChunk
	first  int // no chunk below it has room
}

type spaceChunk struct {
	used [unitsPerChunk / 64]uint64 // a bit for each unit
	// room is at least the longest run of free units.
	room int
	next int // word to look at first
}

func (e *extents) grow() {
	e.chunks = append(e.chunks, spaceChunk{room: unitsPerChunk})
}

// alloc takes n units of one chunk.
func (e *extents) alloc(n int) (at uint32, ok bool) {
	for i := e.first; i < len(e.chunks); i++ {
		c := &e.chunks[i]
		if c.room == 0 && i == e.first {
			e.first++
		}
		if c.room < n {
			continue
		}
		if u := c.find(n); u >= 0 {
			c.set(u, n)
			return uint32(i*unitsPerChunk + u), true
		}
	}
	return 0, false
}

// find gives the first of n free units, or -1; then it knows how much room there is.
func (c *spaceChunk) find(n int) int {
	if u, _ := c.scan(c.next, n); u >= 0 {
		c.next = u / 64
		return u
	}
	u, longest := c.scan(0, n)
	if u < 0 {
		c.room = longest
		return -1
	}
	c.next = u / 64
	return u
}

func (c *spaceChunk) scan(word, n int) (at, longest int) {
	run := 0
	for w := word; w < len(c.used); w++ {
		switch c.used[w] {
		case 0:
			run += 64
			if run >= n {
				return w*64 + 64 - run, 0
			}
			longest = max(longest, run)
			continue
		case ^uint64(0):
			run = 0
			continue
		}
		for b := 0; b < 64; {
			rest := c.used[w] >> b
			if rest&1 != 0 {
				b += bits.TrailingZeros64(^rest)
				run = 0
				continue
			}
			free := min(bits.TrailingZeros64(rest), 64-b)
			run += free
			b += free
			if run >= n {
				return w*64 + b - run, 0
			}
			longest = max(longest, run)
		}
	}
	return -1, longest
}

func (c *spaceChunk) set(at, n int) {
	for u := at; u < at+n; {
		w, b := u/64, u%64
		k := min(64-b, at+n-u)
		c.used[w] |= (^uint64(0) >> (64 - k)) << b
		u += k
	}
}

// free gives n units back.
func (e *extents) free(at uint32, n int) {
	i, u := int(at)/unitsPerChunk, int(at)%unitsPerChunk
	c := &e.chunks[i]
	for v := u; v < u+n; {
		w, b := v/64, v%64
		k := min(64-b, u+n-v)
		c.used[w] &^= (^uint64(0) >> (64 - k)) << b
		v += k
	}
	c.room = max(c.room, c.freeBelow(u)+n+c.freeFrom(u+n))
	c.next = min(c.next, u/64)
	e.first = min(e.first, i)
}

// freeFrom is how many units from u on are free.
func (c *spaceChunk) freeFrom(u int) (n int) {
	for w := u / 64; w < len(c.used); w++ {
		rest := c.used[w] >> (u % 64)
		if rest != 0 {
			return n + bits.TrailingZeros64(rest)
		}
		n += 64 - u%64
		u = 0
	}
	return n
}

// freeBelow is how many units right below u are free.
func (c *spaceChunk) freeBelow(u int) (n int) {
	for u > 0 {
		w, b := (u-1)/64, (u-1)%64+1 // b units of word w
		rest := c.used[w] << (64 - b)
		if rest != 0 {
			return n + bits.LeadingZeros64(rest)
		}
		n += b
		u -= b
	}
	return n
}

func (c *spaceChunk) isUsed(u int) bool { return c.used[u/64]>>(u%64)&1 != 0 }

// take marks units as used that a record claims. It reports false when another has them.
func (e *extents) take(at uint32, n int) bool {
	c, u := &e.chunks[int(at)/unitsPerChunk], int(at)%unitsPerChunk
	for v := u; v < u+n; v++ {
		if c.isUsed(v) {
			return false
		}
	}
	c.set(u, n)
	return true
}
