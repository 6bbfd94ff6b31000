package admin

import (
	"context"
	"regexp"
	"strings"

	"github.com/nvsess/nvsess/internal/session"
)

var filterHelp = "A term is FIELD OP VALUE without blanks between them; several terms are ANDed. A value with blanks goes in double quotes.\n\n" +
	"OP is = or !=, ~ or !~ (regular expression, RE2), and for numbers, sizes (64KiB) and durations (30s, 5m, 2d) also < <= > >=. " +
	"remote also takes a network (10.0.0.0/8). A missing text reads as empty.\n\n" +
	"Fields: " + strings.Join(session.FilterFields(), ", ") + "."

// filter makes a predicate of a filter expression.
func (c *Call) filter(ctx context.Context, arg, expr string) (func(*session.Session) bool, error) {
	f, err := session.ParseFilter(expr)
	if err != nil {
		return nil, badArg(arg, "%s", plainly(err))
	}
	return func(s *session.Session) bool {
		return ctx.Err() == nil && f.Match(filterRecord(s, f.NeedsRequest()))
	}, nil
}

// filterRecord is what a filter sees of a session.
func filterRecord(s *session.Session, withRequest bool) *session.FilterRecord {
	stats := s.Stats()
	r := &session.FilterRecord{
		ID: s.ID(), Remote: s.RemoteAddr(), Protocol: s.Protocol(), Port: s.Port(), Mount: s.Mount(), Auth: authName(s),
		Age: s.Age(), Idle: s.IdleFor(),
		MessagesIn: stats.MessagesIn, MessagesOut: stats.MessagesOut, BytesIn: stats.BytesIn, BytesOut: stats.BytesOut,
		Dropped: stats.Dropped, Queued: stats.QueuedBytes, Pending: uint64(stats.Pending),
	}
	if withRequest {
		req := s.Request()
		r.Host, r.Origin, r.Key, r.Resource, r.Path = req.Host, req.Origin, req.Key, req.Resource, req.ResourceURL.Pathname
		r.Query, r.Header, r.Cookie = valuesOf(req.ResourceURL.Query), valuesOf(req.HTTPRequest.Headers), map[string][]string{}
		for _, c := range req.Cookies {
			r.Cookie[c.Name] = append(r.Cookie[c.Name], c.Value)
		}
	}
	return r
}

// authName is who has opened a session, or "".
func authName(s *session.Session) string {
	if id := s.Identity(); id != nil {
		return id.Name
	}
	return ""
}

func valuesOf(o session.Object) map[string][]string {
	m := make(map[string][]string, len(o))
	for _, member := range o {
		m[member.Name] = member.Values()
	}
	return m
}

// recordMatcher makes a predicate of the pattern of rgx_sess_filter.
func recordMatcher(ctx context.Context, pattern string) (func(*session.Session) bool, error) {
	match, err := textMatcher(pattern)
	if err != nil {
		return nil, err
	}
	return func(s *session.Session) bool {
		if ctx.Err() != nil {
			return false
		}
		record, err := marshal(s.Request())
		return err == nil && match(string(record))
	}, nil
}

// textMatcher reads /REGEX/flags or a bare text.
func textMatcher(pattern string) (func(string) bool, error) {
	if body, flags, ok := slashed(pattern); ok {
		if flags = strings.Map(keep("ims"), flags); flags != "" { // JavaScript's g and u change nothing here
			body = "(?" + flags + ")" + body
		}
		re, err := regexp.Compile(body)
		if err != nil {
			return nil, badArg("regex", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return re.MatchString, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return func(s string) bool { return strings.Contains(s, pattern) }, nil
	}
	return func(s string) bool { return strings.Contains(s, pattern) || re.MatchString(s) }, nil
}

func slashed(pattern string) (body, flags string, ok bool) {
	end := strings.LastIndexByte(pattern, '/')
	if len(pattern) < 2 || pattern[0] != '/' || end == 0 {
		return "", "", false
	}
	flags = pattern[end+1:]
	if strings.Trim(flags, "imsgu") != "" {
		return "", "", false // a path, perhaps
	}
	return pattern[1:end], flags, true
}

// keep is a strings.Map function that lets only these characters through.
func keep(chars string) func(rune) rune {
	return func(r rune) rune {
		if strings.ContainsRune(chars, r) {
			return r
		}
		return -1
	}
}
