package attacks

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nvsess/nvsess/internal/selfsigned"
	"github.com/nvsess/nvsess/test/nginx"
)

// A proxy is a real nginx with the configuration that is shipped, before a
// daemon. Between the two stands a relay that notes what goes over each
// connection.
type proxy struct {
	t       *testing.T
	d       *daemon
	address string // unix

	mu      sync.Mutex // guards what follows
	relayed []*relayed
}

// relayed is what went over a connection from nginx to the daemon.
type relayed struct {
	mu       sync.Mutex // guards what follows
	up, down []byte
	done     bool
}

// before starts nginx before the daemon.
func before(t *testing.T, d *daemon) *proxy {
	t.Helper()
	p := &proxy{t: t, d: d, address: filepath.Join(d.Dir, "443")}
	p.relay(filepath.Join(d.Dir, "relay"))
	selfsigned.Files(t, d.Dir, "localhost")
	nginx.Start(t, nginx.Options{Dir: d.Dir, Main: "events {}\n", Site: nginx.Shipped(t, d.Dir, filepath.Join(d.Dir, "relay")), Listen: p.address})
	return p
}

// relay passes connections on to the daemon.
func (p *proxy) relay(path string) {
	p.t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			to, err := dial("unix", p.d.Sock)
			if err != nil {
				from.Close()
				continue
			}
			r := &relayed{}
			p.mu.Lock()
			p.relayed = append(p.relayed, r)
			p.mu.Unlock()
			go func() {
				var both sync.WaitGroup
				both.Go(func() { r.copy(to, from, &r.up) })
				both.Go(func() { r.copy(from, to, &r.down) })
				both.Wait()
				from.Close()
				to.Close()
				r.mu.Lock()
				r.done = true
				r.mu.Unlock()
			}()
		}
	}()
}

func (r *relayed) copy(to, from net.Conn, noted *[]byte) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		*noted = append(*noted, b[:n]...)
		r.mu.Unlock()
		if err == nil {
			_, err = to.Write(b[:n])
		}
		if err != nil {
			_ = to.(*net.UnixConn).CloseWrite()
			return
		}
	}
}

