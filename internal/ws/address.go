package ws

import (
	"net/netip"
	"sync"
	"time"
)

// addressKey is what is counted as one client: an IPv4 address, or the /64 that
// an IPv6 address is of, of which anybody has a whole one.
type addressKey netip.Addr

// nat64 are IPv4 addresses as a translator shows them (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func keyOf(a netip.Addr) addressKey {
	switch a = a.Unmap().WithZone(""); {
	case a.Is4():
	case nat64.Contains(a):
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	default:
		p, _ := a.Prefix(64)
		a = p.Addr()
	}
	return addressKey(a)
}

func (k addressKey) String() string {
	if a := netip.Addr(k); !a.Is4() {
		return netip.PrefixFrom(a, 64).String()
	}
	return netip.Addr(k).String()
}

// An address is what the clients of one address have. All fields but the key
// are guarded by the table's lock.
type address struct {
	key      addressKey
	refs     int           // connections that point here
	conns    int           // those that were counted when they were accepted
	sessions int           // and those that have, or are about to have, a session
	tat      time.Duration // of its handshakes

	next, prev *address // among the idle ones
}

// addresses is the table of all addresses with a connection, and of idle ones
// whose handshakes' bucket is not full yet, the longest idle first. Of the
// latter it keeps at most maxIdleAddresses and forgets the first ones: those
// begin anew with a full bucket. So its size is bounded by the descriptors,
// whatever number of addresses a flood comes from.
type addresses struct {
	mu         sync.Mutex // guards what follows; a leaf
	handshakes *bucket
	m          map[addressKey]*address
	idle       address // head of a ring
	n          int     // idle ones
}

const maxIdleAddresses = 1 << 14

func newAddresses(handshakes *bucket) *addresses {
	t := &addresses{handshakes: handshakes, m: make(map[addressKey]*address)}
	t.idle.next, t.idle.prev = &t.idle, &t.idle
	return t
}

// pointLocked returns an address for one more connection to point to.
func (t *addresses) pointLocked(k addressKey) *address {
	a := t.m[k]
	switch {
	case a == nil:
		a = &address{key: k}
		t.m[k] = a
	case a.refs == 0:
		t.unlinkLocked(a)
	}
	a.refs++
	return a
}

// dropLocked is the end of a connection that points to a.
func (t *addresses) dropLocked(a *address, now time.Duration) {
	if a.refs--; a.refs > 0 {
		return
	}
	if t.handshakes.full(a.tat, now) {
		delete(t.m, a.key)
	} else {
		last := t.idle.prev
		a.prev, a.next = last, &t.idle
		last.next, t.idle.prev = a, a
		t.n++
	}
	t.trimLocked(now)
}

// trimLocked forgets idle ones that have nothing worth keeping, from the first
// up to one that has, and those beyond the bound.
func (t *addresses) trimLocked(now time.Duration) {
	for t.n > 0 {
		a := t.idle.next
		if t.n <= maxIdleAddresses && !t.handshakes.full(a.tat, now) {
			return
		}
		t.unlinkLocked(a)
		delete(t.m, a.key)
	}
}

func (t *addresses) unlinkLocked(a *address) {
	a.prev.next, a.next.prev = a.next, a.prev
	a.next, a.prev = nil, nil
	t.n--
}

// tracked is the number of addresses in the table.
func (t *addresses) tracked(now time.Duration) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trimLocked(now)
	return len(t.m)
}
