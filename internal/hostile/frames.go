package hostile

import "encoding/binary"

const (
	opCont   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa

	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// frame makes a server's frame of a first byte and a payload.
func frame(first byte, payload string) []byte {
	return append(header(first, len(payload)), payload...)
}

func header(first byte, n int) []byte {
	switch {
	case n < 126:
		return []byte{first, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))
	}
	return long(first, uint64(n))
}

// long makes a header with a length of eight bytes.
func long(first byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{first, 127}, n)
}

func text(s string) []byte { return frame(fin|opText, s) }

// closing makes a close frame.
func closing(code int, reason string) []byte {
	return frame(fin|opClose, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
