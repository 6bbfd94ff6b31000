package webhook

import (
	"errors"

	"github.com/nvsess/nvsess/internal/session"
)

// perform does what an answer says. A session that has gone meanwhile is no
// failure: nobody could have known.
func (h *Hook) perform(e *event, r *response) *failure {
	if e.shake != nil {
		if r.verdict.accept {
			e.shake.Accept()
		} else {
			e.shake.Refuse(r.verdict.refusal())
		}
		return nil
	}
	s := e.call.Session
	if r.answer != nil {
		switch err := s.Reply(e.requestID, r.answer); {
		case errors.Is(err, session.ErrSessionClosed):
			h.lost(1, 0)
		case errors.Is(err, session.ErrSlow):
			h.lost(0, 1)
		case err != nil:
			return &failure{what: "its answer cannot be used: " + err.Error()}
		}
	}
	for _, m := range r.messages {
		switch m.send(s) {
		case session.Gone:
			h.lost(1, 0)
		case session.Slow:
			h.lost(0, 1)
		}
	}
	if r.broadcast != nil {
		targets, unknown := h.targets(s, r.broadcast)
		// Without waiting for answers it neither waits nor fails.
		tally, _ := h.set.Load().Sessions.Broadcast(h.ctx, session.Broadcast{Kind: r.broadcast.kind, Data: r.broadcast.data, Targets: targets})
		h.lost(tally.Gone+unknown, tally.Slow)
	}
	if r.close != nil {
		// It was checked, so what is left is that the session is closed.
		_ = s.Close(r.close.code, r.close.reason)
	}
	return nil
}

func (m message) send(s *session.Session) session.SendResult {
	switch m.kind {
	case session.KindJSON:
		return s.SendJSON(m.data)
	case session.KindBinary:
		return s.SendBinary(m.data)
	default:
		return s.SendString(string(m.data))
	}
}

// targets finds who a broadcast is for, each once, and how many are not there;
// nil: everybody.
func (h *Hook) targets(from *session.Session, b *broadcast) (list []*session.Session, unknown int) {
	if b.to == nil && !b.exceptSender {
		return nil, 0
	}
	list = []*session.Session{}
	if b.to == nil {
		for _, s := range h.set.Load().Sessions.Sessions() {
			if s != from {
				list = append(list, s)
			}
		}
		return list, 0
	}
	seen := make(map[string]bool, len(b.to))
	for _, id := range b.to {
		if seen[id] || b.exceptSender && id == from.ID() {
			continue
		}
		seen[id] = true
		// Whole ids only: Find knows other references, too.
		s, err := h.set.Load().Sessions.Find(id)
		if err != nil || s.ID() != id {
			unknown++
			continue
		}
		list = append(list, s)
	}
	return list, unknown
}

func (h *Hook) lost(gone, slow int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Gone += uint64(gone)
	h.stats.Slow += uint64(slow)
}
