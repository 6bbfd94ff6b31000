package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/BurntSushi/toml"
)

// maxFileBytes is far above any configuration; more is a mistake.
const maxFileBytes = 1 << 20

// Load reads a file over the defaults. An error about its contents is a Problems.
func Load(path string) (Config, error) {
	// A FIFO is refused, and not waited for: the file is read again at each reload.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	} else if !st.Mode().IsRegular() {
		return Config{}, fmt.Errorf("config: %s: it is no file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	if len(data) > maxFileBytes {
		return Config{}, fmt.Errorf("config: %s: more than %d bytes", path, maxFileBytes)
	}
	c, err := Parse(path, data)
	if err == nil && c.Handlers != "" && !filepath.IsAbs(c.Handlers) {
		// As the file's author sees it, wherever the daemon runs.
		c.Handlers, err = filepath.Abs(filepath.Join(filepath.Dir(path), c.Handlers))
	}
	return c, err
}

// Parse reads data over the defaults; name is for errors, which are a Problems.
func Parse(name string, data []byte) (Config, error) {
	c := Default()
	d, err := decode(name, data)
	if err != nil {
		return Config{}, err
	}
	tables, ps := d.tables(data)
	d.withoutLists()
	ps = append(ps, apply(&d, &c, keys, topNames())...)
	for _, l := range lists {
		ps = append(ps, l.apply(&c, tables[l.name])...)
	}
	ps = append(ps, c.problems(ps, d.lines)...)
	for i := range ps {
		ps[i].File = name
	}
	if err := ps.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Validate says whether c could have come from a file: for a Config changed since, by flags for example. The error is a Problems.
func (c *Config) Validate() error {
	return c.problems(nil, nil).err()
}

// document is a TOML file taken apart.
type document struct {
	keys   []toml.Key     // in order, tables too
	values map[string]any // by dotted key
	lines  map[string]int // by dotted key
}

// probe takes a value and refuses it: the decoder tells where a key stands only when it complains about it.
type probe struct{ value any }

var errProbe = errors.New("probe")

func (p *probe) UnmarshalTOML(v any) error {
	p.value = v
	return errProbe
}

func decode(name string, data []byte) (document, error) {
	var root map[string]toml.Primitive
	md, err := toml.Decode(string(data), &root)
	if err != nil {
		p := Problem{File: name, What: err.Error()}
		if pe := (toml.ParseError{}); errors.As(err, &pe) {
			p.Line, p.What = lineOf(pe.Position, data), visible(pe.Message)
			if strings.Contains(p.What, "leading zeroes") {
				p.Allowed = `a file mode in quotes: "0660"`
			}
		}
		return document{}, Problems{p}
	}
	d := document{values: map[string]any{}, lines: map[string]int{}}
	d.walk(&md, root, nil, lineOfEmptyKey(data))
	for _, k := range md.Keys() {
		if _, ok := d.values[k.String()]; ok { // else inside a list of tables
			d.keys = append(d.keys, k)
		}
	}
	return d, nil
}

// lineOf is the line of a position. The decoder counts a line too few for a file
// that ends where it may not.
func lineOf(at toml.Position, data []byte) int {
	if at.Start < len(data)-1 || len(data) == 0 {
		return max(at.Line, 1)
	}
	return 1 + bytes.Count(data[:len(data)-1], []byte("\n"))
}

var emptyKey = regexp.MustCompile(`(?m)(""|'')[ \t]*[.=]|^[ \t]*\[.*(""|'')`)

// lineOfEmptyKey is where an empty key stands at the first.
func lineOfEmptyKey(data []byte) int {
	at := emptyKey.FindIndex(data)
	if at == nil {
		return 1
	}
	return 1 + bytes.Count(data[:at[0]], []byte("\n"))
}

// visible writes control characters, which the decoder quotes from the file as
// they are, with escapes.
func visible(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// walk notes value and line of each key in a table and the tables below, and
// returns the first line that the decoder knows of a key among them.
//
// It does not know the line of a key that is empty, which gets above, the line of
// its table, nor of a table that only the name of another key tells of, as that of
// a.b = 1: such a table is where its first key is.
func (d *document) walk(md *toml.MetaData, table map[string]toml.Primitive, prefix toml.Key, above int) (first int) {
	for name, prim := range table {
		k := append(slices.Clone(prefix), name)
		var p probe
		var pe toml.ParseError
		line := 0
		if err := md.PrimitiveDecode(prim, &p); errors.As(err, &pe) {
			line = pe.Position.Line
		}
		d.values[k.String()] = p.value
		var below map[string]toml.Primitive
		if _, ok := p.value.(map[string]any); ok && md.PrimitiveDecode(prim, &below) == nil {
			if n := d.walk(md, below, k, cmp.Or(line, above)); line == 0 && name != "" {
				line = n
			}
		}
		d.lines[k.String()] = cmp.Or(line, above)
		if line > 0 && (first == 0 || line < first) {
			first = line
		}
	}
	return first
}

// apply sets in c, a Config or a table of a list, what d says of its keys, and tells what it could not. names is what the outermost
// table may have.
func apply[C any](d *document, c *C, keys []key[C], names string) (ps Problems) {
	for _, tk := range d.keys {
		name := tk.String()
		if slices.ContainsFunc(ps, func(p Problem) bool { return p.Key == name || strings.HasPrefix(name, p.Key+".") }) {
			continue // refused already, itself or its table
		}
		p := Problem{Line: d.lines[name], Key: name}
		i := slices.IndexFunc(keys, func(k key[C]) bool { return k.name == name })
		siblings := namesIn(keys, name+".")
		_, isTable := d.values[name].(map[string]any)
		switch {
		case i >= 0:
			if err := keys[i].set(c, d.values[name]); err != nil {
				p.What, p.Allowed = err.Error(), keys[i].allowed
				ps = append(ps, p)
			}
		case siblings == "":
			p.What, p.Allowed = "unknown key", names
			if in := parent(name); in != "" {
				p.Allowed = cmp.Or(namesIn(keys, in), names)
			}
			ps = append(ps, p)
		case !isTable:
			p.What, p.Allowed = mismatch("a table", d.values[name]).Error(), siblings
			ps = append(ps, p)
		}
	}
	return ps
}

// topNames lists the keys and tables of a whole file.
func topNames() string {
	names := namesIn(keys, "")
	for _, l := range lists {
		names += ", [[" + l.name + "]]"
	}
	return names
}

// parent is the dotted prefix of a key: "admin." of "admin.mode".
func parent(name string) string {
	return name[:strings.LastIndexByte(name, '.')+1]
}

// namesIn lists the keys and tables right below a prefix.
func namesIn[C any](keys []key[C], prefix string) string {
	var names []string
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k.name, prefix)
		if !ok {
			continue
		}
		if table, _, dotted := strings.Cut(rest, "."); dotted {
			rest = "[" + table + "]"
		}
		if !slices.Contains(names, rest) {
			names = append(names, rest)
		}
	}
	return strings.Join(names, ", ")
}
