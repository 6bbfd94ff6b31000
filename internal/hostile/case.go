package hostile

import (
	"fmt"
	"strings"
)

// MaxMessage is the limit for messages, in bytes, that clients are given. Their
// other limits are the defaults.
const MaxMessage = 10_000

// How a connection must end for the client.
const (
	// Refused: connecting fails because the server did not follow the handshake,
	// or said no.
	Refused = "refused"
	// Unconnected: connecting fails.
	Unconnected = "unconnected"
	// Timeout: connecting fails because the time given for it is over.
	Timeout = "timeout"
	// Violation: the server broke the protocol, and is told Code.
	Violation = "violation"
	// TooBig: the server sent more than the client takes, and is told Code.
	TooBig = "too big"
	// Closed: the server closed with Code, which is echoed.
	Closed = "closed"
	// Broken: the connection ended without a close frame, which is 1006.
	Broken = "broken"
)

// Case is something a server does, and what must come of it.
type Case struct {
	// Name begins with the clause it is about.
	Name string `json:"name"`
	// End is how it ends; Or is another end that is right, or "".
	End string `json:"end"`
	Or  string `json:"or,omitempty"`
	// Code is what the client must report, for ends other than the first three.
	// What it must tell the server is the same, except that Broken tells nothing.
	Code int `json:"code,omitempty"`
	// Messages are what the client must have delivered by then, texts as they
	// are and binary ones as "binary N"; with Or, the first of them.
	Messages []string `json:"messages"`
	// Compression: the client must offer permessage-deflate without context
	// takeover. One that cannot leaves the case out.
	Compression bool `json:"compression,omitempty"`
	// Whole: the server's writes are not to be split.
	Whole bool `json:"whole,omitempty"`
	// Hurry: the client is to be given short limits of time, a quarter of a
	// second, to connect and to close.
	Hurry bool `json:"hurry,omitempty"`

	serve func(c *conn)
}

// Cases are all there are. Their order is the same each time.
func Cases() []Case {
	var all []Case
	for _, some := range [][]Case{handshakes(), frames(), texts(), closes(), ends(), compressed()} {
		all = append(all, some...)
	}
	for i := range all {
		if all[i].Messages == nil {
			all[i].Messages = []string{}
		}
	}
	return all
}

// opened makes a case of what is sent after the handshake, of which "good" is
// the first message.
func opened(name, end string, code int, bytes ...[]byte) Case {
	return Case{
		Name: name, End: end, Code: code, Messages: []string{"good"},
		serve: func(c *conn) { c.write(join(c.head(), text("good"), join(bytes...))) },
	}
}

// legal makes a case of what is no fault, after which the server closes. It
// delivers messages.
func legal(name string, messages []string, bytes ...[]byte) Case {
	c := opened(name, Closed, 1000, append(bytes, closing(1000, ""))...)
	c.Messages = append(c.Messages, messages...)
	return c
}

func (c Case) whole() Case { c.Whole = true; return c }

func (c Case) hurry() Case { c.Hurry = true; return c }

// answers makes a case of an answer to the handshake.
func answers(name, end string, serve func(c *conn)) Case {
	return Case{Name: name, End: end, serve: serve}
}

// changed makes a case of a right answer with changes: see head. A client that
// takes it gets a message, and an end.
func changed(name string, changes ...string) Case {
	return answers(name, Refused, func(c *conn) {
		c.write(join(c.head(changes...), text("taken"), closing(1000, "")))
	})
}

// says makes a case of an answer as it is.
func says(name, end, answer string) Case {
	return answers(name, end, func(c *conn) { c.write([]byte(answer)) })
}

