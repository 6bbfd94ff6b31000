package deflate

// extension is one element of Sec-WebSocket-Extensions. Of extensions other
// than permessage-deflate nothing but their grammar is looked at.
type extension struct {
	deflate bool // it is permessage-deflate
	invalid bool // a parameter is unknown, given twice, or has a wrong value

	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             windowBits
}

type windowBits struct {
	given bool
	value uint8 // 8..15; 0: without a value
}

func (b windowBits) orMax() uint8 {
	if b.value == 0 {
		return maxBits
	}
	return b.value
}

// add takes one parameter of permessage-deflate (RFC 7692, 7.1). value is nil
// if there is none.
func (e *extension) add(param, value []byte) {
	twice, wrong := false, false
	switch string(param) {
	case snct:
		twice, wrong = e.serverNoTakeover, value != nil
		e.serverNoTakeover = true
	case cnct:
		twice, wrong = e.clientNoTakeover, value != nil
		e.clientNoTakeover = true
	case smwb:
		twice = e.serverBits.given
		e.serverBits, wrong = parseBits(value)
		wrong = wrong || value == nil
	case cmwb:
		twice = e.clientBits.given
		e.clientBits, wrong = parseBits(value)
	default:
		wrong = true
	}
	e.invalid = e.invalid || twice || wrong
}

// parseBits reads a decimal number from 8 to 15 without leading zeros (RFC
// 7692, 7.1.2), or no value.
func parseBits(value []byte) (b windowBits, wrong bool) {
	b.given = true
	switch {
	case value == nil:
	case len(value) == 1 && (value[0] == '8' || value[0] == '9'):
		b.value = value[0] - '0'
	case len(value) == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5':
		b.value = 10 + value[1] - '0'
	default:
		wrong = true
	}
	return b, wrong
}

// list reads the elements of Sec-WebSocket-Extensions from all fields of that
// name, which are one list (RFC 6455, 9.1). As RFC 2616, which its grammar is
// written in, has it (2.1), elements may be empty if not all are, and blanks may
// stand between tokens.
type list struct {
	fields    [][]byte
	at        int    // where in fields[0] to go on
	malformed bool   // the grammar is broken: there is no next
	some      bool   // an element was found, without which the list is malformed
	unquoted  []byte // reused
}

// next returns the next element; false: there is none.
func (l *list) next() (e extension, ok bool) {
	for len(l.fields) > 0 && !l.malformed {
		l.blanks()
		switch {
		case l.at == len(l.fields[0]):
			l.fields, l.at = l.fields[1:], 0
		case l.skip(','):
		default:
			e, l.some = l.element(), true
			return e, !l.malformed
		}
	}
	l.malformed = l.malformed || !l.some
	return e, false
}

func (l *list) element() (e extension) {
	e.deflate = string(l.token()) == name
	for l.blanks(); l.skip(';'); l.blanks() {
		l.blanks()
		param := l.token()
		var value []byte
		if l.blanks(); l.skip('=') {
			l.blanks()
			value = l.value()
		}
		if l.malformed {
			return e
		}
		if e.deflate {
			e.add(param, value)
		}
	}
	if l.at < len(l.fields[0]) && !l.skip(',') {
		l.malformed = true
	}
	return e
}

// value reads a token, or a quoted string that is one when unquoted.
func (l *list) value() []byte {
	if !l.skip('"') {
		return l.token()
	}
	l.unquoted = l.unquoted[:0]
	for f := l.fields[0]; l.at < len(f); l.at++ {
		c := f[l.at]
		if c == '"' {
			l.at++
			l.malformed = l.malformed || len(l.unquoted) == 0
			return l.unquoted
		}
		if c == '\\' && l.at+1 < len(f) {
			l.at++
			c = f[l.at]
		}
		if !isToken(c) {
			break
		}
		l.unquoted = append(l.unquoted, c)
	}
	l.malformed = true
	return nil
}

func (l *list) token() []byte {
	f, from := l.fields[0], l.at
	for l.at < len(f) && isToken(f[l.at]) {
		l.at++
	}
	l.malformed = l.malformed || l.at == from
	return f[from:l.at]
}

func (l *list) blanks() {
	for f := l.fields[0]; l.at < len(f) && (f[l.at] == ' ' || f[l.at] == '\t'); l.at++ {
	}
}

func (l *list) skip(c byte) bool {
	if f := l.fields[0]; l.at < len(f) && f[l.at] == c {
		l.at++
		return true
	}
	return false
}

// isToken reports a byte of a token (RFC 2616, 2.2): visible ASCII that is no
// separator.
func isToken(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=', '{', '}':
		return false
	}
	return c > ' ' && c < 0x7f
}
