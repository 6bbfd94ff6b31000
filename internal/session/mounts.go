package session

import (
	"iter"
	"slices"

	"github.com/nvsess/nvsess/internal/ws"
)

// mounts are a server's. It is immutable; a reload puts another in its place.
type mounts struct {
	served []*mount // the top level's first
	gone   []*mount // that a reload has taken out, for as long as they have sessions
}

// all are the mounts that have sessions, or may have.
func (ms *mounts) all() iter.Seq[*mount] {
	return func(yield func(*mount) bool) {
		for _, m := range slices.Concat(ms.served, ms.gone) {
			if !yield(m) {
				return
			}
		}
	}
}

// A mountPlan is what becomes of the mounts: nothing until follow.
type mountPlan struct {
	mounts
	terms []mountTerms // of served
}

type mountTerms struct {
	table table
	about []Kind
	Mount
}

// plan makes the mounts of options. Of those that there are, or that are gone and
// still have sessions, each goes on in the one with the same name. The
// transport's part is put into t.
func (h *handlers) plan(srv *Server, t *tuning) (*mountPlan, error) {
	now := h.mounts.Load()
	if now == nil {
		now = &mounts{}
	}
	var p mountPlan
	t.WS.Mounts = nil
	for i, o := range t.Mounts {
		table, about, err := tableOf(o.Mode)
		switch {
		case err != nil:
			return nil, err
		case o.Auth != AuthOff && t.Auth == nil:
			return nil, errNoAuthenticator
		}
		name := DefaultMount
		if i > 0 && len(o.Paths) > 0 {
			name = o.Paths[0]
		}
		m := now.named(i == 0, name, p.served)
		if m != nil {
			o.Renews = m.conns
		} else {
			m = &mount{srv: srv, name: name, conns: o.Mount}
			o.Data = m
		}
		p.served, p.terms = append(p.served, m), append(p.terms, mountTerms{table, about, o})
		t.WS.Mounts = append(t.WS.Mounts, o.Mount)
	}
	for m := range now.all() {
		if !slices.Contains(p.served, m) && (!slices.Contains(now.gone, m) || m.conns.Conns() > 0) {
			p.gone = append(p.gone, m)
		}
	}
	return &p, nil
}

// named is the mount of that name that is not among those taken already, or nil.
// The top level's is another one than what has its name by chance.
func (ms *mounts) named(top bool, name string, taken []*mount) *mount {
	if top && len(ms.served) > 0 {
		return ms.served[0]
	}
	for m := range ms.all() {
		if m != ms.served[0] && m.name == name && !slices.Contains(taken, m) {
			return m
		}
	}
	return nil
}

// follow carries a plan out. Modes that have not changed leave alone what an
// operator or a script has set since.
func (h *handlers) follow(p *mountPlan) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mounts.Load() == nil {
		h.common, _, _ = tableOf(ModeHandlers)
	}
	alone := len(p.served) == 1 && len(p.gone) == 0
	for m := range p.all() {
		m.alone.Store(alone)
	}
	for i, m := range p.served {
		o := &p.terms[i]
		m.auth.Store(uint32(o.Auth))
		old := m.table.Load()
		switch {
		case old != nil && m.as == o.Mode:
			continue
		case old == nil && i == 0:
			m.table.Store(&o.table)
		case i == 0:
			// The kinds that either mode is about, but for those that scripts or
			// the webhook handle.
			next := *old
			_, before, _ := tableOf(m.as)
			for _, k := range slices.Concat(before, o.about) {
				if next[k].backend == nil {
					next[k] = o.table[k]
				}
			}
			m.table.Store(&next)
		default:
			next := h.common
			for _, k := range o.about {
				next[k] = o.table[k]
			}
			m.table.Store(&next)
			m.taken = o.about
		}
		m.as = o.Mode
	}
	h.mounts.Store(&p.mounts)
}

// withMounts are the options with their Mounts, if they have only the
// transport's.
func (opt Options) withMounts() Options {
	if len(opt.Mounts) == 0 {
		for _, m := range opt.WS.Mounts {
			opt.Mounts = append(opt.Mounts, Mount{m, opt.Mode, opt.AuthMode})
		}
	}
	if len(opt.Mounts) == 0 {
		opt.Mounts = []Mount{{&ws.Mount{}, opt.Mode, opt.AuthMode}}
	}
	return opt
}
