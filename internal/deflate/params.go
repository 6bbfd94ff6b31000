package deflate

import (
	"errors"
	"fmt"
	"strconv"
)

const (
	minBits = 8
	maxBits = 15

	name = "permessage-deflate"
	snct = "server_no_context_takeover"
	cnct = "client_no_context_takeover"
	smwb = "server_max_window_bits"
	cmwb = "client_max_window_bits"
)

// Params is what both sides agreed on. Bits are 8..15, the base-2 logarithm of
// the window in bytes.
type Params struct {
	ServerNoContextTakeover, ClientNoContextTakeover bool
	ServerMaxWindowBits, ClientMaxWindowBits         uint8
}

// Options is what this side wants. The zero value, and nil: no context
// takeover, windows of up to 15 bits.
type Options struct {
	// ServerContextTakeover and ClientContextTakeover say whether a direction
	// may keep its window from one message to the next.
	ServerContextTakeover, ClientContextTakeover bool

	// ServerWindowBits and ClientWindowBits are the largest windows to agree
	// to, 8..15; 0 is 15.
	ServerWindowBits, ClientWindowBits int
}

// Wrong returns an error that says which field is out of its range, or nil.
func (o *Options) Wrong() error {
	for _, f := range []struct {
		name string
		bits int
	}{{"ServerWindowBits", o.ServerWindowBits}, {"ClientWindowBits", o.ClientWindowBits}} {
		if f.bits != 0 && (f.bits < minBits || f.bits > maxBits) {
			return fmt.Errorf("deflate: %s is %d, want 8 to 15", f.name, f.bits)
		}
	}
	return nil
}

func orMax(bits int) uint8 {
	if bits == 0 {
		return maxBits
	}
	return uint8(min(max(bits, minBits), maxBits))
}

// Accept is the server's part: fields are the values of all
// Sec-WebSocket-Extensions fields, in order. The first offer that can be
// agreed to wins (RFC 7692, 5). An offer with a parameter that is unknown,
// given twice, or has a wrong value is declined, and so is one that cannot
// promise a client's window as small as wanted (7.1, 7.1.2.2); extensions of
// other names are passed over. Names count as spelled. answer is the value of
// the response's field.
//
// Of a list that is malformed nothing is accepted; RFC 6455, 9.1, wants the
// handshake to fail then, which [Malformed] is for.
func Accept(fields [][]byte, o *Options) (p Params, answer string, ok bool) {
	if o == nil {
		o = new(Options)
	}
	if len(fields) == 0 || Malformed(fields) {
		return Params{}, "", false
	}
	l := list{fields: fields}
	for e, more := l.next(); more; e, more = l.next() {
		if !e.deflate || e.invalid || !o.accepts(e) {
			continue
		}
		p = o.agree(e)
		return p, p.say(e.serverBits.given, e.clientBits.value != 0), true
	}
	return Params{}, "", false
}

// Malformed reports that the fields' values break the grammar of RFC 6455, 9.1:
// whoever receives them must fail the connection, whether or not it knows any
// extension.
func Malformed(fields [][]byte) bool {
	l := list{fields: fields, some: len(fields) == 0}
	for _, more := l.next(); more; _, more = l.next() {
	}
	return l.malformed
}

// accepts reports whether the offer lets the client's window be as small as
// wanted: only a client that sent client_max_window_bits can be told.
func (o *Options) accepts(e extension) bool {
	return e.clientBits.given || orMax(o.ClientWindowBits) == maxBits
}

func (o *Options) agree(e extension) Params {
	return Params{
		ServerNoContextTakeover: e.serverNoTakeover || !o.ServerContextTakeover,
		ClientNoContextTakeover: e.clientNoTakeover || !o.ClientContextTakeover,
		ServerMaxWindowBits:     min(e.serverBits.orMax(), orMax(o.ServerWindowBits)),
		ClientMaxWindowBits:     min(e.clientBits.orMax(), orMax(o.ClientWindowBits)),
	}
}

