package ws

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"sync/atomic"
)

// A Mount is a set of paths and what holds for the connections that are opened
// there. Its fields are immutable once a server has it,
// and it is known by its address. Another one may be put in its place
// ([Server.Reload]): then that one's fields hold for its connections.
type Mount struct {
	// Paths that are served: exact, or a prefix when ending in "/*", which the
	// path before the slash belongs to. Empty: any path.
	Paths []string

	// Origins that may connect: "same" (an http or https page whose host name is
	// that of the Host field; ports are not compared, for proxies often drop
	// them and cookies ignore them), "*" (any), an exact origin, or one with a
	// wildcard host such as "https://*.example.com". A request without Origin does not
	// come from a page in a browser, which is all that this guards against
	// (cross-site WebSocket hijacking), and passes.
	Origins []string

	// Subprotocols that are spoken. The client's first that is among them is
	// chosen; none: the field is ignored (RFC 6455, section 4.2.2).
	Subprotocols []string

	Limits      Limits // of what a peer sends
	Rates       Rates  // and how fast
	Compression Compression
	Header      []byte // further fields of a 101, each with its CRLF
	MaxConns    int    // at a time; beyond: 503; 0: no limit
	Data        any    // the handler's own

	// Renews is the mount of the server whose place this one takes in a Reload,
	// which goes on, with its Data and its connections. Nil: none.
	Renews *Mount

	rules    []originRule          // of Origins
	pace     *pace                 // of Rates; nil: no limit
	inflated Limits                // Limits where permessage-deflate was agreed on
	latest   atomic.Pointer[Mount] // whose fields hold: itself, or what has renewed it
	conns    atomic.Int64
}

// now is the mount whose fields hold.
func (m *Mount) now() *Mount { return m.latest.Load() }

// Limit is the most connections at a time; 0: there is no limit.
func (m *Mount) Limit() int { return m.now().MaxConns }

// Conns is the number of connections with a session's place: from the decision
// about the handshake until the descriptor is closed.
func (m *Mount) Conns() int64 { return m.conns.Load() }

// enter counts one more connection, if there may be one.
func (m *Mount) enter() bool {
	if n, most := m.conns.Add(1), m.Limit(); most > 0 && n > int64(most) {
		m.conns.Add(-1)
		return false
	}
	return true
}

// Rank tells how closely a pattern of Mount.Paths fits a path: 0, not at all; an
// exact one most; a prefix the more the longer it is.
func Rank(pattern string, path []byte) int {
	prefix, ok := strings.CutSuffix(pattern, "/*")
	if !ok {
		if string(path) == pattern {
			return math.MaxInt
		}
		return 0
	}
	if rest, ok := bytes.CutPrefix(path, []byte(prefix)); ok && (len(rest) == 0 || rest[0] == '/') {
		return 1 + len(prefix)
	}
	return 0
}

// Rank tells how closely the mount fits a path of its own. One of any path does
// as "/*" would.
func (m *Mount) Rank(path []byte) int {
	best := Rank("/*", path)
	for _, p := range m.now().Paths {
		best = max(best, Rank(p, path))
	}
	return best
}

// mounts finds the mount of a path.
type mounts struct {
	exact    map[string]*Mount
	prefixes []mountPrefix // the longest first
	rest     *Mount        // of any other path; nil: there is none
}

type mountPrefix struct {
	prefix string // without the slash and the star
	mount  *Mount
}

// newMounts: of several mounts with the same path the first has it.
func newMounts(list []*Mount) (ms mounts, err error) {
	ms.exact = make(map[string]*Mount)
	for _, m := range list {
		if err := m.readOrigins(); err != nil {
			return ms, err
		}
		m.pace = newPace(m.Rates)
		m.inflated = m.Limits
		m.inflated.deflate = true
		at := m
		if m.Renews != nil {
			at = m.Renews
		}
		if len(m.Paths) == 0 && ms.rest == nil {
			ms.rest = at
		}
		for _, path := range m.Paths {
			if prefix, ok := strings.CutSuffix(path, "/*"); ok {
				ms.prefixes = append(ms.prefixes, mountPrefix{prefix, at})
			} else if ms.exact[path] == nil {
				ms.exact[path] = at
			}
		}
	}
	slices.SortStableFunc(ms.prefixes, func(a, b mountPrefix) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return ms, nil
}

// readOrigins takes Origins apart.
func (m *Mount) readOrigins() error {
	m.rules = make([]originRule, len(m.Origins))
	for i, s := range m.Origins {
		var err error
		if m.rules[i], err = parseOriginRule(s); err != nil {
			return err
		}
	}
	return nil
}

// find returns the mount of a path, or nil: an exact path goes before a prefix,
// a longer prefix before a shorter one.
func (ms *mounts) find(path []byte) *Mount {
	if m := ms.exact[string(path)]; m != nil {
		return m
	}
	for _, p := range ms.prefixes {
		if rest, ok := bytes.CutPrefix(path, []byte(p.prefix)); ok && (len(rest) == 0 || rest[0] == '/') {
			return p.mount
		}
	}
	return ms.rest
}

// subprotocol chooses from what the client offers, or returns "".
func (m *Mount) subprotocol(r *Request) string {
	if len(m.Subprotocols) == 0 {
		return ""
	}
	for _, f := range r.Fields {
		if len(f.Name) != len(protocolField) || !foldEqual(f.Name, protocolField) {
			continue
		}
		for item := range bytes.SplitSeq(f.Value, []byte(",")) {
			for _, s := range m.Subprotocols {
				if s == string(trimBlanks(item)) {
					return s
				}
			}
		}
	}
	return ""
}
