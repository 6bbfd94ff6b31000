package ws

import (
	"math/bits"
	"time"
)

// A wheel is one loop's timing wheel: every deadline of every connection of the
// loop, one per connection, at no cost but two pointers in the [Conn]. Level 0
// has 256 slots of one tick, level 1 has 256 slots of 256 ticks (about 17
// minutes in all); what lies further waits in the last slot and is put in again
// from there. A wheel belongs to its loop and is not safe for concurrent use.
type wheel struct {
	now   int64 // the tick up to which slots have been emptied
	slots [2][wheelSlots]*Conn
	used  [2][wheelSlots / 64]uint64 // which slots are not empty
}

const (
	wheelBits  = 8
	wheelSlots = 1 << wheelBits
	wheelTick  = 16 * time.Millisecond
)

// tickOf is the first tick not before the duration since the wheel's beginning.
func tickOf(since time.Duration) int64 {
	return int64((since + wheelTick - 1) / wheelTick)
}

// timer is a connection's place in the wheel.
type timer struct {
	next, prev *Conn // a ring through the slot's connections
	due        int64 // tick
	slot       int16 // level*wheelSlots+slot, plus one; 0: not in the wheel
}

// set (re)arms c's timer to expire at the tick due, or at the next one if that
// has passed.
func (w *wheel) set(c *Conn, due int64) {
	w.stop(c)
	c.timer.due = max(due, w.now+1)
	w.insert(c)
}

func (w *wheel) insert(c *Conn) {
	delta := c.timer.due - w.now
	level, slot := 0, 0
	switch {
	case delta < wheelSlots:
		slot = int(c.timer.due & (wheelSlots - 1))
	case delta < wheelSlots*(wheelSlots-1):
		level, slot = 1, int(c.timer.due>>wheelBits&(wheelSlots-1))
	default:
		level, slot = 1, int(w.now>>wheelBits+wheelSlots-1)&(wheelSlots-1)
	}
	head := w.slots[level][slot]
	if head == nil {
		c.timer.next, c.timer.prev = c, c
		w.slots[level][slot] = c
		w.used[level][slot>>6] |= 1 << (slot & 63)
	} else {
		last := head.timer.prev
		c.timer.next, c.timer.prev = head, last
		last.timer.next, head.timer.prev = c, c
	}
	c.timer.slot = int16(level*wheelSlots + slot + 1)
}

// stop takes c out of the wheel. It does nothing when c is not in it.
func (w *wheel) stop(c *Conn) {
	if c.timer.slot == 0 {
		return
	}
	i := int(c.timer.slot - 1)
	level, slot := i/wheelSlots, i%wheelSlots
	next := c.timer.next
	if next == c {
		w.slots[level][slot] = nil
		w.used[level][slot>>6] &^= 1 << (slot & 63)
	} else {
		c.timer.prev.timer.next = next
		next.timer.prev = c.timer.prev
		if w.slots[level][slot] == c {
			w.slots[level][slot] = next
		}
	}
	c.timer.next, c.timer.prev, c.timer.slot = nil, nil, 0
}

// advance moves the wheel to the tick now and calls expire for each connection
// whose time has come; expire may set or stop any timer.
func (w *wheel) advance(now int64, expire func(*Conn)) {
	for w.now < now {
		// Skip empty slots in one step, up to the next cascade.
		step := w.nextIn(0, now-w.now)
		if edge := wheelSlots - w.now&(wheelSlots-1); step > edge {
			step = edge
		}
		w.now += min(step, now-w.now)
		if w.now&(wheelSlots-1) == 0 {
			w.cascade()
		}
		slot := int(w.now & (wheelSlots - 1))
		for {
			c := w.slots[0][slot]
			if c == nil || c.timer.due > w.now {
				break
			}
			w.stop(c)
			expire(c)
		}
	}
}

// cascade spreads level 1's current slot over level 0.
func (w *wheel) cascade() {
	slot := int(w.now >> wheelBits & (wheelSlots - 1))
	c := w.slots[1][slot]
	w.slots[1][slot] = nil
	w.used[1][slot>>6] &^= 1 << (slot & 63)
	if c == nil {
		return
	}
	c.timer.prev.timer.next = nil // open the ring
	for c != nil {
		next := c.timer.next
		c.timer.slot = 0
		w.insert(c)
		c = next
	}
}

// nextIn returns the distance in ticks from now to the next used slot of a
// level 0 (at least 1), or most when there is none nearer.
func (w *wheel) nextIn(level int, most int64) int64 {
	start := int(w.now+1) & (wheelSlots - 1)
	for d := 0; d < wheelSlots; {
		i := (start + d) & (wheelSlots - 1)
		word := w.used[level][i>>6] >> (i & 63)
		if word != 0 {
			return min(int64(d+bits.TrailingZeros64(word))+1, most)
		}
		d += 64 - i&63
	}
	return most
}

// wait returns how many ticks may pass before advance has work, at most most.
func (w *wheel) wait(most int64) int64 {
	d := w.nextIn(0, most)
	for _, word := range w.used[1] {
		if word != 0 { // a cascade may bring something nearer
			return min(d, wheelSlots-w.now&(wheelSlots-1))
		}
	}
	return d
}
