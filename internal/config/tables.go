package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxTables bounds a list of tables; more are a mistake.
const maxTables = 256

// A tableList is a key whose value is a list of tables, each [[NAME]] in the file.
type tableList struct {
	name  string
	names string // the keys of a table, put to the person who wrote another
	apply func(c *Config, tables []document) Problems
	check func(c *Config, known Problems, lines map[string]int) Problems
	value func(*Config) []map[string]any // for JSON
}

// lists is the rest of the file, after keys.
var lists = []tableList{
	tablesOf("mount", func(c *Config) *[]Mount { return &c.Mounts }, mountKeys, func(c *Config) []Mount { return c.AllMounts()[1:] }),
	tablesOf("route", func(c *Config) *[]Route { return &c.Routes }, routeKeys, func(c *Config) []Route { return c.Routes }),
}

// tablesOf makes a tableList of the tables' keys and of the field that keeps them. effect gives them with all their values.
func tablesOf[T any](name string, field func(*Config) *[]T, keys []key[T], effect func(*Config) []T) tableList {
	names := namesIn(keys, "")
	return tableList{
		name:  name,
		names: names,
		apply: func(c *Config, tables []document) (ps Problems) {
			for i, d := range tables {
				var t T
				for _, p := range apply(&d, &t, keys, names) {
					p.Key = fmt.Sprintf("%s[%d].%s", name, i, p.Key)
					ps = append(ps, p)
				}
				*field(c) = append(*field(c), t)
			}
			return ps
		},
		check: func(c *Config, known Problems, lines map[string]int) (ps Problems) {
			for i := range *field(c) {
				for _, k := range keys {
					at := fmt.Sprintf("%s[%d].%s", name, i, k.name)
					if known.has(at) {
						continue
					}
					if err := k.check(&(*field(c))[i]); err != nil {
						ps = append(ps, Problem{Line: lineIn(lines, at), Key: at, What: err.Error(), Allowed: k.allowed})
					}
				}
			}
			return ps
		},
		value: func(c *Config) []map[string]any {
			list := []map[string]any{}
			for _, t := range effect(c) {
				m := map[string]any{}
				for _, k := range keys {
					m[k.name] = k.value(&t)
				}
				list = append(list, m)
			}
			return list
		},
	}
}

// lineIn is the line of a key in a table, or of the table.
func lineIn(lines map[string]int, key string) int {
	if n := lines[key]; n > 0 {
		return n
	}
	table, _, _ := strings.Cut(key, "].")
	return lines[table+"]"]
}

// tables takes the lists of tables out of a document: each table is a document of its own. The decoder knows of equal keys in
// several tables only the last one's line, so each table is decoded once more by itself.
func (d *document) tables(data []byte) (found map[string][]document, ps Problems) {
	found = map[string][]document{}
	for _, l := range lists {
		v, ok := d.values[l.name]
		if !ok {
			continue
		}
		p := Problem{Line: d.lines[l.name], Key: l.name, Allowed: l.names}
		given, ok := v.([]map[string]any)
		starts := headersOf(l.name, data, len(given))
		switch {
		case !ok || len(given) != len(starts):
			p.What = fmt.Sprintf("must be tables, each under its own [[%s]]", l.name)
		case len(given) > maxTables:
			p.What = fmt.Sprintf("there are %d tables, more than %d", len(given), maxTables)
		default:
			for i, at := range starts {
				end := len(data)
				if i+1 < len(starts) {
					end = starts[i+1].offset
				}
				t, err := decodeTable(l.name, string(data[at.offset:end]), at.line)
				if err != nil { // it is part of what could be decoded
					p.What = err.Error()
					ps = append(ps, p)
					break
				}
				d.lines[fmt.Sprintf("%s[%d]", l.name, i)] = at.line
				for k, n := range t.lines {
					d.lines[fmt.Sprintf("%s[%d].%s", l.name, i, k)] = n
				}
				found[l.name] = append(found[l.name], t)
			}
			continue
		}
		ps = append(ps, p)
	}
	return found, ps
}

// header is where a table of a list begins.
type header struct{ offset, line int }

// headersOf finds the lines that begin a table of a list. What only looks like one is within a text of several lines, where the
// document, ended before it, is not whole; want is how many there should be.
func headersOf(name string, data []byte, want int) (found []header) {
	looks := regexp.MustCompile(`(?m)^[ \t]*\[\[[ \t]*(?:` + name + `|"` + name + `"|'` + name + `')[ \t]*\]\]`)
	candidates := looks.FindAllIndex(data, 2*maxTables)
	for _, c := range candidates {
		if whole := func() bool { _, err := decode("", data[:c[0]]); return err == nil }; len(candidates) == want || whole() {
			found = append(found, header{c[0], 1 + strings.Count(string(data[:c[0]]), "\n")})
		}
	}
	return found
}

// withoutLists takes the keys of lists of tables from a document.
func (d *document) withoutLists() {
	d.keys = slices.DeleteFunc(d.keys, func(k toml.Key) bool {
		return slices.ContainsFunc(lists, func(l tableList) bool { return l.name == k[0] })
	})
}

// decodeTable decodes what follows the header of a table, which is on that line, up to the next one's.
func decodeTable(name, text string, line int) (document, error) {
	single := strings.Replace(strings.Replace(text, "[[", "[", 1), "]]", "]", 1)
	all, err := decode("", []byte(single))
	if err != nil {
		return document{}, err
	}
	d := document{values: map[string]any{}, lines: map[string]int{}}
	for _, k := range all.keys {
		if len(k) < 2 || k[0] != name {
			continue
		}
		inner := slices.Clone(k[1:])
		d.keys = append(d.keys, inner)
		d.values[inner.String()] = all.values[k.String()]
		d.lines[inner.String()] = all.lines[k.String()] + line - 1
	}
	return d, nil
}
