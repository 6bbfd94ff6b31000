package session

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// FilterRecord is what a Filter looks at. Those of its members that come from the request are only needed when Filter.NeedsRequest.
type FilterRecord struct {
	ID, Remote, Protocol     string
	Mount                    string
	Auth                     string // the Identity's name
	Port                     int
	Age, Idle                time.Duration
	MessagesIn, MessagesOut  uint64
	BytesIn, BytesOut        uint64
	Dropped, Queued, Pending uint64

	// From the request. The names of headers are in lower case.
	Host, Origin, Key, Path, Resource string
	Query, Header, Cookie             map[string][]string
}

// Filter selects sessions: every one of its terms must hold. It is immutable and safe for concurrent use.
type Filter struct {
	terms        []term
	needsRequest bool
}

// NeedsRequest reports whether a term looks at the request, which costs more to get than the rest.
func (f *Filter) NeedsRequest() bool { return f.needsRequest }

// Match reports whether every term holds for the record.
func (f *Filter) Match(r *FilterRecord) bool {
	for _, t := range f.terms {
		if !t(r) {
			return false
		}
	}
	return true
}

type term func(*FilterRecord) bool

// field is one name a term may begin with. One of its functions is set.
type field struct {
	name    string
	request bool
	text    func(*FilterRecord) string
	count   func(*FilterRecord) uint64
	time    func(*FilterRecord) time.Duration
	named   func(*FilterRecord) map[string][]string // NAME.key
}

var filterFields = []field{
	{name: "id", text: func(r *FilterRecord) string { return r.ID }},
	{name: "remote", text: func(r *FilterRecord) string { return r.Remote }},
	{name: "port", count: func(r *FilterRecord) uint64 { return uint64(r.Port) }},
	{name: "mount", text: func(r *FilterRecord) string { return r.Mount }},
	{name: "host", request: true, text: func(r *FilterRecord) string { return r.Host }},
	{name: "origin", request: true, text: func(r *FilterRecord) string { return r.Origin }},
	{name: "path", request: true, text: func(r *FilterRecord) string { return r.Path }},
	{name: "resource", request: true, text: func(r *FilterRecord) string { return r.Resource }},
	{name: "key", request: true, text: func(r *FilterRecord) string { return r.Key }},
	{name: "protocol", text: func(r *FilterRecord) string { return r.Protocol }},
	{name: "auth", text: func(r *FilterRecord) string { return r.Auth }},
	{name: "query", request: true, named: func(r *FilterRecord) map[string][]string { return r.Query }},
	{name: "header", request: true, named: func(r *FilterRecord) map[string][]string { return r.Header }},
	{name: "cookie", request: true, named: func(r *FilterRecord) map[string][]string { return r.Cookie }},
	{name: "age", time: func(r *FilterRecord) time.Duration { return r.Age }},
	{name: "idle", time: func(r *FilterRecord) time.Duration { return r.Idle }},
	{name: "messages_in", count: func(r *FilterRecord) uint64 { return r.MessagesIn }},
	{name: "messages_out", count: func(r *FilterRecord) uint64 { return r.MessagesOut }},
	{name: "bytes_in", count: func(r *FilterRecord) uint64 { return r.BytesIn }},
	{name: "bytes_out", count: func(r *FilterRecord) uint64 { return r.BytesOut }},
	{name: "queued", count: func(r *FilterRecord) uint64 { return r.Queued }},
	{name: "dropped", count: func(r *FilterRecord) uint64 { return r.Dropped }},
	{name: "pending", count: func(r *FilterRecord) uint64 { return r.Pending }},
}

// FilterFields lists the fields a term may begin with, as they are written.
func FilterFields() []string {
	names := make([]string, len(filterFields))
	for i, f := range filterFields {
		names[i] = f.name
		if f.named != nil {
			names[i] += ".NAME"
		}
	}
	return names
}

// ParseFilter reads an expression such as
//
//	host=localhost origin~^https query.user=7 remote=10.0.0.0/8 idle>30s messages_in>100 header.user-agent~"Mobile Safari"
//
// Its terms, FIELD OP VALUE, are separated by blanks and must all hold. Text is compared with = and !=, or with ~ and !~ by regular expression;
// counts and durations also with < <= > >=. What a request does not have reads as empty.
func ParseFilter(expr string) (*Filter, error) {
	words, err := splitTerms(expr)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("the filter is empty; a term is FIELD OP VALUE with a field of: %s", strings.Join(FilterFields(), ", "))
	}
	f := &Filter{}
	for _, w := range words {
		t, request, err := parseTerm(w)
		if err != nil {
			return nil, err
		}
		f.terms = append(f.terms, t)
		f.needsRequest = f.needsRequest || request
	}
	return f, nil
}

// splitTerms splits at blanks outside double quotes. A backslash within quotes takes the next character as it is.
func splitTerms(expr string) ([]string, error) {
	var words []string
	var b strings.Builder
	inWord, inQuotes, escaped := false, false, false
	for _, r := range expr {
		switch {
		case escaped:
			if r != '"' && r != '\\' {
				b.WriteByte('\\') // a pattern's own backslash
			}
			b.WriteRune(r)
			escaped = false
		case inQuotes && r == '\\':
			escaped = true
		case r == '"':
			inQuotes, inWord = !inQuotes, true
		case !inQuotes && unicode.IsSpace(r):
			if inWord {
				words = append(words, b.String())
				b.Reset()
				inWord = false
			}
		default:
			inWord = true
			b.WriteRune(r)
		}
	}
	if inQuotes {
		return nil, fmt.Errorf("a quote is not closed in the filter")
	}
	if inWord {
		words = append(words, b.String())
	}
	return words, nil
}