// seen waits until all connections to the daemon have ended and gives what went
// over them, since it was asked last.
func (p *proxy) seen() (list []*relayed) {
	p.t.Helper()
	p.d.Until("the connections behind nginx end", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, r := range p.relayed {
			r.mu.Lock()
			done := r.done
			r.mu.Unlock()
			if !done {
				return false
			}
		}
		list = p.relayed
		return true
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.relayed = nil
	return list
}

// open connects to nginx as a browser does.
func (p *proxy) open() *peer {
	p.t.Helper()
	c, err := dial("unix", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	return &peer{p.t, secure, bufio.NewReader(secure)}
}

// smuggling is requests that have another in them, or behind them, for
// /smuggled.
func smuggling() map[string]string {
	const second = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	upgradeTo := func(with string) string {
		return strings.Replace(handshake, "Upgrade: websocket", with, 1)
	}
	add := func(lines string) string { return strings.TrimSuffix(handshake, "\r\n") + lines + "\r\n" }
	chunk := "0\r\n\r\n"
	return map[string]string{
		"a second request":                   handshake + second,
		"many requests":                      strings.Repeat(handshake, 50),
		"a second one after a refusal":       request("/", "Origin: https://evil.example") + second,
		"after 426 for the version":          strings.Replace(handshake, "Version: 13", "Version: 777", 1) + second,
		"after 426 for no upgrade":           second + second + second,
		"Content-Length":                     add("Content-Length: 46\r\n") + second,
		"Content-Length: 0":                  add("Content-Length: 0\r\n") + second,
		"two lengths":                        add("Content-Length: 0\r\nContent-Length: 46\r\n") + second,
		"two equal lengths":                  add("Content-Length: 46\r\nContent-Length: 46\r\n") + second,
		"a list of lengths":                  add("Content-Length: 46, 46\r\n") + second,
		"a length of +46":                    add("Content-Length: +46\r\n") + second,
		"a length of 0x2e":                   add("Content-Length: 0x2e\r\n") + second,
		"a length of 4_6":                    add("Content-Length: 4_6\r\n") + second,
		"a length with a NUL":                add("Content-Length: 46\x00\r\n") + second,
		"a length below zero":                add("Content-Length: -1\r\n") + second,
		"a length beyond 64 bits":            add("Content-Length: 18446744073709551662\r\n") + second,
		"chunked":                            add("Transfer-Encoding: chunked\r\n") + chunk + second,
		"CL.TE":                              add("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + chunk + second,
		"TE.CL":                              add("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + "2e\r\n" + second + "\r\n" + chunk,
		"TE.TE, of tabs":                     add("Transfer-Encoding:\tchunked\r\nContent-Length: 46\r\n") + second,
		"TE.TE, of cases":                    add("Transfer-Encoding: chUnked\r\nContent-Length: 46\r\n") + second,
		"TE.TE, of lists":                    add("Transfer-Encoding: identity, chunked\r\n") + chunk + second,
		"TE.TE, of twice":                    add("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n") + chunk + second,
		"TE.TE, of a vertical tab":           add("Transfer-Encoding: \x0bchunked\r\nContent-Length: 46\r\n") + second,
		"TE.TE, of an underscore":            add("Transfer_Encoding: chunked\r\nContent-Length: 46\r\n") + second,
		"a blank before the colon":           add("Transfer-Encoding : chunked\r\n") + chunk + second,
		"a tab before the colon":             add("Content-Length\t: 46\r\n") + second,
		"a folded line":                      add("X: a\r\n Transfer-Encoding: chunked\r\n") + chunk + second,
		"a folded length":                    add("Content-Length:\r\n 46\r\n") + second,
		"a first line that is folded":        strings.Replace(handshake, "Host:", " Host:", 1) + second,
		"bare line feeds":                    strings.ReplaceAll(handshake, "\r\n", "\n") + second,
		"a bare line feed in a value":        add("X: a\nTransfer-Encoding: chunked\r\n") + chunk + second,
		"a bare line feed at the end":        strings.TrimSuffix(handshake, "\r\n") + "\n" + second,
		"a bare carriage return":             add("X: a\rContent-Length: 46\r\n") + second,
		"NUL in a value":                     add("X: a\x00\r\nContent-Length: 46\r\n") + second,
		"two hosts":                          add("Host: evil.example\r\n") + second,
		"two equal hosts":                    add("Host: localhost\r\n") + second,
		"a host of two":                      strings.Replace(handshake, "Host: localhost", "Host: localhost, evil.example", 1) + second,
		"a host with a path":                 strings.Replace(handshake, "Host: localhost", "Host: localhost/smuggled", 1) + second,
		"no host":                            strings.Replace(handshake, "Host: localhost\r\n", "", 1) + second,
		"an absolute target":                 strings.Replace(handshake, "GET / ", "GET http://evil.example/x ", 1) + second,
		"an absolute target without a path":  strings.Replace(handshake, "GET / ", "GET http://evil.example ", 1) + second,
		"CONNECT":                            "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n" + second,
		"OPTIONS *":                          "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n" + second,
		"TRACE":                              strings.Replace(handshake, "GET", "TRACE", 1) + second,
		"POST with an upgrade":               strings.Replace(add("Content-Length: 46\r\n"), "GET", "POST", 1) + second,
		"POST without a length":              strings.Replace(handshake, "GET", "POST", 1) + second,
		"PRI":                                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + second,
		"HTTP/1.0":                           strings.Replace(handshake, "HTTP/1.1", "HTTP/1.0", 1) + second,
		"HTTP/1.0, kept alive":               "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + second,
		"HTTP/0.9":                           "GET /\r\n" + second,
		"HTTP/1.9":                           strings.Replace(handshake, "HTTP/1.1", "HTTP/1.9", 1) + second,
		"h2c":                                upgradeTo("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA") + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + second,
		"h2c and websocket":                  upgradeTo("Upgrade: h2c, websocket") + second,
		"an upgrade twice":                   upgradeTo("Upgrade: websocket\r\nUpgrade: h2c") + second,
		"an upgrade to something else":       upgradeTo("Upgrade: TLS/1.0") + second,
		"an upgrade of nothing":              upgradeTo("Upgrade:") + second,
		"Connection names what matters":      strings.Replace(handshake, "Connection: Upgrade", "Connection: Upgrade, Host, X-Real-IP, X-Forwarded-For, Sec-WebSocket-Key", 1) + second,
		"Expect":                             add("Expect: 100-continue\r\nContent-Length: 46\r\n") + second,
		"a semicolon":                        strings.Replace(handshake, "GET / ", "GET /;a=b;/%2e%2e/%2fsmuggled ", 1) + second,
		"a target with an encoded line end":  strings.Replace(handshake, "GET / ", "GET /a%0d%0aX:%20y%0d%0a%0d%0aGET%20/smuggled ", 1) + second,
		"a query with an encoded line end":   strings.Replace(handshake, "GET / ", "GET /?%0d%0a%0d%0aGET%20/smuggled%20HTTP/1.1%0d%0a%0d%0a ", 1) + second,
		"bytes beyond ASCII in the target":   strings.Replace(handshake, "GET / ", "GET /\xc4\x8d\xc4\x8aX: ", 1) + second,
		"two blanks in the first line":       strings.Replace(handshake, "GET / HTTP", "GET  /  HTTP", 1) + second,
		"a line before the first line":       "\r\n\r\n" + handshake + second,
		"fields of nginx's own":              add("X-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nForwarded: for=6.6.6.6\r\n") + second,
		"a frame that reads like a request":  handshake + string(frame(0x80|opText, []byte(second))) + second,
		"a head as large as nginx lets pass": add("X: "+strings.Repeat("x", 15_000)+"\r\n") + second,
		"more fields than the daemon takes":  add(strings.Repeat("A: b\r\n", 200)) + second,
	}
}

// Requests that a proxy and what is behind it could take for one more, or one
// less, than the other does. Whatever nginx makes of them, the daemon answers
// once on each connection from it, and what comes after is nothing to it.
func TestRequestSmuggling(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[socket]\nmode = \"0666\"\n[close]\ntimeout = \"1s\""}, 16*mebi, func(d *daemon) {
		p := before(t, d)
		for name, c := range smuggling() {
			c := p.sends(c)
			for _, r := range p.seen() {
				p.wasRead(name, c, r)
			}
		}
	})
}

// sends gives bytes to nginx, and to the daemon itself, which answers at most
// once.
func (p *proxy) sends(bytes string) string {
	p.t.Helper()
	c := p.open()
	_, _ = io.WriteString(c.Conn, bytes) // it may have had enough
	_ = c.halfClose()
	_, _ = io.ReadAll(c.r) // however it ends
	c.Close()
	if n := p.d.answersTo(bytes); n > 1 {
		p.t.Errorf("%d answers to %.300q", n, bytes)
	}
	return bytes
}

// wasRead checks that a connection carried one request, with what nginx adds to
// each that it knows of, and one answer.
func (p *proxy) wasRead(name, sent string, r *relayed) {
	up, down := string(r.up), string(r.down)
	if answers := len(statusLine.FindAllString(down, -1)); answers > 1 || answers == 0 && down != "" {
		p.t.Errorf("%s: more than one answer to %.1000q:\n%.1000q", name, up, down)
	}
	request, _, _ := strings.Cut(up, "\r\n\r\n")
	if strings.Count(request, "\r\nX-Real-IP: ") != 1 || strings.Contains(request, "6.6.6.6") && !strings.Contains(request, "for=6.6.6.6") {
		p.t.Errorf("%s: not what nginx knows of: %.1000q", name, up)
	}
	if strings.HasPrefix(down, "HTTP/1.1 101") {
		lower := strings.ToLower(request)
		if strings.Contains(lower, "\r\ntransfer-encoding") || strings.Contains(lower, "\r\ncontent-length: ") && !strings.Contains(lower, "\r\ncontent-length: 0") {
			p.t.Errorf("%s: a session of a request with a body: %.1000q", name, up)
		}
	}
}

// A page from elsewhere cannot connect in the name of who visits it, through
// nginx either; and whoever connects cannot say where he comes from.
func TestCrossSiteHijacking(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[socket]\nmode = \"0666\"\n[handshake]\norigins = [\"same\", \"https://*.partner.example\"]"}, 8*mebi, func(d *daemon) {
		p := before(t, d)
		for origin, status := range map[string]int{
			"":                                                                    101, // no browser
			"Origin: https://localhost":                                           101,
			"Origin: https://localhost:8443":                                      101,
			"Origin: HTTPS://LOCALHOST":                                           101,
			"Origin: https://a.partner.example":                                   101,
			"Origin: https://evil.example":                                        403,
			"Origin: https://localhost.evil.example":                              403,
			"Origin: https://evil.example/localhost":                              403,
			"Origin: https://localhost@evil.example":                              403,
			"Origin: https://evil.example#localhost":                              403,
			"Origin: https://evil.example\\@localhost":                            403,
			"Origin: https://evillocalhost":                                       403,
			"Origin: https://partner.example.evil":                                403,
			"Origin: https://evilpartner.example":                                 403,
			"Origin: https://.partner.example":                                    403,
			"Origin: http://a.partner.example":                                    403,
			"Origin: https://evil.example?.partner.example":                       403,
			"Origin: https://evil.example/.partner.example":                       403,
			"Origin: null":                                                        403,
			"Origin:":                                                             403,
			"Origin: *":                                                           403,
			"Origin: localhost":                                                   403,
			"Origin: file://":                                                     403,
			"Origin: chrome-extension://localhost":                                403,
			"Origin: https://localhost, https://evil.example":                     403,
			"Origin: https://evil.example https://localhost":                      403,
			"Origin: https://localhost\r\nOrigin: https://evil.example":           403,
			"Origin: https://evil.example\r\nOrigin: https://localhost":           403,
			"Origin: https://evil.example\r\nX-Forwarded-Host: evil.example":      403,
			"Origin: https://evil.example\r\nForwarded: host=evil.example":        403,
			"Sec-WebSocket-Origin: https://localhost\r\nOrigin: https://evil.com": 403,
		} {
			for where, c := range map[string]*peer{"direct": d.raw("unix"), "nginx": p.open()} {
				first := handshake
				if origin != "" {
					first = request("/", origin)
				}
				c.write([]byte(first))
				if got, head := c.answer(); got != status && !(where == "nginx" && got == 400 && status == 403) {
					t.Errorf("%s, %q: %s", where, origin, head)
				}
				c.Close()
			}
		}
		c := p.open()
		c.upgrade(request("/", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-Proto: gopher", "Forwarded: for=6.6.6.6"))
		id, _ := c.id()
		var record struct {
			RemoteAddress   string
			RemoteAddresses []string
			HTTPRequest     struct{ Headers json.RawMessage }
		}
		d.must("get_sess", map[string]any{"session": id, "request": true}, &record)
		if headers := string(record.HTTPRequest.Headers); record.RemoteAddress == "6.6.6.6" || len(record.RemoteAddresses) > 1 ||
			strings.Count(headers, "6.6.6.6") != 1 { // in the field of Forwarded, which nobody believes
			t.Errorf("who connects says where he comes from: %+v", record)
		}
		c.Close()
		c = d.raw("tcp") // no trusted proxy
		c.upgrade(request("/tcp", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6"))
		id, _ = c.id()
		d.must("get_sess", map[string]any{"session": id, "request": true}, &record)
		if record.RemoteAddress != "127.0.0.1" {
			t.Errorf("a client is at %+v", record)
		}
		c.Close()
	})
}
