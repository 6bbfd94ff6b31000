package session

import (
	"go.uber.org/zap"
)

// Settings are what operators have changed of what the configuration and the file
// of handlers say. They outlive the process.
type Settings struct {
	Closed   bool              `json:"closed,omitempty"` // new sessions are refused
	Drain    *DrainState       `json:"drain,omitempty"`
	Handlers map[string]string `json:"handlers,omitempty"` // of the first mount, by kind; the others' follow it, or are fixed by their mode
}

// Settings returns what has been changed.
func (s *Server) Settings() (set Settings) {
	set.Closed, _ = s.ws.State()
	if st := s.DrainState(); st.Phase != Serving {
		set.Drain = &st
	}
	set.Handlers = map[string]string{}
	now := s.handlers.mounts.Load().served[0].table.Load()
	for k := range now {
		if now[k].name != s.configured[k] {
			set.Handlers[Kind(k).String()] = now[k].name
		}
	}
	return set
}

// ApplySettings changes the same again, before Start. What is not possible any
// more is logged.
func (s *Server) ApplySettings(set Settings) {
	s.noteConfigured()
	if set.Closed {
		s.SetClosed(true)
	}
	s.toDrain = set.Drain
	for kind, name := range set.Handlers {
		s.importHandler(kind, name)
	}
}

// drainAgain goes on with the drain of the process before, when its sessions are
// here.
func (s *Server) drainAgain() {
	if s.toDrain != nil {
		if err := s.RestoreDrain(*s.toDrain); err != nil {
			s.log.Warn("the drain of the process before cannot go on", zap.Error(err))
		}
		s.toDrain = nil
	}
	s.drain.mu.Lock()
	defer s.drain.mu.Unlock()
	s.drain.ending = nil // of one that was taken back nobody asks
}

// OnChange has f called, which must not block, when what Settings returns may have
// changed.
func (s *Server) OnChange(f func()) { s.onChange.Store(&f) }

func (s *Server) changed() {
	if f := s.onChange.Load(); f != nil {
		(*f)()
	}
}

// noteConfigured remembers the handlers that the configuration and the file of
// handlers have set.
func (s *Server) noteConfigured() {
	if s.configured != [numKinds]string{} {
		return
	}
	for k, h := range s.handlers.mounts.Load().served[0].table.Load() {
		s.configured[k] = h.name
	}
}

func (s *Server) importHandler(kind, name string) {
	k, err := ParseKind(kind)
	if err == nil && s.handlers.mounts.Load().served[0].table.Load()[k].name != name {
		err = s.SetHandler(k, name)
	}
	if err != nil {
		s.log.Warn("a handler of the process before cannot be set again", zap.String("kind", kind), zap.Error(err))
	}
}
