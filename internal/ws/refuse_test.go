package ws

import "testing"

// A server that refuses handshakes for now goes on with what is open and with
// other requests; who is being decided about is refused as well.
func TestRefuseWith(t *testing.T) {
	each(t, func(t *testing.T, network string) {
		h := newRecorder(t).echo()
		asked := make(chan *Conn, 1)
		h.check = func(c *Conn, r *Request) *Response {
			if string(r.Path()) != "/ask" {
				return nil
			}
			asked <- c
			return Deferred
		}
		h.plain = func(*Conn, *Request) *Response { return &Response{Status: 200, Detail: "plain"} }
		s := serve(t, network, h, Options{})
		old, asking := s.dial(), s.dialRaw()
		asking.write([]byte(requestWith("GET /", "GET /ask")))
		conn := receive(t, "Check", asked)
		s.RefuseWith(&Response{Status: 503, Detail: "elsewhere", Header: "Retry-After: 7\r\n"})
		conn.Answer(nil)
		late := s.dialRaw()
		late.write([]byte(handshake))
		for _, c := range []*client{asking, late} {
			if header, detail := c.refused(503); header.Get("Retry-After") != "7" || detail != "elsewhere\n" {
				t.Errorf("%v %q", header, detail)
			}
		}
		plain := s.dialRaw()
		plain.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		if _, body := plain.refused(200); body != "plain\n" {
			t.Errorf("a plain request: %q", body)
		}
		old.send(OpText, "still here")
		old.expect(OpText, "still here")
		s.SetClosed(true)
		s.SetClosed(false) // another matter
		late = s.dialRaw()
		late.write([]byte(handshake))
		late.refused(503)
		s.RefuseWith(nil)
		s.dial()
		if n := s.Totals().Refused[503]; n != 3 {
			t.Errorf("%d refusals are counted", n)
		}
	})
}
