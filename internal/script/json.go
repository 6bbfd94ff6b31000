package script

import (
	"crypto/rand"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// infinity stands for a number that is too large, in JSON for goja, which
// refuses such a number where JavaScript has Infinity. Nobody can know it.
var infinity = "Infinity " + rand.Text()

// readable looks at JSON before goja's parser does: whether it is nested deeper
// than its stack may get, and which numbers it would refuse. It gives text
// itself unless there are any.
func readable(text string) (fit string, tooDeep bool) {
	var out strings.Builder
	n, kept := 0, 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			i = stringEnd(text, i)
			continue
		case c == '[', c == '{':
			if n++; n > maxDepth {
				return "", true
			}
		case c == ']', c == '}':
			n--
		case c == '-', '0' <= c && c <= '9':
			end := i + 1
			for end < len(text) && strings.IndexByte("+-.eE0123456789", text[end]) >= 0 {
				end++
			}
			if stand := standIn(text[i:end]); stand != "" {
				out.WriteString(text[kept:i] + stand)
				kept = end
			}
			i = end
			continue
		}
		i++
	}
	if kept == 0 {
		return text, false
	}
	out.WriteString(text[kept:])
	return out.String(), false
}

// stringEnd is the index after the string that begins at text[i].
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// standIn is what stands for a number that is too large; "" for any other.
func standIn(number string) string {
	if len(number) < 300 && !strings.ContainsAny(number, "eE") {
		return ""
	}
	f, _ := strconv.ParseFloat(number, 64)
	if !math.IsInf(f, 0) || !json.Valid([]byte(number)) {
		return ""
	}
	if f < 0 {
		return `"-` + infinity + `"`
	}
	return `"` + infinity + `"`
}

// readableValue is readable for JavaScript: true for a text that is fit as it
// is, null for one that is nested too deeply.
func readableValue(text string) any {
	fit, tooDeep := readable(text)
	switch {
	case tooDeep:
		return nil
	case fit == text:
		return true
	}
	return fit
}