// filterOps, those of two characters first.
var filterOps = []string{"!=", "!~", "<=", ">=", "=", "~", "<", ">"}

func parseTerm(word string) (t term, request bool, err error) {
	at := strings.IndexAny(word, "=!~<>")
	if at < 0 {
		return nil, false, fmt.Errorf("%q has no operator: a term is FIELD OP VALUE, such as host=localhost; "+
			"a value with blanks goes in double quotes", word)
	}
	i := slices.IndexFunc(filterOps, func(op string) bool { return strings.HasPrefix(word[at:], op) })
	if i < 0 {
		return nil, false, fmt.Errorf("%q has no operator after %q: one of %s", word, word[:at], strings.Join(filterOps, " "))
	}
	op := filterOps[i]
	name, value := word[:at], word[at+len(op):]
	base, key, isNamed := strings.Cut(name, ".")
	i = slices.IndexFunc(filterFields, func(f field) bool { return f.name == base && isNamed == (f.named != nil) })
	if i < 0 || isNamed && key == "" {
		return nil, false, fmt.Errorf("no field %q; there are: %s", name, strings.Join(FilterFields(), ", "))
	}
	f := filterFields[i]
	switch {
	case f.count != nil:
		t, err = countTerm(f, op, value)
	case f.time != nil:
		t, err = durationTerm(f, op, value)
	case f.named != nil:
		t, err = namedTerm(f, key, op, value)
	default:
		t, err = textTerm(f, op, value)
	}
	return t, f.request, err
}

// textTest makes the test of = and ~; negated tells of != and !~.
func textTest(name, op, value string) (test func(string) bool, negated bool, err error) {
	switch op {
	case "=", "!=":
		return func(s string) bool { return s == value }, op == "!=", nil
	case "~", "!~":
		re, err := regexp.Compile(value)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return re.MatchString, op == "!~", nil
	}
	return nil, false, fmt.Errorf("%s is text: compare it with = != ~ or !~, not %s", name, op)
}

func textTerm(f field, op, value string) (term, error) {
	test, negated, err := textTest(f.name, op, value)
	if err != nil {
		return nil, err
	}
	if f.name == "remote" && (op == "=" || op == "!=") {
		if test, err = remoteTest(value); err != nil {
			return nil, err
		}
	}
	return func(r *FilterRecord) bool { return test(f.text(r)) != negated }, nil
}

// remoteTest compares addresses, not their spelling, and knows networks. The record's address may carry a port.
func remoteTest(value string) (func(string) bool, error) {
	parse := func(s string) (netip.Addr, bool) {
		if ap, err := netip.ParseAddrPort(s); err == nil {
			return ap.Addr().Unmap(), true
		}
		a, err := netip.ParseAddr(s)
		return a.Unmap(), err == nil
	}
	if want, err := netip.ParsePrefix(value); err == nil {
		return func(s string) bool { a, ok := parse(s); return ok && want.Contains(a) }, nil
	}
	if strings.Contains(value, "/") && !strings.HasPrefix(value, "/") {
		return nil, fmt.Errorf("remote: %q is not a network such as 10.0.0.0/8", value)
	}
	want, isAddr := parse(value)
	return func(s string) bool {
		a, ok := parse(s)
		return s == value || isAddr && ok && a == want
	}, nil
}

// namedTerm holds when one of the values passes; negated, when none does.
func namedTerm(f field, key, op, value string) (term, error) {
	test, negated, err := textTest(f.name+"."+key, op, value)
	if err != nil {
		return nil, err
	}
	if f.name == "header" {
		key = strings.ToLower(key)
	}
	return func(r *FilterRecord) bool {
		values := f.named(r)[key]
		if len(values) == 0 {
			return test("") != negated
		}
		return slices.ContainsFunc(values, test) != negated
	}, nil
}

func countTerm(f field, op, value string) (term, error) {
	holds, err := ordered[uint64](f.name, op)
	if err != nil {
		return nil, err
	}
	want, err := parseCount(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a number such as 100 or 64KiB", f.name, value)
	}
	return func(r *FilterRecord) bool { return holds(f.count(r), want) }, nil
}

// parseCount reads a number with an optional binary unit.
func parseCount(s string) (uint64, error) {
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(number, 10, 32)
			return n << (10 * (i + 1)), err
		}
	}
	return strconv.ParseUint(s, 10, 64)
}

func durationTerm(f field, op, value string) (term, error) {
	holds, err := ordered[time.Duration](f.name, op)
	if err != nil {
		return nil, err
	}
	want, err := parseAge(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a duration such as 30s, 5m, 12h or 2d", f.name, value)
	}
	return func(r *FilterRecord) bool { return holds(f.time(r), want) }, nil
}

func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// ordered gives the comparison an operator stands for.
func ordered[T ~uint64 | ~int64](name, op string) (func(a, b T) bool, error) {
	switch op {
	case "=":
		return func(a, b T) bool { return a == b }, nil
	case "!=":
		return func(a, b T) bool { return a != b }, nil
	case "<":
		return func(a, b T) bool { return a < b }, nil
	case "<=":
		return func(a, b T) bool { return a <= b }, nil
	case ">":
		return func(a, b T) bool { return a > b }, nil
	case ">=":
		return func(a, b T) bool { return a >= b }, nil
	}
	return nil, fmt.Errorf("%s is a number: compare it with = != < <= > or >=, not %s", name, op)
}
