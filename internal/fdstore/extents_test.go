package fdstore

import (
	"math/rand/v2"
	"testing"
)

// What is given out never overlaps, and what was given back is given out again, whatever the sizes.
func TestExtentsAreNeverGivenOutTwice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var e extents
	e.grow()
	type run struct {
		at uint32
		n  int
	}
	var held []run
	owner := map[uint32]bool{}
	inUse, refused := 0, 0
	for range 200000 {
		if len(held) > 0 && (rnd.IntN(2) == 0 || inUse > 3*unitsPerChunk) {
			i := rnd.IntN(len(held))
			r := held[i]
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
			e.free(r.at, r.n)
			for u := r.at; u < r.at+uint32(r.n); u++ {
				delete(owner, u)
			}
			inUse -= r.n
			continue
		}
		n := 1 + rnd.IntN(20)
		if rnd.IntN(50) == 0 {
			n = 1 + rnd.IntN(unitsFor(MaxData))
		}
		at, ok := e.alloc(n)
		if !ok {
			refused++
			e.grow()
			if at, ok = e.alloc(n); !ok {
				t.Fatalf("an empty chunk has no room for %d", n)
			}
		}
		if at/unitsPerChunk != (at+uint32(n)-1)/unitsPerChunk {
			t.Fatalf("%d units at %d span chunks", n, at)
		}
		for u := at; u < at+uint32(n); u++ {
			if owner[u] {
				t.Fatalf("unit %d was given out twice", u)
			}
			owner[u] = true
		}
		held = append(held, run{at, n})
		inUse += n
	}
	for i := range e.chunks {
		c := &e.chunks[i]
		for u := range unitsPerChunk {
			above, below := u, u
			for above < unitsPerChunk && !c.isUsed(above) {
				above++
			}
			for below > 0 && !c.isUsed(below-1) {
				below--
			}
			if c.freeFrom(u) != above-u || c.freeBelow(u) != u-below {
				t.Fatalf("around %d are %d and %d free, not %d and %d", u, c.freeBelow(u), c.freeFrom(u), u-below, above-u)
			}
		}
	}
	if refused == 0 {
		t.Error("it was never full")
	}
	if len(e.chunks) > 8 {
		t.Errorf("%d chunks for at most 3 that are in use", len(e.chunks))
	}
	for _, r := range held {
		e.free(r.at, r.n)
	}
	chunks := len(e.chunks)
	for range chunks {
		if _, ok := e.alloc(unitsPerChunk); !ok {
			t.Fatal("a chunk that is empty again has no room for a whole one")
		}
	}
	if _, ok := e.alloc(1); ok {
		t.Error("there was more than there is")
	}
}
