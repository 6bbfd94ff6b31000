package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A Change is a key that has another value than before.
type Change struct {
	Key      string // "limits.sessions", "mount[1].origins", "route[0]"
	Old, New string // as TOML, without secrets; "" of a table that was not there, or is not any more
	Effect   Effect
	Content  bool // the value is the same: it names a file, which has changed
}

// Reload compares c, which is in effect, with what is to be. It returns what is
// in effect then: next, but for the keys with the effect Restart, which are as in
// c. changed says of a file that both name, by its key, whether what is in it is
// something else.
func (c *Config) Reload(next *Config, changed func(key, path string) bool) (effect Config, changes []Change) {
	effect = *next
	tls := NewSessions
	if (c.TLSCert == "") != (next.TLSCert == "") {
		tls = Restart // with it a listener is another one
	}
	for _, k := range keys {
		e := effects[k.name]
		if k.name == "tls_cert" || k.name == "tls_key" {
			e = tls
		}
		x := Change{Key: k.name, Effect: e}
		x.Old, x.New = shown(k, k.name, c, next)
		if path, _ := k.value(c).(string); x.Old == x.New && path != "" && slices.Contains(fileKeys, k.name) {
			x.Content = changed(k.name, path)
		}
		if x.Old == x.New && !x.Content {
			continue
		}
		if e == Restart {
			k.copy(&effect, c)
		}
		changes = append(changes, x)
	}
	mounts, before := next.AllMounts()[1:], c.AllMounts()[1:]
	changes = append(changes, tableChanges("mount", mountKeys, before, mounts, func(m *Mount) string { return m.Paths[0] },
		func(name string, old, new *Mount) bool {
			return name == "paths" || name == "sessions" || old.own[name] || new.own[name]
		})...)
	changes = append(changes, tableChanges("route", routeKeys, c.Routes, next.Routes, func(r *Route) string { return r.Path },
		func(string, *Route, *Route) bool { return true })...)
	return effect, changes
}

// fileKeys are those whose values are files that are read.
var fileKeys = []string{"handlers", "tls_cert", "tls_key", "auth.tokens_file", "auth.jwt_secret_file", "auth.jwt_keys_file"}

// Files are the files that a configuration names to be read, by their keys.
func (c *Config) Files() map[string]string {
	m := map[string]string{}
	for _, k := range keys {
		if path, _ := k.value(c).(string); path != "" && slices.Contains(fileKeys, k.name) {
			m[k.name] = path
		}
	}
	return m
}

// tableChanges compares the tables of a list, of which those with the same id are
// the same. said tells whether a key is one of a table: another's value has
// changed with the top level's, which is told already.
func tableChanges[T any](list string, keys []key[T], before, after []T, id func(*T) string, said func(name string, old, new *T) bool) (changes []Change) {
	for i := range after {
		at := fmt.Sprintf("%s[%d]", list, i)
		j := slices.IndexFunc(before, func(t T) bool { return id(&t) == id(&after[i]) })
		if j < 0 {
			changes = append(changes, Change{Key: at, New: keys[0].format(&after[i]), Effect: Live})
			continue
		}
		for _, k := range keys {
			x := Change{Key: at + "." + k.name, Effect: effects[list+"."+k.name]}
			if x.Old, x.New = shown(k, list+"."+k.name, &before[j], &after[i]); x.Old != x.New && said(k.name, &before[j], &after[i]) {
				changes = append(changes, x)
			}
		}
	}
	for j := range before {
		if !slices.ContainsFunc(after, func(t T) bool { return id(&t) == id(&before[j]) }) {
			changes = append(changes, Change{Key: fmt.Sprintf("%s[%d]", list, j), Old: keys[0].format(&before[j]), Effect: Live})
		}
	}
	return changes
}

// shown is a key's old and new value for people: what may be a secret is left
// out, but not that it is another one.
func shown[T any](k key[T], name string, old, new *T) (a, b string) {
	a, b = k.format(old), k.format(new)
	hide := secrets[name]
	if a == b || hide == nil {
		return a, b
	}
	x, y := masked(k.value(old), hide), masked(k.value(new), hide)
	if x == y {
		y += " (not shown: another)"
	}
	return x, y
}

func masked(v any, hide func(string) string) string {
	if s, ok := v.(string); ok {
		return text("", nil).format(hide(s))
	}
	var out []string
	for _, s := range v.([]string) {
		out = append(out, hide(s))
	}
	return "[" + quotedList(out) + "]"
}

// secrets leave out of a value what may be one.
var secrets = map[string]func(string) string{
	"auth.tokens":       func(s string) string { name, _, _ := strings.Cut(s, " "); return name + " sha256:***" },
	"webhook":           hideURL,
	"handshake.headers": hideHeader,
	"mount.headers":     hideHeader,
	"route.headers":     hideHeader,
	"route.redirect":    hideURL,
}

// hideURL leaves out the values of a query.
func hideURL(s string) string {
	before, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	var parts []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err != nil || plain == "" {
			name = ""
		}
		parts = append(parts, name+"=***")
	}
	return before + "?" + strings.Join(parts, "&")
}

// hideHeader leaves out the value of a field that lets somebody in.
func hideHeader(s string) string {
	name, _, _ := strings.Cut(s, ":")
	low := strings.ToLower(name)
	for _, word := range []string{"auth", "cookie", "token", "secret", "key", "password"} {
		if strings.Contains(low, word) {
			return name + ": ***"
		}
	}
	return s
}
