package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// MarshalJSON gives the configuration as the file has it: the same tables and keys, in the same order, and in the lists
// of tables what is in effect.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	table := ""
	for i, k := range keys {
		in, name := "", k.name
		if t, n, ok := strings.Cut(k.name, "."); ok {
			in, name = t, n
		}
		switch {
		case i == 0:
			b.WriteByte('{')
		case in == table:
			b.WriteByte(',')
		case table == "":
			fmt.Fprintf(&b, ",%q:{", in)
		default:
			fmt.Fprintf(&b, "},%q:{", in)
		}
		table = in
		value, err := json.Marshal(k.value(&c))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", name, value)
	}
	if table != "" {
		b.WriteByte('}')
	}
	for _, l := range lists {
		value, err := json.Marshal(l.value(&c))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",%q:%s", l.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
