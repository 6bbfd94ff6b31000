package ws

// A Handler is told what happens on the connections. Its methods run on the
// event loops: at any moment at most one per loop, for one connection always on
// the same loop, and in the order Check, Open, Message/Pong/Timer..., Close.
// They must not block, for every other connection of that loop would wait.
//
// Byte slices and the request are borrowed: they are valid until the method
// returns.
type Handler interface {
	// Check decides about a legal handshake that the Policy lets pass: nil
	// accepts it, a response refuses it, Deferred decides later.
	Check(c *Conn, r *Request) *Response

	// Health answers a request that asks for no upgrade and is to be answered
	// even while the server drains, and whatever limit its client has reached:
	// whether the server is well. Nil: it is no such request.
	Health(r *Request) *Response

	// Plain answers a request that asks for no upgrade, of any method and maybe
	// with a body. Nil: 404 where there is no mount, else 426, or 405 or 400 if
	// it is not GET or HEAD or has a body. Deferred: later, if it has none.
	// HandOver: Options.Borrower does.
	Plain(c *Conn, r *Request) *Response

	// Open is called when the connection has been upgraded; what it sends
	// leaves together with the answer to the handshake.
	Open(b *Batch, c *Conn, r *Request)

	// Message is called for each text or binary message; text is valid UTF-8.
	Message(b *Batch, c *Conn, op OpCode, payload []byte)

	// Pong is called for each pong frame. Pings are answered by this package.
	Pong(b *Batch, c *Conn, payload []byte)

	// Timer is called when the time given to [Conn.SetTimer] is over.
	Timer(b *Batch, c *Conn)

	// Close is called once for each connection that Open was called for, when
	// its descriptor is closed, or when it has been failed (for a violation or
	// as a slow consumer) and only its last bytes are still on their way.
	// Nothing can be sent to it any more.
	Close(b *Batch, c *Conn, info CloseInfo)
}
