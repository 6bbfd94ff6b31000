package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"sync"
)

// The legacy spellings of nv-session-simple's wire protocol. Nothing outside
// this file spells them.
//
// An envelope is a JSON object in a text message:
//
//	{"___type___": T, "___id___": ID, "___data___": DATA}
const (
	keyType = "___type___"
	keyID   = "___id___"
	keyData = "___data___"

	typeCfg  = "___cfg___"  // both ways, once after connecting; no id
	typePing = "___ping___" // application keepalive; data is the interval in ms, as a string
	typePong = "___pong___" // its answer, under a new id
	typeCreq = "___creq___" // a client's request
	typeSres = "___sres___" // the server's answer
	typeSreq = "___sreq___" // the server's request
	typeCres = "___cres___" // a client's answer
)

// An ID names a session or a request: 48 random bytes, on the wire 64
// characters of the URL-safe alphabet (as nanoid(64) gives).
type ID [48]byte

// idLen is the length of an ID on the wire.
const idLen = 64

// newID returns an ID that nobody can guess.
func newID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// parseID reads an ID from its 64 characters.
func parseID(s []byte) (id ID, ok bool) {
	if len(s) != idLen {
		return id, false
	}
	n, err := base64.RawURLEncoding.Decode(id[:], s)
	return id, err == nil && n == len(id)
}

// key is what the registry's table is indexed by: the ID is random throughout.
func (id ID) key() uint64 { return binary.LittleEndian.Uint64(id[:]) }

// appendEnvelope encodes an envelope whose data is JSON already.
func appendEnvelope(dst []byte, typ string, id ID, data []byte) []byte {
	dst = append(dst, `{"`+keyType+`":"`...)
	dst = append(dst, typ...)
	dst = append(dst, `","`+keyID+`":"`...)
	dst = base64.RawURLEncoding.AppendEncode(dst, id[:])
	dst = append(dst, `","`+keyData+`":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}

// appendCfg encodes what a server says after connecting.
func appendCfg(dst []byte, session ID, intervalMS int64) []byte {
	dst = append(dst, `{"`+keyType+`":"`+typeCfg+`","`+keyData+`":{"sessid":"`...)
	dst = base64.RawURLEncoding.AppendEncode(dst, session[:])
	dst = append(dst, `","keepaliveInterval":`...)
	dst = strconv.AppendInt(dst, intervalMS, 10)
	return append(dst, "}}"...)
}

// appendKeepalive encodes a ping or pong envelope. Its id only has to be new,
// not secret.
func appendKeepalive(dst []byte, typ string, intervalMS int64) []byte {
	var data [24]byte
	q := strconv.AppendInt(append(data[:0], '"'), intervalMS, 10)
	return appendEnvelope(dst, typ, cheapID(), append(q, '"'))
}

// cheapIDs are made of a random part that is renewed now and then, and a
// counter.
var cheapIDs struct {
	mu   sync.Mutex // guards the rest
	base ID
	n    uint64
}

func cheapID() ID {
	cheapIDs.mu.Lock()
	defer cheapIDs.mu.Unlock()
	if cheapIDs.n&0xffff == 0 {
		cheapIDs.base = newID()
	}
	cheapIDs.n++
	id := cheapIDs.base
	binary.LittleEndian.PutUint64(id[40:], binary.LittleEndian.Uint64(id[40:])+cheapIDs.n*0x9e3779b97f4a7c15)
	return id
}

// scratch lends buffers for encoding messages that are copied when they are
// sent.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}
