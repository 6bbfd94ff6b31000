package fdstore

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// perMessage is how many descriptors a message of ours carries. Linux allows 253; with 250 its payload still fits into 4 KiB of a send
	// buffer.
	perMessage  = 250
	mostFDs     = 253
	messageHead = 16 // magic, count, nothing
	entrySize   = 12 // slot, id

	messageMagic = 0x53_46_76_6e // nvFS
)

// sendBuffer is asked for; net.core.wmem_max limits it. A message of 250 takes 4.25 KiB of it, one of up to 10 takes 768 bytes.
var sendBuffer = 4 << 20

// A ring is a queue of messages with descriptors that stay in flight: w is where they are sent, and r is only read from to discard the
// oldest. Both ends are with systemd. Guarded by Store.mu.
type ring struct {
	number  uint64
	hot     bool
	r, w    int // w is -1 if it is lost: nothing can be added any more
	msgs    []*message
	garbage int // descriptors in flight for nothing
	full    bool
	paced   time.Duration // no step for the sake of time before
}

// A message is what a ring has in flight.
type message struct {
	ring  *ring
	slots []uint32 // those whose place is here are alive
	live  int
	dirty time.Duration // when the first died, on the store's clock; 0: none
}

func newRing(number uint64, hot bool) (*ring, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	_ = unix.SetsockoptInt(fds[1], unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	return &ring{number: number, hot: hot, r: fds[0], w: fds[1]}, nil
}

func (r *ring) closeFDs() {
	_ = unix.Close(r.r)
	if r.w >= 0 {
		_ = unix.Close(r.w)
	}
}

// names are those of its ends in systemd's store.
func (r *ring) names(generation uint64) (read, write string) {
	kind := prefixCold
	if r.hot {
		kind = prefixHot
	}
	base := fmt.Sprintf("%s%d.%d.", kind, generation, r.number)
	return base + "r", base + "w"
}

// envelope is room for a message on its way.
type envelope struct {
	payload [messageHead + mostFDs*entrySize]byte
	oob     [unix.SizeofCmsghdr + (mostFDs*4+7)&^7]byte
}

// put adds the i-th descriptor.
func (e *envelope) put(i int, fd int32, slot uint32, id uint64) {
	b := e.payload[messageHead+i*entrySize:]
	binary.NativeEndian.PutUint32(b, slot)
	binary.NativeEndian.PutUint64(b[4:], id)
	binary.NativeEndian.PutUint32(e.oob[unix.SizeofCmsghdr+4*i:], uint32(fd))
}

// send sends n descriptors and does not block.
func (e *envelope) send(fd, n int) error {
	clear(e.payload[:messageHead])
	binary.NativeEndian.PutUint32(e.payload[:], messageMagic)
	binary.NativeEndian.PutUint32(e.payload[4:], uint32(n))
	c := (*unix.Cmsghdr)(unsafe.Pointer(&e.oob))
	c.Level, c.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
	c.SetLen(unix.CmsgLen(4 * n))
	_, err := unix.SendmsgN(fd, e.payload[:messageHead+n*entrySize], e.oob[:unix.CmsgSpace(4*n)], nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return err
}

// entry gives the i-th of a payload.
func entry(payload []byte, i int) (slot uint32, id uint64) {
	b := payload[messageHead+i*entrySize:]
	return binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint64(b[4:])
}

// entries is how many a payload has; it is -1 when it is none of ours.
func entries(payload []byte) int {
	if len(payload) < messageHead || binary.NativeEndian.Uint32(payload) != messageMagic {
		return -1
	}
	n := int(binary.NativeEndian.Uint32(payload[4:]))
	if n > mostFDs || len(payload) != messageHead+n*entrySize {
		return -1
	}
	return n
}

// discard drops the oldest message. The kernel closes what it carries, since there is no room for it.
func (r *ring) discard() error {
	var b [1]byte
	_, _, err := unix.Recvfrom(r.r, b[:], unix.MSG_DONTWAIT)
	return err
}

// peek looks at every message in the ring and takes none. With fds it receives their descriptors, too; short is set when there were more.
func (r *ring) peek(fds bool, each func(payload []byte, fds []int, short bool)) error {
	// The offset belongs to the socket, which outlives us.
	if err := unix.SetsockoptInt(r.r, unix.SOL_SOCKET, unix.SO_PEEK_OFF, 0); err != nil {
		return fmt.Errorf("SO_PEEK_OFF: %w", err)
	}
	defer func() { _ = unix.SetsockoptInt(r.r, unix.SOL_SOCKET, unix.SO_PEEK_OFF, -1) }()
	var e envelope
	var oob []byte
	if fds {
		oob = e.oob[:]
	}
	for range maxMessages {
		n, oobn, flags, _, err := unix.Recvmsg(r.r, e.payload[:], oob, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN || err == nil && n == 0:
			return nil
		case err != nil:
			return fmt.Errorf("recvmsg: %w", err)
		}
		var got []int
		if fds {
			got = rights(e.oob[:oobn])
		}
		payload := e.payload[:n]
		if flags&unix.MSG_TRUNC != 0 {
			payload = nil
		}
		each(payload, got, fds && flags&unix.MSG_CTRUNC != 0)
	}
	return fmt.Errorf("more than %d messages", maxMessages)
}

// maxMessages is more than a send buffer holds.
const maxMessages = 1 << 20

// rights are the descriptors of control messages.
func rights(oob []byte) (fds []int) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if f, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, f...)
		}
	}
	return fds
}
