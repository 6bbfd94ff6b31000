package admin

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Args are the checked arguments of a call. A missing one reads as the zero value; Has tells the two apart.
type Args struct{ values map[string]any }

// Has reports whether the argument was given.
func (a Args) Has(name string) bool { _, ok := a.values[name]; return ok }

// String returns a TypeString, TypeText or TypeSession argument.
func (a Args) String(name string) string { s, _ := a.values[name].(string); return s }

// List returns a TypeList or TypeSessions argument.
func (a Args) List(name string) []string { l, _ := a.values[name].([]string); return l }

// Int returns a TypeInt argument.
func (a Args) Int(name string) int { n, _ := a.values[name].(int); return n }

// Bool returns a TypeBool argument.
func (a Args) Bool(name string) bool { b, _ := a.values[name].(bool); return b }

// JSON returns a TypeJSON argument, compact.
func (a Args) JSON(name string) json.RawMessage { j, _ := a.values[name].(json.RawMessage); return j }

// Duration returns a TypeDuration argument, or def when it is missing.
func (a Args) Duration(name string, def time.Duration) time.Duration {
	if d, ok := a.values[name].(time.Duration); ok {
		return d
	}
	return def
}

// decodeArgs checks a JSON object of arguments against the command.
func (c *Command) decodeArgs(given map[string]json.RawMessage) (Args, error) {
	values := map[string]any{}
	for name, raw := range given {
		a := c.Arg(name)
		if a == nil || a.Local {
			return Args{}, badArg(name, "%s takes no argument %q; %s", c.Name, name, c.argNames())
		}
		if string(raw) == "null" && a.Type != TypeJSON {
			continue // as if it were not there
		}
		v, err := a.decode(raw)
		if err != nil {
			return Args{}, err
		}
		values[name] = v
	}
	for i := range c.Args {
		if a := &c.Args[i]; a.Required && !a.Local {
			if _, ok := values[a.Name]; !ok {
				return Args{}, badArg(a.Name, "%s needs the argument %q: %s", c.Name, a.Name, a.Help)
			}
		}
	}
	return Args{values}, nil
}

func (c *Command) argNames() string {
	var names []string
	for i := range c.Args {
		if !c.Args[i].Local {
			names = append(names, c.Args[i].Name)
		}
	}
	if len(names) == 0 {
		return "it takes none"
	}
	return "it takes " + strings.Join(names, ", ")
}

// changes reports whether this call changes something: then it must be a POST, and is logged.
func (c *Command) changes(args Args) bool {
	if !c.ReadOnly {
		return true
	}
	return slices.ContainsFunc(c.Args, func(a Arg) bool { return a.Changes && args.Has(a.Name) })
}

func (a *Arg) decode(raw json.RawMessage) (any, error) {
	switch a.Type {
	case TypeJSON:
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, badArg(a.Name, "%s: not JSON", a.Name)
		}
		return json.RawMessage(b.Bytes()), nil
	case TypeBool:
		var v bool
		if json.Unmarshal(raw, &v) != nil {
			return nil, badArg(a.Name, "%s must be true or false", a.Name)
		}
		return v, nil
	case TypeInt:
		var v json.Number
		if json.Unmarshal(raw, &v) != nil {
			return nil, badArg(a.Name, "%s must be a whole number", a.Name)
		}
		return a.number(v.String())
	case TypeSessions, TypeList:
		var v []string
		if json.Unmarshal(raw, &v) != nil {
			return nil, badArg(a.Name, "%s must be an array of strings", a.Name)
		}
		for _, s := range v {
			if err := a.choose(s); err != nil {
				return nil, err
			}
		}
		return v, nil
	}
	s, err := a.text(raw)
	if err != nil {
		return nil, err
	}
	return a.parse(s)
}

// text reads a string; a session may also be its index.
func (a *Arg) text(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	if n := json.Number(""); a.Type == TypeSession && json.Unmarshal(raw, &n) == nil {
		return n.String(), nil
	}
	return "", badArg(a.Name, "%s must be a string", a.Name)
}

// parse checks one word of a command line or of a query.
func (a *Arg) parse(s string) (any, error) {
	switch a.Type {
	case TypeJSON:
		return json.RawMessage(s), CheckJSON(s)
	case TypeBool:
		v, err := strconv.ParseBool(s)
		if err != nil {
			return nil, badArg(a.Name, "%s must be true or false, not %s", a.Name, Quote(s))
		}
		return v, nil
	case TypeInt:
		return a.number(s)
	case TypeDuration:
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d == 0 && !a.Zero {
			return nil, badArg(a.Name, "%s must be a duration such as 500ms, 15s or 2m, not %s", a.Name, Quote(s))
		}
		return d, nil
	case TypeSessions, TypeList:
		list := strings.Split(s, ",")
		for _, item := range list {
			if err := a.choose(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	if bad := invalidUTF8(s); bad >= 0 && a.Type == TypeText {
		hint := ""
		if a.Name == "data" {
			hint = "; bsend sends bytes"
		}
		return nil, badArg(a.Name, "%s is not text: byte %d is not UTF-8%s", a.Name, bad+1, hint)
	}
	if s == "" && a.Required && a.Type != TypeText {
		return nil, badArg(a.Name, "%s is empty", a.Name)
	}
	return s, a.choose(s)
}

func (a *Arg) number(s string) (any, error) {
	limit := int64(math.MaxInt32)
	if a.Max > 0 {
		limit = a.Max
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > limit {
		return nil, badArg(a.Name, "%s must be a whole number from 0 to %d, not %s", a.Name, limit, Quote(s))
	}
	return int(n), nil
}

// choose refuses a value outside Choices.
func (a *Arg) choose(s string) error {
	if len(a.Choices) == 0 || slices.Contains(a.Choices, s) {
		return nil
	}
	return badArg(a.Name, "%s is %s: must be one of %s", a.Name, Quote(s), strings.Join(a.Choices, ", "))
}

// MarshalJSON gives the arguments as the API takes them.
func (a Args) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(a.values))
	for name, v := range a.values {
		if d, ok := v.(time.Duration); ok {
			v = d.String()
		}
		out[name] = v
	}
	return marshal(out)
}

// marshal is json.Marshal without the escapes meant for HTML: an operator reads this.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
