package session

import (
	"bytes"
	"encoding/json"
)

// Object is a JSON object that keeps its order. A value is a string, or a
// []string for a name that came several times.
type Object []Member

// Member is one entry of an Object.
type Member struct {
	Name  string
	Value any
}

// MarshalJSON encodes the object in its order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{m.Name, m.Value} {
			if j == 1 {
				b.WriteByte(':')
			}
			// An encoder, so that who encodes the whole decides about <, > and &:
			// Marshal would escape them for good.
			if err := enc.Encode(v); err != nil {
				return nil, err
			}
			b.Truncate(b.Len() - 1) // the newline
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Get returns the values of a name.
func (o Object) Get(name string) []string {
	for _, m := range o {
		if m.Name == name {
			return m.Values()
		}
	}
	return nil
}

// add appends a value, making a list of values of one name.
func (o *Object) add(name, value string) {
	for i := range *o {
		if m := &(*o)[i]; m.Name == name {
			switch v := m.Value.(type) {
			case string:
				m.Value = []string{v, value}
			case []string:
				m.Value = append(v, value)
			}
			return
		}
	}
	*o = append(*o, Member{name, value})
}
