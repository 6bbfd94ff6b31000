package session

import (
	"bytes"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/nvsess/nvsess/internal/ws"
)

// RequestRecord is the handshake of a session in nv-session-simple's shape:
// everything that a filter, an operator or a verify hook may ask. It is read
// from the stored head whenever it is asked for, since a parsed record would
// cost each idle session several times the memory of the head itself.
//
// RemoteAddress is the client's as far as it can be trusted: a proxy's word
// counts only when the peer is a trusted proxy, and of a chain of proxies the
// last address that is not one of them. (nv-session-simple took the first
// entry of X-Forwarded-For, which a client can write itself.)
type RequestRecord struct {
	Cookies             []Cookie    `json:"cookies"`
	Host                string      `json:"host"`
	Key                 string      `json:"key"`
	Origin              string      `json:"origin"`
	RemoteAddress       string      `json:"remoteAddress,omitempty"`
	RemoteAddresses     []string    `json:"remoteAddresses"`
	RequestedExtensions []Extension `json:"requestedExtensions"`
	RequestedProtocols  []string    `json:"requestedProtocols"` // nil, and null, when none
	Resource            string      `json:"resource"`
	ResourceURL         ResourceURL `json:"resourceURL"`
	WebSocketVersion    int         `json:"webSocketVersion"`
	HTTPRequest         HTTPRequest `json:"httpRequest"`
	Auth                *Identity   `json:"auth"` // ours; nil, and null, when nobody has authenticated
}

// Cookie is one cookie that the client sent.
type Cookie struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Extension is one offer of Sec-WebSocket-Extensions.
type Extension struct {
	Name   string           `json:"name"`
	Params []ExtensionParam `json:"params"`
}

// ExtensionParam is a parameter of an offer; Value is nil for a bare one.
type ExtensionParam struct {
	Name  string  `json:"name"`
	Value *string `json:"value,omitempty"`
}

// ResourceURL is the request's target as Node's url.parse gives it; what a
// target without scheme and host does not have is null.
type ResourceURL struct {
	Protocol *string `json:"protocol"`
	Slashes  *bool   `json:"slashes"`
	Auth     *string `json:"auth"`
	Host     *string `json:"host"`
	Port     *string `json:"port"`
	Hostname *string `json:"hostname"`
	Hash     *string `json:"hash"`
	Search   *string `json:"search"`
	Query    Object  `json:"query"`
	Pathname string  `json:"pathname"`
	Path     string  `json:"path"`
	Href     string  `json:"href"`
}

// HTTPRequest is the request that asked for the upgrade. Headers has its fields
// in the order they came, with names in lower case and equal ones joined.
type HTTPRequest struct {
	RemoteAddress string  `json:"remoteAddress,omitempty"` // of the socket's peer: a proxy, maybe
	RemotePort    int     `json:"remotePort,omitempty"`
	Host          string  `json:"host"`
	Hostname      string  `json:"hostname"`
	Port          *string `json:"port"`
	Method        string  `json:"method"`
	Path          string  `json:"path"`
	Headers       Object  `json:"headers"`
}

// Values is the value, or the values, as a list.
func (m Member) Values() []string {
	switch v := m.Value.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	}
	return nil
}

// Request reads the session's request record.
func (s *Session) Request() *RequestRecord {
	return s.mount.srv.record(s.head, s.conn.Peer(), s.identity)
}

// record reads a request record from the head of a request that was parsed
// before.
func (srv *Server) record(head string, peer ws.Peer, id *Identity) *RequestRecord {
	var r ws.Request
	_ = r.Parse([]byte(head), 0)
	rec := &RequestRecord{
		Cookies:             parseCookies(joined(&r, "cookie", "; ")),
		Host:                string(r.Host()),
		Key:                 string(r.Key()),
		Origin:              string(r.Origin()),
		RequestedExtensions: parseExtensions(joined(&r, "sec-websocket-extensions", ", ")),
		RequestedProtocols:  listItems(joined(&r, "sec-websocket-protocol", ", ")),
		Resource:            string(r.Target),
		ResourceURL:         parseResource(string(r.Target)),
		WebSocketVersion:    13,
		Auth:                id,
	}
	if len(rec.RequestedProtocols) == 0 {
		rec.RequestedProtocols = nil // as nv-session-simple has it
	}
	rec.RemoteAddress, rec.RemoteAddresses = srv.now().proxies.remote(&r, peer)
	hostname, port := splitHost(rec.Host)
	rec.HTTPRequest = HTTPRequest{
		RemoteAddress: addrString(peer.Addr.Addr()), RemotePort: int(peer.Addr.Port()),
		Host: rec.Host, Hostname: hostname, Port: port,
		Method: string(r.Method), Path: string(r.Target), Headers: headers(&r),
	}
	return rec
}

// RemoteAddr is the client's address as far as it can be trusted (see
// RequestRecord), or "" when it is not known.
func (s *Session) RemoteAddr() string {
	var r ws.Request
	_ = r.Parse([]byte(s.head), 0)
	addr, _ := s.mount.srv.now().proxies.remote(&r, s.conn.Peer())
	return addr
}

// Port is the peer's TCP port, or 0 on a unix socket.
func (s *Session) Port() int { return int(s.conn.Peer().Addr.Port()) }

