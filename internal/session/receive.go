package session

import (
	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/ws"
)

// Message finds out what a message is and gives it to whom it concerns. The
// bytes are parsed only as far as that needs: forwarding and echoing never
// parse JSON that is no envelope.
func (r receiver) Message(b *ws.Batch, c *ws.Conn, op ws.OpCode, payload []byte) {
	s := c.Data().(*Session)
	now := s.mount.table.Load()
	r.greet(b, s)
	if op == ws.OpBinary {
		r.watchers.message(s, KindBinary, "in", payload)
		r.handlers.message(now, r, b, s, KindBinary, op, payload)
		return
	}
	if env, ok := parseEnvelope(payload); ok {
		r.envelope(b, s, &env, payload)
		return
	}
	k := KindString
	if now[KindString].name != now[KindJSON].name || r.watchers.any() || now[KindJSON].name == HandlerLog || now[KindJSON].backend != nil {
		if isJSON(payload) {
			k = KindJSON
		}
	} else if i := skipBlanks(payload, 0); i < len(payload) && (payload[i] == '{' || payload[i] == '[') {
		k = KindJSON // for the count; whether it is valid makes no difference
	}
	r.watchers.message(s, k, "in", payload)
	r.handlers.message(now, r, b, s, k, op, payload)
}

// envelope handles a message of the session protocol.
func (r receiver) envelope(b *ws.Batch, s *Session, env *envelope, payload []byte) {
	switch env.typ {
	case typePing:
		buf := scratch.Get().(*[]byte)
		*buf = appendKeepalive((*buf)[:0], typePong, r.now().cfgMS)
		b.Send(s.conn, ws.OpText, *buf)
		scratch.Put(buf)
		r.pingAlong(b, s)
	case typePong:
		// It has renewed liveness by arriving.
	case typeCres:
		r.watchers.message(s, KindJSON, "in", payload)
		if !s.answer(env.id, payload) {
			r.unknownID.Add(1)
		}
	case typeCreq:
		r.watchers.message(s, KindCreq, "in", payload)
		r.handlers.creq(r, b, s, env, payload)
	case typeCfg:
		r.watchers.message(s, KindCfg, "in", payload)
		r.handlers.call(r.Server, s, KindCfg, payload)
	case typeSres:
		r.wrongDirection(s, "cant_use_sres_from_client")
	case typeSreq:
		r.wrongDirection(s, "cant_use_sreq_from_client")
	}
}

// wrongDirection counts an envelope that only a server may send. It is logged
// for debugging only, since any client can send any number of them.
func (r receiver) wrongDirection(s *Session, what string) {
	r.wrongWay.Add(1)
	if ce := r.log.Check(zap.DebugLevel, what); ce != nil {
		ce.Write(zap.String("session", s.ID()))
	}
}
