package config

import (
	"encoding"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A kind is a sort of value: how it is read from TOML, what it may be, how it is written.
type kind[T any] struct {
	allowed string // put to the person who wrote something else
	decode  func(any) (T, error)
	check   func(T) error
	format  func(T) string // as TOML
}

// A key is one key of the file, or of a table T that the file has a list of.
type key[T any] struct {
	name    string // dotted
	allowed string
	set     func(*T, any) error // the value is as the TOML decoder gives it
	check   func(*T) error
	format  func(*T) string
	value   func(*T) any
	copy    func(to, from *T)
	inherit func(t, top *T) // what it does not say; nil: it has a value of its own
}

// bind makes a key of a kind and the field that keeps it.
func bind[C, T any](name string, field func(*C) *T, k kind[T]) key[C] {
	return key[C]{
		name:    name,
		allowed: k.allowed,
		set: func(c *C, v any) error {
			t, err := k.decode(v)
			if err == nil {
				*field(c) = t
			}
			return err
		},
		check:  func(c *C) error { return k.check(*field(c)) },
		format: func(c *C) string { return k.format(*field(c)) },
		value:  func(c *C) any { return *field(c) },
		copy:   func(to, from *C) { *field(to) = *field(from) },
	}
}

func boolean() kind[bool] {
	return kind[bool]{
		allowed: "true, false",
		decode: func(v any) (bool, error) {
			b, ok := v.(bool)
			if !ok {
				return false, mismatch("true or false", v)
			}
			return b, nil
		},
		check:  func(bool) error { return nil },
		format: strconv.FormatBool,
	}
}

func integer(lowest, highest int) kind[int] {
	return kind[int]{
		allowed: fmt.Sprintf("%d to %d", lowest, highest),
		decode: func(v any) (int, error) {
			n, ok := v.(int64)
			if !ok {
				return 0, mismatch("an integer", v)
			}
			return int(n), nil
		},
		check: func(n int) error {
			if n < lowest || n > highest {
				return fmt.Errorf("%d is out of range", n)
			}
			return nil
		},
		format: strconv.Itoa,
	}
}

func duration(lowest, highest Duration) kind[Duration] {
	return kind[Duration]{
		allowed: fmt.Sprintf("%q to %q", lowest, highest),
		decode:  decodeText[Duration](`a duration in quotes, such as "20s"`),
		check: func(d Duration) error {
			if d < lowest || d > highest {
				return fmt.Errorf("%q is out of range", d)
			}
			return nil
		},
		format: func(d Duration) string { return strconv.Quote(d.String()) },
	}
}

// noneOrDuration is a duration, or "0s" for none.
func noneOrDuration(lowest, highest Duration) kind[Duration] {
	k := duration(lowest, highest)
	check := k.check
	k.allowed = `"0s", ` + k.allowed
	k.check = func(d Duration) error {
		if d == 0 {
			return nil
		}
		return check(d)
	}
	return k
}

func fileMode() kind[FileMode] {
	return kind[FileMode]{
		allowed: `"0600" to "0777", readable and writable by its owner`,
		decode:  decodeText[FileMode](`an octal mode in quotes, such as "0660"`),
		check: func(m FileMode) error {
			if m > 0o777 || m&0o600 != 0o600 {
				return fmt.Errorf("%q shuts out its owner or has more than permission bits", m)
			}
			return nil
		},
		format: func(m FileMode) string { return strconv.Quote(m.String()) },
	}
}

func text(allowed string, check func(string) error) kind[string] {
	return kind[string]{
		allowed: allowed,
		decode: func(v any) (string, error) {
			s, ok := v.(string)
			if !ok {
				return "", mismatch("text in quotes", v)
			}
			return s, nil
		},
		check:  check,
		format: quoted,
	}
}

func choice(options ...string) kind[string] {
	return text(quotedList(options), func(s string) error {
		if !slices.Contains(options, s) {
			return fmt.Errorf("%q is not one of them", s)
		}
		return nil
	})
}

// list is any number of different values of a kind, at least lowest.
func list(lowest int, each kind[string]) kind[[]string] {
	allowed := "a list, each " + each.allowed
	if lowest > 0 {
		allowed = fmt.Sprintf("a list of at least %d, each %s", lowest, each.allowed)
	}
	return kind[[]string]{
		allowed: allowed,
		decode: func(v any) ([]string, error) {
			vs, ok := v.([]any)
			if !ok {
				return nil, mismatch("a list", v)
			}
			out := make([]string, 0, len(vs))
			for _, v := range vs {
				s, err := each.decode(v)
				if err != nil {
					return nil, err
				}
				out = append(out, s)
			}
			return out, nil
		},
		check: func(ss []string) error {
			if len(ss) < lowest {
				return errors.New("the list is too short")
			}
			for i, s := range ss {
				if err := each.check(s); err != nil {
					return err
				}
				if slices.Contains(ss[:i], s) {
					return fmt.Errorf("%q is there twice", s)
				}
			}
			return nil
		},
		format: func(ss []string) string { return "[" + quotedList(ss) + "]" },
	}
}

// decodeText reads a quoted value by its UnmarshalText.
func decodeText[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](want string) func(any) (T, error) {
	return func(v any) (T, error) {
		var t T
		s, ok := v.(string)
		if !ok {
			return t, mismatch(want, v)
		}
		if err := P(&t).UnmarshalText([]byte(s)); err != nil {
			return t, fmt.Errorf("%q is %w", s, err)
		}
		return t, nil
	}
}

// mismatch is the error for a value of the wrong type.
func mismatch(want string, v any) error {
	got := fmt.Sprintf("%v", v)
	switch v := v.(type) {
	case string:
		got = strconv.Quote(v)
	case map[string]any:
		got = "a table"
	case []map[string]any:
		got = "a list of tables"
	case []any:
		got = "a list"
	}
	return fmt.Errorf("must be %s, not %s", want, got)
}

func quotedList(ss []string) string {
	list := make([]string, len(ss))
	for i, s := range ss {
		list[i] = quoted(s)
	}
	return strings.Join(list, ", ")
}

// quoted writes text as Go does, but for escapes that TOML has none of.
func quoted(s string) string {
	var b strings.Builder
	for rest := strconv.Quote(s); rest != ""; {
		n := 1
		if rest[0] == '\\' {
			n = 2
		}
		switch part := rest[:n]; part {
		case `\a`:
			b.WriteString(`\u0007`)
		case `\v`:
			b.WriteString(`\u000b`)
		case `\x`: // of the two digits that follow
			b.WriteString(`\u00`)
		default:
			b.WriteString(part)
		}
		rest = rest[n:]
	}
	return b.String()
}
