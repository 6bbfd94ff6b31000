package admin

import (
	"context"

	"github.com/nvsess/nvsess/internal/session"
)

func sessionCommands() []*Command {
	const group = "Sessions"
	return []*Command{
		{
			Name: "sesses", Group: group, ReadOnly: true, Pages: true,
			Summary: "list the sessions, oldest first",
			Help: "Prints the sessions as Node prints nv-session-simple's Map of Sess, or as a table with -l.\n\n" +
				"A command line prints them all. The API gives a page: ask for the next one with after, the id of the last session you have.",
			Args: pageArgs(),
			Examples: []Example{
				{"sesses", "all of them, as Node prints them"},
				{"sesses -l", "a table"},
				{"sesses --count", "how many"},
				{"sesses --offset 100 --limit 50", "a page"},
			},
			Run:   func(_ context.Context, c *Call) (any, error) { return page(c.Sessions.Sessions(), c.Args, nil) },
			Print: printSessions,
		},
		{
			Name: "fst_sess", Group: group, ReadOnly: true,
			Summary:  "show the session that has been here longest",
			Args:     []Arg{requestArg()},
			Examples: []Example{{"fst_sess", ""}},
			Run:      func(_ context.Context, c *Call) (any, error) { return c.one(c.Sessions.First()) },
			Print:    printSession,
		},
		{
			Name: "lst_sess", Group: group, ReadOnly: true,
			Summary:  "show the session that came last",
			Args:     []Arg{requestArg()},
			Examples: []Example{{"lst_sess", ""}},
			Run:      func(_ context.Context, c *Call) (any, error) { return c.one(c.Sessions.Last()) },
			Print:    printSession,
		},
		{
			Name: "get_sess", Group: group, ReadOnly: true,
			Summary:  "show one session",
			Help:     "Without SESS it is the first one, as in nv-session-simple.",
			Args:     []Arg{{Name: "session", Type: TypeSession, Default: "0", Help: sessArg().Help}, requestArg()},
			Examples: []Example{{"get_sess 0", "the first"}, {"get_sess lst", "the last"}, {"get_sess INvQ9Xzz", "the one whose id begins so"}, {"get_sess lst --request", "its request, headers and all"}},
			Run: func(_ context.Context, c *Call) (any, error) {
				if !c.Args.Has("session") {
					return c.one(c.Sessions.First())
				}
				s, err := c.find()
				if err != nil {
					return nil, err
				}
				return c.one(s)
			},
			Print: printSession,
		},
		{
			Name: "get_sess_with_port", Group: group, ReadOnly: true,
			Summary:  "show the session that comes from a TCP port",
			Help:     "Sessions on a unix socket (behind nginx, for one) have no port and are never found.",
			Args:     []Arg{{Name: "port", Type: TypeInt, Required: true, Max: 65535, Help: "the peer's TCP port"}},
			Examples: []Example{{"get_sess_with_port 60614", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				port := c.Args.Int("port")
				var s *session.Session
				if port > 0 {
					s = c.Sessions.ByPort(port)
				}
				if s == nil {
					return nil, errorf(CodeNoSuchSession, "no session comes from TCP port %d", port)
				}
				return c.one(s)
			},
			Print: printSession,
		},
		{
			Name: "sess_filter", Group: group, ReadOnly: true, Pages: true,
			Summary: "list the sessions for which every term holds",
			Help:    filterHelp,
			Args: append([]Arg{{Name: "expr", Type: TypeWords, Required: true, Help: "terms FIELD OP VALUE, all of which must hold"}},
				pageArgs()...),
			Examples: []Example{
				{"sess_filter host=localhost", ""},
				{"sess_filter origin~^https query.user=7 -l", "one line each"},
				{"sess_filter remote=10.0.0.0/8 idle>30s messages_in>100", ""},
				{`sess_filter header.user-agent~Firefox query.name="John Smith" --count`, "a value with a blank"},
			},
			Run: func(ctx context.Context, c *Call) (any, error) {
				match, err := c.filter(ctx, "expr", c.Args.String("expr"))
				if err != nil {
					return nil, err
				}
				return c.matching(ctx, match)
			},
			Print: printSessions,
		},
		{
			Name: "rgx_sess_filter", Group: group, ReadOnly: true, Pages: true,
			Summary: "list the sessions whose request matches a pattern",
			Help: "The pattern is looked for in the request record written as JSON on one line: what verify hooks see, headers and all.\n\n" +
				"/PATTERN/ and /PATTERN/i are regular expressions (RE2 syntax; flags i, m, s). Without slashes a session matches when the text " +
				"occurs in its record, as a regular expression or as it stands.",
			Args: append([]Arg{{Name: "regex", Type: TypeWords, Required: true, Help: "/REGEX/, /REGEX/i, or text"}}, pageArgs()...),
			Examples: []Example{
				{"rgx_sess_filter /chrome|firefox/i -l", "a regular expression"},
				{"rgx_sess_filter 192.168.1.103", "text"},
			},
			Run: func(ctx context.Context, c *Call) (any, error) {
				match, err := recordMatcher(ctx, c.Args.String("regex"))
				if err != nil {
					return nil, err
				}
				return c.matching(ctx, match)
			},
			Print: printSessions,
		},
		{
			Name: "close", Group: group,
			Summary: "close one session",
			Help:    "The code is one an endpoint may send: 1000 to 1003, 1007 to 1014, or 3000 to 4999. The reason has at most 123 bytes.",
			Args: []Arg{
				sessArg(),
				{Name: "code", Type: TypeInt, Max: 4999, Default: "1000", Help: "the close code"},
				{Name: "reason", Type: TypeText, Help: "a reason the peer may show"},
			},
			Examples: []Example{{"close lst", ""}, {"close INvQ9Xzz 1001 back in an hour", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				s, err := c.find()
				if err != nil {
					return nil, err
				}
				code := 1000
				if c.Args.Has("code") {
					code = c.Args.Int("code")
				}
				if err := s.Close(code, c.Args.String("reason")); err != nil {
					if e := asError(err); e.Code != CodeInternal {
						return nil, e
					}
					return nil, badArg("code", "%s", plainly(err))
				}
				return closed{s.ID(), code, c.Args.String("reason")}, nil
			},
			Print: printClosed,
		},
	}
}

// requestArg asks for what nv-session-simple keeps as sess.req_.
func requestArg() Arg {
	return Arg{Name: "request", Type: TypeBool, Option: true, Help: "the request the session came with, as verify hooks see it: nv-session-simple's sess.req_"}
}

// closed is the answer of close.
type closed struct {
	Session string `json:"session"`
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
}

// matching lists the sessions a predicate selects; the caller going away ends the search.
func (c *Call) matching(ctx context.Context, match func(*session.Session) bool) (any, error) {
	p, err := page(c.Sessions.Sessions(), c.Args, func(s *session.Session) bool { return ctx.Err() == nil && match(s) })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return p, err
}
