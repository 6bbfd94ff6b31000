package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	maxTokens      = 10_000
	minTokenLength = 16 // of a token in clear: less can be guessed
)

var tokenName = regexp.MustCompile(`^[A-Za-z0-9._@:+-]{1,64}$`)

// tokens are the static tokens, by their hashes.
type tokens struct {
	names []string
	sums  [][sha256.Size]byte
	known map[[sha256.Size]byte]string // names, for finding a token that is there twice
}

// match finds the name of a token. All of them are compared, so that the time
// tells neither which one it is nor how much of one was right.
func (ts *tokens) match(token string) (name string, ok bool) {
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range ts.sums {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(ts.sums[i][:], sum[:]), i, found)
	}
	if found < 0 {
		return "", false
	}
	return ts.names[found], true
}

// read adds the tokens of a file. Errors name a line, never what is in it.
func (ts *tokens) read(path string) error {
	data, err := readSecret(path)
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := ts.add(line, true); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return nil
}

// add reads "NAME TOKEN", if the token may be in clear, or "NAME sha256:HEX".
func (ts *tokens) add(line string, clear bool) error {
	fields := strings.Fields(line)
	if len(fields) != 2 || !tokenName.MatchString(fields[0]) {
		return errors.New("it must be a name (letters, digits and . _ @ : + -) and a token with a blank between them")
	}
	name, token := fields[0], fields[1]
	var sum [sha256.Size]byte
	switch digits, hashed := strings.CutPrefix(token, "sha256:"); {
	case hashed:
		if n, err := hex.Decode(sum[:], []byte(digits[:min(len(digits), 2*len(sum))])); err != nil || n != len(sum) || len(digits) != 2*len(sum) {
			return fmt.Errorf("the hash of %s is not 64 hexadecimal digits", name)
		}
	case !clear:
		return fmt.Errorf("the token of %s must be given as sha256:HEX: a configuration is not kept secret", name)
	case len(token) < minTokenLength:
		return fmt.Errorf("the token of %s has less than %d characters and can be guessed", name, minTokenLength)
	case !validToken(token):
		return fmt.Errorf("the token of %s has characters other than A-Z a-z 0-9 - . _ ~ + / and = at its end", name)
	default:
		sum = sha256.Sum256([]byte(token))
	}
	if other, twice := ts.known[sum]; twice {
		return fmt.Errorf("%s has the token of %s", name, other)
	}
	if len(ts.sums) == maxTokens {
		return fmt.Errorf("there are more than %d tokens", maxTokens)
	}
	if ts.known == nil {
		ts.known = map[[sha256.Size]byte]string{}
	}
	ts.known[sum] = name
	ts.names, ts.sums = append(ts.names, name), append(ts.sums, sum)
	return nil
}
