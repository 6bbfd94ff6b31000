package admin

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

// Sess is a session as the API shows it. The first members, up to conn, are what nv-session-simple prints of one, in its order and spelling.
type Sess struct {
	ID                  string          `json:"id"`
	Host                string          `json:"host"`
	Key                 string          `json:"key"`
	Origin              string          `json:"origin,omitempty"`
	Cookies             json.RawMessage `json:"cookies"`
	RequestedExtensions json.RawMessage `json:"requestedExtensions"`
	Query               json.RawMessage `json:"query"`
	Conn                *Conn           `json:"conn,omitempty"`

	Index          int       `json:"index"` // in order of arrival, at the time of the answer
	Remote         string    `json:"remote"`
	Resource       string    `json:"resource"` // path and query as requested
	Protocol       string    `json:"protocol"` // the subprotocol agreed on, or ""
	Auth           string    `json:"auth"`     // the name of who has authenticated, or ""
	Active         bool      `json:"active"`
	OpenedAt       time.Time `json:"opened_at"`
	LastReceivedAt time.Time `json:"last_received_at"`
	MessagesIn     uint64    `json:"messages_in"`
	MessagesOut    uint64    `json:"messages_out"`
	BytesIn        uint64    `json:"bytes_in"`
	BytesOut       uint64    `json:"bytes_out"`
	Dropped        uint64    `json:"dropped"`
	QueuedBytes    uint64    `json:"queued_bytes"`
	Pending        int       `json:"pending"` // requests to it that wait for an answer
}

// Conn is the peer's address, where it has one: a unix socket has none.
type Conn struct {
	Address string `json:"address"`
	Family  string `json:"family"`
	Port    int    `json:"port"`
}

// Page is some sessions out of Total.
type Page struct {
	Total    int    `json:"total"`
	Offset   int    `json:"offset"`
	Sessions []Sess `json:"sessions"`
}

// describe makes the record of one session. It reads the stored request, so it is not for sessions that are not shown.
func describe(s *session.Session, index int) (Sess, error) {
	req, stats := s.Request(), s.Stats()
	out := Sess{
		ID: s.ID(), Host: req.Host, Key: req.Key, Origin: req.Origin,
		Conn:  connOf(s),
		Index: index, Remote: s.RemoteAddr(), Resource: req.Resource, Protocol: s.Protocol(), Auth: authName(s), Active: s.Active(),
		OpenedAt: s.OpenedAt(), LastReceivedAt: s.LastReceivedAt(),
		MessagesIn: stats.MessagesIn, MessagesOut: stats.MessagesOut, BytesIn: stats.BytesIn, BytesOut: stats.BytesOut,
		Dropped: stats.Dropped, QueuedBytes: stats.QueuedBytes, Pending: stats.Pending,
	}
	for _, part := range []struct {
		to *json.RawMessage
		v  any
	}{{&out.Cookies, req.Cookies}, {&out.RequestedExtensions, req.RequestedExtensions}, {&out.Query, req.ResourceURL.Query}} {
		raw, err := marshal(part.v)
		if err != nil {
			return Sess{}, err
		}
		*part.to = raw
	}
	return out, nil
}

// connOf is what Node calls the peer name of a socket.
func connOf(s *session.Session) *Conn {
	port := s.Port()
	if port == 0 {
		return nil
	}
	host := s.RemoteAddr()
	if ap, err := netip.ParseAddrPort(host); err == nil {
		host = ap.Addr().String()
	}
	family := "IPv4"
	if strings.Contains(host, ":") {
		family = "IPv6"
	}
	return &Conn{Address: host, Family: family, Port: port}
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// page selects what args ask for out of all sessions. Only those it returns are described; match may be nil.
func page(all []*session.Session, args Args, match func(*session.Session) bool) (any, error) {
	type numbered struct {
		s     *session.Session
		index int
	}
	var found []numbered
	total := len(all)
	offset, limit := args.Int("offset"), defaultPage
	if args.Has("limit") {
		limit = min(args.Int("limit"), maxPage)
	}
	if match != nil {
		total = 0
		for i, s := range all {
			if match(s) {
				total++
				found = append(found, numbered{s, i})
			}
		}
	}
	if args.Bool("count") {
		return struct {
			Total int `json:"total"`
		}{total}, nil
	}
	at := func(i int) numbered {
		if match != nil {
			return found[i]
		}
		return numbered{all[i], i}
	}
	if after := args.String("after"); after != "" {
		i := slices.IndexFunc(all, func(s *session.Session) bool { return s.ID() == after })
		switch {
		case i >= 0 && match != nil:
			offset, _ = slices.BinarySearchFunc(found, i+1, func(n numbered, want int) int { return n.index - want })
		case i >= 0:
			offset = i + 1
		case !args.Has("offset"): // that would do for a session that has left since
			e := errorf(CodeNoSuchSession, "there is no session with the id %s to begin after", Quote(clip(after, 64)))
			e.Argument = "after"
			return nil, e
		}
	}
	p := Page{Total: total, Offset: offset, Sessions: []Sess{}}
	for i := offset; i < total && len(p.Sessions) < limit; i++ {
		n := at(i)
		d, err := describe(n.s, n.index)
		if err != nil {
			return nil, err
		}
		p.Sessions = append(p.Sessions, d)
	}
	return p, nil
}

// pageArgs are the arguments of every command that lists sessions.
func pageArgs() []Arg {
	return []Arg{
		{Name: "long", Short: "l", Type: TypeBool, Option: true, Local: true, Help: "one line for each session: index, id, age, idle time, remote, path, origin, messages in and out, queued bytes or closing"},
		{Name: "count", Type: TypeBool, Option: true, Help: "only how many"},
		{Name: "offset", Type: TypeInt, Option: true, Default: "0", Help: "leave out so many first"},
		{Name: "limit", Type: TypeInt, Option: true, Default: "100 in the API, all on a command line", Help: "so many at most; one answer of the API has at most 1000"},
		{Name: "after", Type: TypeString, Option: true, Help: "begin after the session with this id: the last one of the page before; with an offset, that serves when the session has left"},
	}
}
