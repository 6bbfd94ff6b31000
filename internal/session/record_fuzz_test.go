package session

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/ws"
)

// parsed is a handshake of the given field lines, or false when one cannot be
// in a request.
func parsed(t *testing.T, target string, fields ...string) (r ws.Request, head string, ok bool) {
	t.Helper()
	head = "GET " + target + " HTTP/1.1\r\nHost: example.com\r\n" + handshakeFields
	for _, f := range fields {
		if strings.ContainsAny(f, "\r\n") {
			return r, "", false
		}
		head += f + "\r\n"
	}
	head += "\r\n"
	ok = r.Parse([]byte(head), 0) == nil && len(r.Fields) == 5+len(fields)
	return r, head, ok
}

// FuzzForwarded: whom the forwarded headers make the client. A peer that is not
// trusted has no say; a client cannot write itself an address before the one that
// a trusted proxy saw; how the list is cut into fields does not matter.
func FuzzForwarded(f *testing.F) {
	for _, chain := range []string{"", "1.2.3.4", "6.6.6.6, 10.1.1.1", "[2001:db8::1]:443 , ::ffff:1.2.3.4", "fe80::1%eth0", "unknown, 1.2.3.4:80", ",,", "_hidden",
		"10.0.0.1,10.0.0.2", "1.2.3.4\t,\t 10.9.9.9", "[::1", "1.2.3.4:99999", "010.1.1.1", "[::ffff:1.2.3.4%x]:80", "[fe80::1%x]:1"} {
		f.Add(chain, "", uint8(0), []byte{10, 0, 0, 9})
		f.Add(chain, chain, uint8(1), []byte{192, 0, 2, 1})
	}
	f.Add("", "2001:db8::7", uint8(0), []byte{})
	px, err := parseProxies([]string{"unix", "10.0.0.0/8", "2001:db8:aaaa::/48"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, chain, real string, split uint8, ip []byte) {
		if _, _, ok := parsed(t, "/", "X-Forwarded-For: "+chain, "X-Real-IP: "+real); !ok {
			return
		}
		peer := ws.Peer{Network: "unix"}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			peer = ws.Peer{Network: "tcp", Addr: netip.AddrPortFrom(addr.Unmap(), 4000)}
		}
		remote := func(fields ...string) (string, []string) {
			r, _, ok := parsed(t, "/", fields...)
			if !ok {
				t.Fatalf("%q: no request", fields)
			}
			return px.remote(&r, peer)
		}
		plain, self := remote()
		addr, seen := remote("X-Forwarded-For: "+chain, "X-Real-IP: "+real)
		if peer.Network == "tcp" && !netip.MustParsePrefix("10.0.0.0/8").Contains(peer.Addr.Addr()) && !netip.MustParsePrefix("2001:db8:aaaa::/48").Contains(peer.Addr.Addr()) {
			if addr != plain || !slices.Equal(seen, self) {
				t.Fatalf("a peer at %s, whom nobody trusts, makes itself %q, %q", peer.Addr, addr, seen)
			}
			return
		}
		if ip, err := netip.ParseAddr(addr); addr != plain && (err != nil || ip.Zone() != "" || ip.Is4In6() || ip.String() != addr) {
			t.Fatalf("%q, %q: the client's address is %q", chain, real, addr)
		}
		// The list is told as it came, and ends with the peer.
		var want []string
		for _, item := range strings.Split(chain, ",") {
			if item = strings.TrimSpace(item); item != "" {
				want = append(want, item)
			}
		}
		if real := strings.Trim(real, " \t"); len(want) == 0 && real != "" {
			want = []string{real}
		}
		if !slices.Equal(seen, append(want, self...)) {
			t.Fatalf("%q, %q: the chain is %q, want %q, %q", chain, real, seen, want, self)
		}
		// What a trusted proxy saw stands, whatever came before.
		for _, hops := range []string{"203.0.113.7", "203.0.113.7,10.3.2.1", "203.0.113.7 , 2001:db8:aaaa::1, 10.3.2.1:99", "203.0.113.7:1"} {
			if got, _ := remote("X-Forwarded-For: "+chain+","+hops, "X-Real-IP: "+real); got != "203.0.113.7" {
				t.Fatalf("%q before %q makes the client %q", chain, hops, got)
			}
		}
		// Nor does it count what was before something that is no address.
		if got, _ := remote("X-Forwarded-For: " + chain + ", unknown"); got != plain {
			t.Fatalf("%q before unknown makes the client %q", chain, got)
		}
		if at := int(split); at < len(chain) && chain[at] == ',' {
			got, gotSeen := remote("X-Forwarded-For: "+chain[:at], "X-Real-IP: "+real, "x-forwarded-for: "+chain[at+1:])
			if got != addr || !slices.Equal(gotSeen, seen) {
				t.Fatalf("%q cut at %d: %q, %q; whole: %q, %q", chain, at, got, gotSeen, addr, seen)
			}
		}
	})
}