func handshakes() []Case {
	const refusal = "HTTP/1.1 %s\r\nContent-Length: 2\r\n%s\r\nno"
	cases := []Case{
		changed("4.1 another key's Sec-WebSocket-Accept", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
		changed("4.1 no Sec-WebSocket-Accept", "Sec-WebSocket-Accept"),
		changed("4.1 empty Sec-WebSocket-Accept", "Sec-WebSocket-Accept: "),
		changed("4.1 no Upgrade", "Upgrade"),
		changed("4.1 another Upgrade", "Upgrade: h2c"),
		changed("4.1 Upgrade to one of two", "Upgrade: websocket, h2c"),
		changed("4.1 no Connection", "Connection"),
		changed("4.1 another Connection", "Connection: keep-alive"),
		changed("4.1 an extension that was not offered", "Sec-WebSocket-Extensions: x-webkit-deflate-frame"),
		changed("4.1 compression that was not offered", "Sec-WebSocket-Extensions: permessage-deflate"),
		changed("9.1 an empty list of extensions", "Sec-WebSocket-Extensions: "),
		changed("4.1 a subprotocol that was not offered", "Sec-WebSocket-Protocol: chat"),
		changed("4.1 an empty subprotocol", "Sec-WebSocket-Protocol: "),
		changed("4.1 HTTP/1.0", "HTTP/1.0 101 Switching Protocols"),
		answers("4.1 status 200 with all of an upgrade", Refused, func(c *conn) { c.write(c.head("HTTP/1.1 200 OK", "Content-Length: 0")) }),
		answers("4.1 two Sec-WebSocket-Accepts", Refused, func(c *conn) {
			head := string(c.head())
			accept := head[strings.Index(head, "Sec-WebSocket-Accept"):]
			c.write(join([]byte(strings.TrimSuffix(head, "\r\n")+accept), text("taken"), closing(1000, "")))
		}),
		says("4.1 status 400", Refused, fmt.Sprintf(refusal, "400 Bad Request", "")),
		says("4.1 status 401", Refused, fmt.Sprintf(refusal, "401 Unauthorized", "WWW-Authenticate: Basic\r\n")),
		says("4.1 status 404", Refused, fmt.Sprintf(refusal, "404 Not Found", "")),
		says("4.1 status 302, not followed", Refused, fmt.Sprintf(refusal, "302 Found", "Location: ws://127.0.0.1:1/\r\n")),
		says("4.1 status 503", Refused, fmt.Sprintf(refusal, "503 Service Unavailable", "Retry-After: 1\r\n")),
		says("not HTTP: a greeting of SMTP", Unconnected, "220 mail.example.org ESMTP\r\n\r\n"),
		says("not HTTP: control bytes", Unconnected, "\x1b]0;x\x07\r\n\r\n"),
		says("not HTTP: TLS", Unconnected, "\x15\x03\x01\x00\x02\x02\x28\r\n\r\n"),
		says("not HTTP: no name", Unconnected, "HTTP/1.1 101 Switching Protocols\r\n: x\r\n\r\n"),
		answers("no answer", Timeout, func(c *conn) {}).whole().hurry(),
		answers("half an answer", Timeout, func(c *conn) { h := c.head(); c.write(h[:len(h)/2]) }).hurry(),
		answers("all of an answer but its end", Timeout, func(c *conn) { h := c.head(); c.write(h[:len(h)-1]) }).hurry(),
		answers("drop by drop", Timeout, func(c *conn) {
			c.write([]byte("HTTP/1.1 101 Switching Protocols\r\nX: "))
			c.trickle([]byte("x"))
		}).whole().hurry(),
		answers("a line of a megabyte", Unconnected, func(c *conn) { c.write([]byte("HTTP/1.1 101 " + strings.Repeat("x", 1<<20))) }).whole(),
		answers("a megabyte of fields", Unconnected, func(c *conn) {
			c.write(c.head("+" + strings.TrimSuffix(strings.Repeat("X: "+strings.Repeat("x", 100)+"\r\n", 10_000), "\r\n")))
		}).whole(),
		answers("endless fields", Unconnected, func(c *conn) {
			c.write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
			c.endless([]byte("X-Filler: x\r\n"))
		}).whole(),
		answers("an endless line", Unconnected, func(c *conn) {
			c.write([]byte("HTTP/1.1 101 Switching Protocols\r\nX: "))
			c.endless([]byte("xxxxxxxxxxxxxxxx"))
		}).whole(),
		answers("endless zeros", Unconnected, func(c *conn) { c.endless([]byte{0}) }).whole(),
		answers("endless early hints", Unconnected, func(c *conn) { c.endless([]byte("HTTP/1.1 103 Early Hints\r\n\r\n")) }).whole(),
	}
	for _, ok := range []struct {
		name    string
		changes []string
	}{
		{"4.1 names and values in any case", []string{"Upgrade", "Connection", "+uPGRADE: WebSocket", "+connection: keep-alive, upgrade"}},
		{"4.1 fields of any kind", []string{"Date: Thu, 01 Jan 1970 00:00:00 GMT", "+Set-Cookie: a=b", "+Set-Cookie: c=d", "+Server:", "+X-Odd: \xff\xfe"}},
		{"4.1 any reason phrase", []string{"HTTP/1.1 101 Off you go"}},
	} {
		c := legal(ok.name, nil)
		c.serve = func(c *conn) { c.write(join(c.head(ok.changes...), text("good"), closing(1000, ""))) }
		cases = append(cases, c)
	}
	hints := legal("RFC 9110, 15.2: informational answers before the final one", nil)
	hints.serve = func(c *conn) {
		c.write(join([]byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), c.head(), text("good"), closing(1000, "")))
	}
	return append(cases, hints)
}
