package swarm

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"

	"github.com/nvsess/nvsess/bench/wire"
)

// A message of a session is text or binary:
//
//	n=SENDER NUMBER CHECKSUM FILL
//
// The first byte of a binary one is 0xff. The checksum is of all but itself.
const (
	senderAt = 2
	numberAt = senderAt + 8 + 1
	sumAt    = numberAt + 16 + 1
	fillAt   = sumAt + 8 + 1
)

var errCorrupt = errors.New("wrong bytes")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fill is what payloads are cut from: text that DEFLATE makes smaller, but not to
// nothing.
var fill = makeFill(4 << 20)

func makeFill(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(r.Uint32()&15)
	}
	return b
}

// filling gives n bytes of fill that differ from number to number.
func filling(sender uint32, number uint64, n int) []byte {
	h := (uint64(sender)*0x9e3779b97f4a7c15 ^ number*0xbf58476d1ce4e5b9) >> 20
	at := int(h % uint64(len(fill)-n+1))
	return fill[at : at+n]
}

// appendMessage encodes a message of size bytes, or of the least there can be.
func appendMessage(dst []byte, opcode byte, sender uint32, number uint64, size int) []byte {
	from := len(dst)
	first := byte('n')
	if opcode == wire.OpBinary {
		first = 0xff
	}
	dst = append(dst, first, '=')
	dst = appendHex(dst, uint64(sender), 8)
	dst = append(dst, ' ')
	dst = appendHex(dst, number, 16)
	dst = append(dst, " 00000000 "...)
	dst = append(dst, filling(sender, number, max(0, size-fillAt))...)
	b := dst[from:]
	appendHex(b[:sumAt], uint64(checksum(b)), 8)
	return dst
}

func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:sumAt], castagnoli), castagnoli, b[sumAt+8:])
}

// isMessage tells a message from an envelope and a broadcast.
func isMessage(b []byte) bool {
	return len(b) > 1 && (b[0] == 'n' || b[0] == 0xff) && b[1] == '='
}

// parseMessage checks a message and returns who sent it and its number.
func parseMessage(opcode byte, b []byte) (sender uint32, number uint64, err error) {
	if len(b) < fillAt {
		return 0, 0, fmt.Errorf("%w: %.60q", errCorrupt, b)
	}
	from, ok1 := parseHex(b[senderAt : senderAt+8])
	number, ok2 := parseHex(b[numberAt : numberAt+16])
	sum, ok3 := parseHex(b[sumAt : sumAt+8])
	if !ok1 || !ok2 || !ok3 || uint32(sum) != checksum(b) || (b[0] == 0xff) != (opcode == wire.OpBinary) {
		return 0, 0, fmt.Errorf("%w: opcode %d, %d bytes, starts %.60q", errCorrupt, opcode, len(b), b)
	}
	return uint32(from), number, nil
}

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, hexDigits[v>>(4*i)&15])
	}
	return dst
}

func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// castPrefix is how each broadcast begins.
const castPrefix = `{"cast":"`

// castPayload is the broadcast of that number, as JSON that has one spelling
// only.
func castPayload(number uint64, size int) []byte {
	b := appendHex([]byte(castPrefix), number, 16)
	b = append(b, `","fill":"`...)
	b = append(b, filling(0, number, max(0, size-len(b)-2))...)
	return append(b, `"}`...)
}

// castNumber is the number a broadcast says it has.
func castNumber(b []byte) (number uint64, ok bool) {
	if len(b) < len(castPrefix)+16 {
		return 0, false
	}
	return parseHex(b[len(castPrefix) : len(castPrefix)+16])
}
