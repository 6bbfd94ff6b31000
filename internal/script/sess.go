package script

import (
	"errors"
	"regexp"
	"strings"

	"github.com/dop251/goja"
	"github.com/nvsess/nvsess/internal/session"
)

// handle is what a Sess keeps of its session. JavaScript can pass it on, and do
// nothing else with it.
type handle struct{ s *session.Session }

// attachment is what a session keeps: its Sess and Conn, and of which world.
type attachment struct {
	w          *world
	sess, conn *goja.Object
}

// attach gives the objects of a session, always the same.
func (w *world) attach(s *session.Session) (*attachment, error) {
	if a, ok := s.Attached().(*attachment); ok && a.w == w {
		return a, nil
	}
	v, err := w.makeSess(goja.Undefined(), w.rt.ToValue(&handle{s}))
	if err != nil {
		return nil, err
	}
	obj := v.(*goja.Object)
	a := &attachment{w, obj, obj.Get("conn_").(*goja.Object)}
	s.Attach(a)
	return a, nil
}

// sess is the Sess of a session, for natives.
func (w *world) sess(s *session.Session) *goja.Object {
	a, err := w.attach(s)
	if err != nil {
		panic(err)
	}
	return a.sess
}

// sent says why a message was not sent, or "".
func (w *world) sent(r session.SendResult) goja.Value {
	switch r {
	case session.Gone:
		return w.rt.ToValue(session.ErrSessionClosed.Error())
	case session.Slow:
		return w.rt.ToValue(session.ErrSlow.Error())
	}
	return w.rt.ToValue("")
}

func closeSession(s *session.Session, code int, reason string) error {
	if err := s.Close(code, reason); err != nil && !errors.Is(err, session.ErrSessionClosed) {
		return err
	}
	return nil
}

func (w *world) sessList(list []*session.Session) goja.Value {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = w.sess(s)
	}
	return w.rt.NewArray(out...)
}

func (w *world) sessOrUndefined(s *session.Session) goja.Value {
	if s == nil {
		return goja.Undefined()
	}
	return w.sess(s)
}

// matching are the sessions whose request record, as JSON, has a substring, or
// matches an expression if that is one that RE2 knows; the prelude matches the
// others.
func (w *world) matching(text string, isRegexp bool) goja.Value {
	match := func(record string) bool { return strings.Contains(record, text) }
	if isRegexp {
		re, err := regexp.Compile(text)
		if err != nil {
			return goja.Null()
		}
		match = re.MatchString
	}
	var found []*session.Session
	for _, s := range w.e.now().Sessions.Sessions() {
		if match(w.json(s.Request())) {
			found = append(found, s)
		}
	}
	return w.sessList(found)
}

// peerName is what Node.js calls the address of a socket's peer; nil on a unix
// socket.
func peerName(h *handle) map[string]any {
	port := h.s.Port()
	if port == 0 {
		return nil
	}
	address := h.s.Request().HTTPRequest.RemoteAddress
	family := "IPv4"
	if strings.Contains(address, ":") {
		family = "IPv6"
	}
	return map[string]any{"address": address, "family": family, "port": port}
}
