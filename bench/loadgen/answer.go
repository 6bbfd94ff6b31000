package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// answerPrefix begins what a server sends that answers each message: an object
// whose one member is the message's own "n".
var answerPrefix = []byte(`{"answer":"`)

// answerTo gives the number of the message that b answers. Every byte of it must
// be right.
func answerTo(b []byte, sender uint32) (seq uint64, err error) {
	digits, ok := bytes.CutSuffix(b[len(answerPrefix):], []byte(`"}`))
	from, isFrom := bytes.CutPrefix(digits, fmt.Appendf(nil, "%0*x", senderDigits, sender))
	if !ok || !isFrom || len(from) != seqDigits {
		return 0, fmt.Errorf("%w: %.80q is no answer to connection %d", errCorrupt, b, sender)
	}
	seq, err = strconv.ParseUint(string(from), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.80q", errCorrupt, b)
	}
	return seq, nil
}