// String is p in the words of the handshake.
func (p Params) String() string { return p.say(false, false) }

// say tells all that differs from the defaults, and bits that the offer demands
// to be told.
func (p Params) say(serverBits, clientBits bool) string {
	s := name
	if p.ServerNoContextTakeover {
		s += "; " + snct
	}
	if p.ClientNoContextTakeover {
		s += "; " + cnct
	}
	if serverBits || p.ServerMaxWindowBits < maxBits {
		s += "; " + smwb + "=" + strconv.Itoa(int(p.ServerMaxWindowBits))
	}
	if clientBits || p.ClientMaxWindowBits < maxBits {
		s += "; " + cmwb + "=" + strconv.Itoa(int(p.ClientMaxWindowBits))
	}
	return s
}

// Offer is the client's request: the value of its Sec-WebSocket-Extensions
// field. client_max_window_bits is always in it, since any can be honoured.
func (o *Options) Offer() string {
	if o == nil {
		o = new(Options)
	}
	s := name
	if !o.ServerContextTakeover {
		s += "; " + snct
	}
	if !o.ClientContextTakeover {
		s += "; " + cnct
	}
	if b := orMax(o.ServerWindowBits); b < maxBits {
		s += "; " + smwb + "=" + strconv.Itoa(int(b))
	}
	s += "; " + cmwb
	if b := orMax(o.ClientWindowBits); b < maxBits {
		s += "=" + strconv.Itoa(int(b))
	}
	return s
}

// Why a client must fail the connection over the server's answer.
var (
	errMalformed = errors.New("deflate: Sec-WebSocket-Extensions is malformed (RFC 6455, 9.1)")
	errOther     = errors.New("deflate: the server chose an extension that was not offered (RFC 6455, 4.1)")
	errTwice     = errors.New("deflate: the server accepted permessage-deflate twice")
	errInvalid   = errors.New("deflate: the server's answer has a parameter that is unknown, given twice or wrong (RFC 7692, 7.1)")
	errTakeover  = errors.New("deflate: the answer lacks the server_no_context_takeover offered (RFC 7692, 7.1.1.1)")
	errBits      = errors.New("deflate: the answer's server_max_window_bits is missing or greater than offered (RFC 7692, 7.1.2.1)")
)

// ParseAnswer is the client's part, after it sent [Options.Offer] of the same
// Options: fields are the values of all Sec-WebSocket-Extensions fields of the
// answer. ok is false when the server declined. After an error the connection
// must be failed.
func ParseAnswer(fields []string, o *Options) (p Params, ok bool, err error) {
	if o == nil {
		o = new(Options)
	}
	l := list{some: len(fields) == 0}
	for _, f := range fields {
		l.fields = append(l.fields, []byte(f))
	}
	var chosen extension
	for e, more := l.next(); more; e, more = l.next() {
		switch {
		case !e.deflate:
			err = errOther
		case chosen.deflate:
			err = errTwice
		}
		chosen = e
	}
	switch {
	case l.malformed:
		return Params{}, false, errMalformed
	case err != nil || !chosen.deflate:
		return Params{}, false, err
	}
	if err := o.judge(chosen); err != nil {
		return Params{}, false, err
	}
	return o.agree(chosen), true, nil
}

// judge says what is wrong with the server's answer to Offer. A value of
// client_max_window_bits above the one offered is none: the client said that it
// will not use more, and does not.
func (o *Options) judge(e extension) error {
	bits := orMax(o.ServerWindowBits)
	switch {
	case e.invalid || e.clientBits.given && e.clientBits.value == 0:
		return errInvalid
	case !o.ServerContextTakeover && !e.serverNoTakeover:
		return errTakeover
	case bits < maxBits && !e.serverBits.given || e.serverBits.value > bits:
		return errBits
	}
	return nil
}
