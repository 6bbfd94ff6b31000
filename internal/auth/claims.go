package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deeply claims may be nested.
const maxDepth = 32

// object reads a JSON object of which there is one reading only: whole, in
// UTF-8, no name twice in any object (RFC 7519, section 4, leaves it to us; two
// parsers that disagree about which one counts are a hole), not nested too deeply
// for whoever reads it after us. Numbers are json.Number.
func object(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	o, err := members(d, 1)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return o, nil
}

func members(d *json.Decoder, depth int) (map[string]any, error) {
	o := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // else it is a syntax error
		if _, twice := o[name]; twice {
			return nil, errors.New("a name comes twice")
		}
		if o[name], err = value(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return o, err
}

func value(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	if delim == '{' {
		return members(d, depth+1)
	}
	list := []any{}
	for d.More() {
		v, err := value(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err = d.Token()
	return list, err
}

// lastDate is the end of the year 9999, in seconds since 1970.
const lastDate = 253402300799

// dates looks at the claims that are dates (RFC 7519, section 2), since
// golang-jwt takes a number that is none for any date.
func dates(claims map[string]any) error {
	for _, name := range []string{"exp", "nbf", "iat"} {
		v, there := claims[name]
		if !there {
			continue
		}
		n, ok := v.(json.Number)
		if f, err := n.Float64(); !ok || err != nil || f < 0 || f > lastDate {
			return errors.New(name + " is no date")
		}
	}
	return nil
}
