package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A Mount is a set of paths for sessions, and what holds there. What its table does not say it has from the top level: AllMounts.
type Mount struct {
	Paths           []string
	Mode            string
	Subprotocols    []string
	Origins         []string
	Compression     string
	Auth            string
	MaxFrameBytes   int
	MaxMessageBytes int // at least MaxFrameBytes
	MaxFragments    int

	MessagesPerSecond int // see Limits
	MessagesBurst     int
	BytesPerSecond    int
	BytesBurst        int // at least MaxMessageBytes unless RatePolicy is PolicyDelay
	RatePolicy        string

	Headers  []string // of the answer to a handshake, "Name: value"
	Sessions int      // the most at a time; 0: no limit

	own map[string]bool // the keys its table has
}

// mountKeys is a [[mount]] table. A new key of the top level becomes one of a mount by a line here.
var mountKeys = []key[Mount]{
	bind("paths", func(m *Mount) *[]string { return &m.Paths }, paths(1)),
	inherit("mode", func(m *Mount) *string { return &m.Mode }, modes()),
	inherit("subprotocols", func(m *Mount) *[]string { return &m.Subprotocols }, subprotocols()),
	inherit("origins", func(m *Mount) *[]string { return &m.Origins }, origins()),
	inherit("compression", func(m *Mount) *string { return &m.Compression }, compressions()),
	inherit("auth", func(m *Mount) *string { return &m.Auth }, authModes()),
	inherit("max_frame_bytes", func(m *Mount) *int { return &m.MaxFrameBytes }, messageBytes()),
	inherit("max_message_bytes", func(m *Mount) *int { return &m.MaxMessageBytes }, messageBytes()),
	inherit("max_fragments", func(m *Mount) *int { return &m.MaxFragments }, fragments()),
	inherit("messages_per_second", func(m *Mount) *int { return &m.MessagesPerSecond }, messageRate()),
	inherit("messages_burst", func(m *Mount) *int { return &m.MessagesBurst }, messageBurst()),
	inherit("bytes_per_second", func(m *Mount) *int { return &m.BytesPerSecond }, byteRate()),
	inherit("bytes_burst", func(m *Mount) *int { return &m.BytesBurst }, byteBurst()),
	inherit("rate_policy", func(m *Mount) *string { return &m.RatePolicy }, ratePolicy()),
	inherit("headers", func(m *Mount) *[]string { return &m.Headers }, headers()),
	bind("sessions", func(m *Mount) *int { return &m.Sessions }, integer(0, 1<<30)),
}

// topMount is the mount that the top level is, from which the others have what they do not say.
func (c *Config) topMount() Mount {
	return Mount{
		Paths: c.Paths, Mode: c.Mode, Subprotocols: c.Subprotocols, Origins: c.Handshake.Origins, Compression: c.Compression, Auth: c.Auth.Mode,
		MaxFrameBytes: c.Message.MaxFrameBytes, MaxMessageBytes: c.Message.MaxMessageBytes, MaxFragments: c.Message.MaxFragments,
		MessagesPerSecond: c.Limits.MessagesPerSecond, MessagesBurst: c.Limits.MessagesBurst,
		BytesPerSecond: c.Limits.BytesPerSecond, BytesBurst: c.Limits.BytesBurst, RatePolicy: c.Limits.Policy,
		Headers: c.Handshake.Headers,
	}
}

// checkBurst refuses limits that the largest message would break when it comes fast.
func (m *Mount) checkBurst() error {
	if m.RatePolicy != PolicyDelay && m.BytesPerSecond > 0 && m.BytesBurst < m.MaxMessageBytes {
		return fmt.Errorf("a message may have %d bytes, of which %d may come at once", m.MaxMessageBytes, m.BytesBurst)
	}
	return nil
}

// inherit makes a key of a mount that has its value from the top level unless its table says another.
func inherit[T any](name string, field func(*Mount) *T, k kind[T]) key[Mount] {
	b := bind(name, field, k)
	set := b.set
	b.set = func(m *Mount, v any) error {
		if m.own == nil {
			m.own = map[string]bool{}
		}
		m.own[name] = true
		return set(m, v)
	}
	b.check = func(m *Mount) error {
		if !m.own[name] {
			return nil
		}
		return k.check(*field(m))
	}
	b.inherit = func(m, top *Mount) {
		if !m.own[name] {
			*field(m) = *field(top)
		}
	}
	return b
}

