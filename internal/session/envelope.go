package session

import (
	"bytes"
	"encoding/json"
)

// envelope is an incoming JSON object that has a type. It points into the
// message and is valid as long as that.
type envelope struct {
	typ  string // one of the constants, or "" for an unknown type
	id   []byte // without quotes; nil when absent or no string
	data []byte // JSON; nil when absent
}

// isJSON reports whether a text message counts as JSON: a valid object or
// array. Anything else (a bare number, a string, null, broken JSON) is a
// string.
func isJSON(text []byte) bool {
	i := skipBlanks(text, 0)
	return i < len(text) && (text[i] == '{' || text[i] == '[') && json.Valid(text)
}

// parseEnvelope reads a text message that may be an envelope. ok is false when
// it is none: not a JSON object, without a type, or of a type the protocol does
// not know, which makes it ordinary JSON.
//
// The bytes are looked at closely only if they can be one. Keys count after
// their escapes are resolved, the last of equal keys counts, and case matters,
// as in JavaScript (encoding/json would ignore case).
func parseEnvelope(text []byte) (env envelope, ok bool) {
	i := skipBlanks(text, 0)
	if i >= len(text) || text[i] != '{' || !mayNameType(text) || !json.Valid(text) {
		return env, false
	}
	// The text is valid JSON from here on, so the walk needs no checks.
	for i = skipBlanks(text, i+1); text[i] != '}'; {
		keyEnd := skipString(text, i)
		key := text[i+1 : keyEnd-1]
		i = skipBlanks(text, skipBlanks(text, keyEnd)+1) // the colon
		end := skipValue(text, i)
		value := text[i:end]
		switch {
		case nameIs(key, keyType):
			env.typ = ""
			if s, isString := unquote(value); isString {
				env.typ = knownType(s)
			}
		case nameIs(key, keyID):
			env.id, _ = unquote(value)
		case nameIs(key, keyData):
			env.data = value
		}
		if i = skipBlanks(text, end); text[i] == ',' {
			i = skipBlanks(text, i+1)
		}
	}
	return env, env.typ != ""
}

// mayNameType rules out at the speed of memory what cannot contain the type
// key, escaped or not.
func mayNameType(text []byte) bool {
	return bytes.Contains(text, []byte(keyType)) || bytes.IndexByte(text, '\\') >= 0
}

func knownType(s []byte) string {
	switch string(s) {
	case typeCfg:
		return typeCfg
	case typePing:
		return typePing
	case typePong:
		return typePong
	case typeCreq:
		return typeCreq
	case typeSres:
		return typeSres
	case typeSreq:
		return typeSreq
	case typeCres:
		return typeCres
	}
	return ""
}

// nameIs compares a raw key (without quotes) with a name.
func nameIs(raw []byte, name string) bool {
	if string(raw) == name {
		return true
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return false
	}
	s, _ := unescape(raw)
	return string(s) == name
}

// unquote returns a JSON string's contents; ok is false for another value.
func unquote(value []byte) (s []byte, ok bool) {
	if value[0] != '"' {
		return nil, false
	}
	raw := value[1 : len(value)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, true
	}
	return unescape(raw)
}

func unescape(raw []byte) ([]byte, bool) {
	var s string
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	if json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

func skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at b[i].
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the index after the value that begins at b[i].
func skipValue(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default: // a number or a literal
			for i < len(b) && (b[i] == '-' || b[i] == '+' || b[i] == '.' || '0' <= b[i] && b[i] <= '9' || 'A' <= b[i] && b[i] <= 'z' && b[i] != ']') {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}
