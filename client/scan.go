package client

import (
	"bytes"
	"encoding/json"
	"iter"
)

// members gives the keys and values of a JSON object, as they are spelled.
// object must be valid JSON.
func members(object []byte) iter.Seq2[json.RawMessage, json.RawMessage] {
	return func(yield func(key, value json.RawMessage) bool) {
		i := skipBlanks(object, 0)
		if object[i] != '{' {
			return
		}
		for i = skipBlanks(object, i+1); object[i] != '}'; {
			keyEnd := skipString(object, i)
			begin := skipBlanks(object, skipBlanks(object, keyEnd)+1) // the colon
			end := skipValue(object, begin)
			if !yield(object[i:keyEnd:keyEnd], object[begin:end:end]) {
				return
			}
			if i = skipBlanks(object, end); object[i] == ',' {
				i = skipBlanks(object, i+1)
			}
		}
	}
}

// jsonString gives the string raw holds, or "" if it holds anything else.
func jsonString(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	if plain := raw[1 : len(raw)-1]; isPlain(plain) {
		return string(plain)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // "" then
	return s
}

// isPlain tells whether s is the same with and without JSON's quotes.
func isPlain[T string | json.RawMessage](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString gives the index after the string that begins at b[i].
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue gives the index after the value that begins at b[i].
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; ; {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if i++; depth == 0 {
				return i
			}
		}
	}
	if n := bytes.IndexAny(b[i:], ",]} \t\r\n"); n >= 0 {
		return i + n
	}
	return len(b)
}