// remote finds the client's address, and the whole chain: what the fields say,
// then the socket's peer.
func (p *proxies) remote(r *ws.Request, peer ws.Peer) (addr string, chain []string) {
	chain = []string{}
	if p.trustsPeer(peer) {
		chain = listItems(joined(r, "x-forwarded-for", ", "))
		if len(chain) == 0 {
			if real := string(r.Get("X-Real-IP")); real != "" {
				chain = append(chain, real)
			}
		}
	}
	if peer.Addr.IsValid() {
		chain = append(chain, addrString(peer.Addr.Addr()))
	}
	return addrString(p.client(peer, r)), chain
}

// client is the address part of remote, without the rest; see
// ws.Admission.Client for a nil request.
func (p *proxies) client(peer ws.Peer, r *ws.Request) netip.Addr {
	addr := peer.Addr.Addr()
	if !p.trustsPeer(peer) {
		return addr
	}
	if r == nil {
		return netip.Addr{}
	}
	hops := 0
	for i := len(r.Fields) - 1; i >= 0; i-- {
		f := &r.Fields[i]
		if len(f.Name) != len("X-Forwarded-For") || !strings.EqualFold(string(f.Name), "X-Forwarded-For") {
			continue
		}
		for list := f.Value; len(list) > 0; {
			j := bytes.LastIndexByte(list, ',')
			item := bytes.TrimSpace(list[j+1:])
			list = list[:max(j, 0)]
			if len(item) == 0 {
				continue
			}
			hops++
			hop, ok := parseHop(string(item))
			if !ok {
				return addr // whoever wrote that, the rest before it is worth no more
			}
			if addr = hop; !p.trusts(hop) {
				return addr
			}
		}
	}
	if hops == 0 {
		if hop, ok := parseHop(string(r.Get("X-Real-IP"))); ok {
			return hop
		}
	}
	return addr
}

// parseHop reads an entry of X-Forwarded-For, which may have a port. A zone,
// which can be any text and means nothing here, is dropped.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap().WithZone(""), err == nil
}

func addrString(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// joined returns all fields of a name (lower case) as one.
func joined(r *ws.Request, name, sep string) string {
	var parts []string
	for _, f := range r.Fields {
		if strings.EqualFold(string(f.Name), name) {
			parts = append(parts, string(f.Value))
		}
	}
	return strings.Join(parts, sep)
}

func listItems(list string) []string {
	items := []string{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func headers(r *ws.Request) Object {
	o := make(Object, 0, len(r.Fields))
next:
	for _, f := range r.Fields {
		name, value := strings.ToLower(string(f.Name)), string(f.Value)
		for i := range o {
			if o[i].Name == name {
				sep := ", "
				if name == "cookie" {
					sep = "; "
				}
				o[i].Value = o[i].Value.(string) + sep + value
				continue next
			}
		}
		o = append(o, Member{name, value})
	}
	return o
}

func parseCookies(field string) []Cookie {
	cookies := []Cookie{}
	for part := range strings.SplitSeq(field, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || name == "" {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		if s, err := url.PathUnescape(value); err == nil {
			value = s
		}
		cookies = append(cookies, Cookie{strings.TrimSpace(name), value})
	}
	return cookies
}

func parseExtensions(field string) []Extension {
	exts := []Extension{}
	for _, offer := range listItems(field) {
		parts := strings.Split(offer, ";")
		ext := Extension{Name: strings.TrimSpace(parts[0]), Params: []ExtensionParam{}}
		for _, p := range parts[1:] {
			name, value, has := strings.Cut(strings.TrimSpace(p), "=")
			param := ExtensionParam{Name: strings.TrimSpace(name)}
			if has {
				v := strings.Trim(strings.TrimSpace(value), `"`)
				param.Value = &v
			}
			ext.Params = append(ext.Params, param)
		}
		exts = append(exts, ext)
	}
	return exts
}

// maxQueryPairs bounds what a query may cost, equal names and empty pairs too;
// Node has the same.
const maxQueryPairs = 1000

func parseResource(target string) ResourceURL {
	u := ResourceURL{Href: target, Path: target, Query: Object{}}
	rest := target
	if scheme, after, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") {
		host := after
		if i := strings.IndexAny(after, "/?"); i >= 0 {
			host, rest = after[:i], after[i:]
		} else {
			rest = ""
		}
		if !strings.HasPrefix(rest, "/") {
			rest = "/" + rest
		}
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			auth := host[:i]
			u.Auth, host = &auth, host[i+1:]
		}
		hostname, port := splitHost(host)
		scheme, slashes := scheme+":", true
		u.Protocol, u.Slashes, u.Host, u.Hostname, u.Port = &scheme, &slashes, &host, &hostname, port
		u.Path = rest
	}
	path, query, has := strings.Cut(rest, "?")
	u.Pathname = path
	if has {
		search := "?" + query
		u.Search = &search
		pairs := 0
		for pair := range strings.SplitSeq(query, "&") {
			if pairs++; pairs > maxQueryPairs {
				break
			}
			if pair == "" {
				continue
			}
			name, value, _ := strings.Cut(pair, "=")
			u.Query.add(unescapeQuery(name), unescapeQuery(value))
		}
	}
	return u
}

// unescapeQuery keeps what is not a valid escape as it is, as Node does.
func unescapeQuery(s string) string {
	if v, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(v, "\ufffd")
	}
	return s
}

func splitHost(host string) (name string, port *string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.Contains(host[i:], "]") {
		if _, err := strconv.ParseUint(host[i+1:], 10, 16); err == nil {
			p := host[i+1:]
			return host[:i], &p
		}
	}
	return host, nil
}