// AllMounts are the mount of the top level, then those of the tables, each with all its values. The top level's serves any path that
// no other does when it has no Paths.
func (c *Config) AllMounts() []Mount {
	top := c.topMount()
	all := []Mount{top}
	for _, m := range c.Mounts {
		for _, k := range mountKeys {
			if k.inherit != nil {
				k.inherit(&m, &top)
			}
		}
		all = append(all, m)
	}
	return all
}

// A Route is what becomes of requests without an upgrade to a path: one of Files, Proxy and Redirect.
type Route struct {
	Path     string
	Files    string   // a directory for a prefix, a file for an exact path; absolute
	Proxy    string   // "http://host:port", "https://host" or "http+unix:///socket:/path"
	Redirect string   // a URL or path; ending in "/*": followed by what the star of Path stands for
	Status   int      // of a redirect; 0: 302
	Headers  []string // of the answer, "Name: value"
}

var routeKeys = []key[Route]{
	bind("path", func(r *Route) *string { return &r.Path }, path()),
	bind("files", func(r *Route) *string { return &r.Files }, text(`an absolute path of a directory, or of a file for an exact path`, checkFile)),
	bind("proxy", func(r *Route) *string { return &r.Proxy },
		text(`"http://HOST:PORT", "https://HOST" or "http+unix:///SOCKET:/PATH"`, checkBackend)),
	bind("redirect", func(r *Route) *string { return &r.Redirect }, text(`"https://HOST/PATH" or "/path", which may end in "/*"`, checkRedirect)),
	bind("status", func(r *Route) *int { return &r.Status }, redirectStatus()),
	bind("headers", func(r *Route) *[]string { return &r.Headers }, headers()),
}

func redirectStatus() kind[int] {
	k := integer(0, 999)
	k.allowed = "301, 302, 307, 308"
	k.check = func(n int) error {
		switch n {
		case 0, 301, 302, 307, 308:
			return nil
		}
		return fmt.Errorf("%d is not a redirect's", n)
	}
	return k
}

// checkBackend accepts what checkWebhook does, but no query, for the request has its own.
func checkBackend(s string) error {
	if s != "" && strings.ContainsAny(s, "?") {
		return fmt.Errorf("%q has a query", s)
	}
	return checkWebhook(s)
}