// FuzzRecord: cookies are those that net/http finds, the query is that of
// net/url, extensions are read the same however they are cut, and all of it is
// JSON.
func FuzzRecord(f *testing.F) {
	f.Add("/", "", "", "localhost")
	f.Add("/chat?a=1&b=%20x&a=2&=&c", `sid=abc; theme="dark mode"; p=%41%zz; q=a+b; sid=2; bad; =v; a b=c`, "permessage-deflate; client_max_window_bits; x=\"1\", foo", "example.com:80")
	f.Add("/%41/b?q=%e2%82%ac+%ff&%=1", "a=\xff; b=\x01", ";;=, a;b=;c=\"\"", "[::1]:8080")
	f.Add("/?&&a==b?c&__proto__=1", "__proto__=1;a=b=c;\"q\"=1", "a;a;a=\"x;y\"", "a:b:c")
	srv := new(Server)
	srv.put(new(tuning))
	f.Fuzz(func(t *testing.T, target, cookie, extensions, host string) {
		r, head, ok := parsed(t, target, "Cookie: "+cookie, "Sec-WebSocket-Extensions: "+extensions, "X-Host: "+host)
		if !ok || target[0] != '/' {
			return
		}
		// Values as the head has them: without blanks around.
		cookie, extensions, host = string(r.Get("Cookie")), string(r.Get("Sec-WebSocket-Extensions")), string(r.Get("X-Host"))
		rec := srv.record(head, ws.Peer{Network: "unix"}, nil)
		raw, err := json.Marshal(rec)
		if err != nil || !utf8.Valid(raw) || !json.Valid(raw) {
			t.Fatalf("%q is %s, %v", head, raw, err)
		}
		if rec.Resource != target || rec.ResourceURL.Href != target || rec.ResourceURL.Path != target {
			t.Fatalf("%q became %+v", target, rec.ResourceURL)
		}
		checkCookies(t, cookie, rec.Cookies)
		checkQuery(t, target, rec.ResourceURL)
		checkExtensions(t, extensions, rec.RequestedExtensions)
		if name, port := splitHost(host); port != nil {
			wantName, wantPort, err := net.SplitHostPort(host)
			if err == nil && (strings.Trim(name, "[]") != strings.Trim(wantName, "[]") || *port != wantPort) {
				t.Errorf("%q is %q and %q, and by package net %q and %q", host, name, *port, wantName, wantPort)
			}
			if name+":"+*port != host {
				t.Errorf("%q is %q and %q", host, name, *port)
			}
		} else if _, want, err := net.SplitHostPort(host); name != host || err == nil && decimal.MatchString(want) && !strings.Contains(host, "]]") {
			t.Errorf("%q is %q without a port", host, name)
		}
	})
}

var decimal = regexp.MustCompile("^[0-9]{1,4}$")

// checkCookies wants those of net/http in their order; it drops what is not a
// legal cookie, which a record keeps.
func checkCookies(t *testing.T, field string, got []Cookie) {
	t.Helper()
	r := http.Request{Header: http.Header{"Cookie": {field}}}
	at := 0
	for _, want := range r.Cookies() {
		if want.Value == "" {
			continue // a name alone is a cookie for net/http
		}
		value := strings.TrimSpace(want.Value)
		if s, err := url.PathUnescape(value); err == nil {
			value = s
		}
		i := slices.IndexFunc(got[at:], func(c Cookie) bool {
			return c.Name == want.Name && strings.TrimSpace(c.Value) == strings.TrimSpace(value)
		})
		if i < 0 {
			t.Fatalf("%q: no cookie %q of value %q in %q", field, want.Name, value, got)
		}
		at += i + 1
	}
}

func checkQuery(t *testing.T, target string, got ResourceURL) {
	t.Helper()
	path, query, has := strings.Cut(target, "?")
	if got.Pathname != path || has != (got.Search != nil) || has && *got.Search != "?"+query {
		t.Fatalf("%q: path %q, search %v", target, got.Pathname, got.Search)
	}
	want, err := url.ParseQuery(query)
	if err != nil || !utf8.ValidString(query) || strings.Count(query, "&") >= maxQueryPairs {
		return // Node keeps what net/url does not read
	}
	for name, values := range want {
		if !utf8.ValidString(name) || slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return
		}
		if !slices.Equal(got.Query.Get(name), values) {
			t.Fatalf("%q: %q is %q, and by net/url %q", target, name, got.Query.Get(name), values)
		}
	}
	if len(want) != len(got.Query) {
		t.Fatalf("%q: %q, and by net/url %q", target, got.Query, want)
	}
}

func checkExtensions(t *testing.T, field string, got []Extension) {
	t.Helper()
	var b strings.Builder
	for i, e := range got {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(e.Name)
		for _, p := range e.Params {
			b.WriteString(";" + p.Name)
			if p.Value != nil {
				b.WriteString(`="` + *p.Value + `"`)
			}
			if strings.ContainsAny(p.Name, ";,=") || p.Value != nil && strings.ContainsAny(*p.Value, ";,") {
				t.Fatalf("%q has the parameter %+v", field, p)
			}
		}
	}
	if again := parseExtensions(b.String()); !reflect.DeepEqual(again, got) {
		t.Fatalf("%q is %+v, written %q it is %+v", field, got, b.String(), again)
	}
	for at, cuts := 0, 0; at < len(field) && cuts < 100; at++ { // each costs as much as the whole
		if field[at] == ',' {
			cuts++
			if halves := append(parseExtensions(field[:at]), parseExtensions(field[at+1:])...); !reflect.DeepEqual(halves, got) {
				t.Fatalf("%q is %+v, cut at %d it is %+v", field, got, at, halves)
			}
		}
	}
}