func checkRedirect(s string) error {
	if s == "" {
		return nil
	}
	fixed := strings.TrimSuffix(s, "/*")
	u, err := url.Parse(fixed)
	switch {
	case err != nil || strings.ContainsFunc(fixed, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' || r == '\\' }):
		return fmt.Errorf("%q is not a URL", s)
	case u.IsAbs() && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""), !u.IsAbs() && (!strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//")):
		return fmt.Errorf("%q is neither a web address nor a path", s)
	}
	return nil
}

// tableProblems are what the tables' keys cannot tell alone.
func (c *Config) tableProblems(lines map[string]int) (ps Problems) {
	problem := func(key, allowed, format string, args ...any) {
		ps = append(ps, Problem{Line: lineIn(lines, key), Key: key, What: fmt.Sprintf(format, args...), Allowed: allowed})
	}
	owner := map[string]string{} // of each path
	claim := func(path, key string) {
		if other := owner[path]; other != "" {
			problem(key, "each path in one place", "%q is in %s as well", path, other)
			return
		}
		owner[path] = key
	}
	for _, p := range c.Paths {
		claim(p, "paths")
	}
	for i, m := range c.AllMounts()[1:] {
		at := fmt.Sprintf("mount[%d].", i)
		for _, p := range m.Paths {
			claim(p, at+"paths")
		}
		if m.MaxMessageBytes < m.MaxFrameBytes {
			problem(at+cmp.Or(m.ownOf("max_message_bytes", "max_frame_bytes"), "max_frame_bytes"), "max_frame_bytes up to max_message_bytes",
				"a message is at least one frame, but max_message_bytes is %d and max_frame_bytes is %d", m.MaxMessageBytes, m.MaxFrameBytes)
		}
	}
	for i, m := range c.AllMounts()[1:] {
		for _, r := range mountAuthRules {
			if key := m.ownOf(r.keys...); key != "" {
				if err := r.check(&c.Auth, &m); err != nil {
					problem(fmt.Sprintf("mount[%d].%s", i, key), r.allowed, "%v", err)
				}
			}
		}
		if err := m.checkBurst(); err != nil {
			key := m.ownOf("bytes_burst", "rate_policy", "max_message_bytes", "bytes_per_second")
			problem(fmt.Sprintf("mount[%d].%s", i, cmp.Or(key, "bytes_burst")), `max_message_bytes up to bytes_burst, or rate_policy = "delay"`, "%v", err)
		}
	}
	pages := c.pages()
	if key := pages[c.HTTP.HealthPath]; key != "" && c.HTTP.HealthPath != "" {
		problem("http.health_path", "a path of its own", "%q is in %s as well", c.HTTP.HealthPath, key)
	}
	if key := owner[c.HTTP.HealthPath]; key != "" {
		problem(key, "each path in one place", "%q is in http.health_path as well", c.HTTP.HealthPath)
	}
	pages[c.HTTP.HealthPath] = "http.health_path"
	for i, r := range c.Routes {
		at := fmt.Sprintf("route[%d]", i)
		claim(r.Path, at+".path")
		if key := pages[r.Path]; key != "" {
			problem(at+".path", "each path in one place", "%q is in %s as well", r.Path, key)
		} else if dir := strings.TrimSuffix(r.Path, "*"); c.Web.ClientPath != "" && dir == c.Web.ClientPath {
			problem(at+".path", "each path in one place", "%q is the directory of web.client_path", r.Path)
		}
		if err := r.check(); err != nil {
			problem(at, "one of files, proxy and redirect; status with redirect", "%v", err)
		}
	}
	for i, r := range c.Routes {
		if r.Path != "" && strings.HasPrefix(r.Redirect, "/") && pages[r.target()] == "" && bestFit(owner, r.target()) == r.Path {
			problem(fmt.Sprintf("route[%d].redirect", i), "a redirect to another place", "%q is at %q again, for ever", r.Redirect, r.Path)
		}
	}
	return ps
}

// ownOf is the first of the keys that the mount's table has.
func (m *Mount) ownOf(names ...string) string {
	for _, n := range names {
		if m.own[n] {
			return n
		}
	}
	return ""
}

// pages are the paths of what the daemon itself serves, each with its key.
func (c *Config) pages() map[string]string {
	list := map[string]string{}
	if dir := c.Web.ClientPath; dir != "" {
		for _, name := range []string{"nvsess.mjs", "bwsess.js", "nvsess.d.ts"} {
			list[dir+name] = "web.client_path"
		}
	}
	if dir := c.Web.DemoPath; dir != "" {
		list[dir], list[dir+"nvsess.mjs"] = "web.demo_path", "web.demo_path"
	}
	return list
}

func (r *Route) check() error {
	n := 0
	for _, s := range []string{r.Files, r.Proxy, r.Redirect} {
		if s != "" {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("it has %d of files, proxy and redirect", n)
	case r.Status != 0 && r.Redirect == "":
		return errors.New("status is a redirect's")
	case strings.HasSuffix(r.Redirect, "/*") && !strings.HasSuffix(r.Path, "/*"):
		return fmt.Errorf("the redirect %q has a star, but the path %q has none", r.Redirect, r.Path)
	}
	return nil
}

// target is a path that a redirect leads to.
func (r *Route) target() string {
	to, _, _ := strings.Cut(strings.TrimSuffix(r.Redirect, "*"), "?")
	to, _, _ = strings.Cut(to, "#")
	return to
}

// bestFit is which of the patterns fits a path best, or "".
func bestFit(patterns map[string]string, path string) (best string) {
	if patterns[path] != "" {
		return path
	}
	for p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "/*"); ok && len(p) > len(best) && (path == prefix || strings.HasPrefix(path, prefix+"/")) {
			best = p
		}
	}
	return best
}
