// Package client talks to an nvsess or nv-session server from Go.
//
//	conn, err := client.Dial(ctx, "ws+unix:///run/nvsess/nvsess.sock", client.WithHandlers(client.Handlers{
//		JSON:    func(c *client.Conn, j json.RawMessage) { fmt.Println("json", string(j)) },
//		String:  func(c *client.Conn, s string) { fmt.Println("string", s) },
//		Request: func(c *client.Conn, req client.Envelope) { c.Reply(ctx, req.ID, map[string]any{"ok": true}) },
//	}))
//	if err != nil {
//		return err
//	}
//	defer conn.CloseNow()
//	err = conn.SendJSON(ctx, map[string]any{"hello": "world"})
//	answer, err := conn.Request(ctx, map[string]any{"what": "time"})
//	err = conn.Close(ctx, client.CloseNormal, "")
//
// # Addresses
//
// ws://HOST[:PORT]/PATH, wss://HOST[:PORT]/PATH, ws+unix:///PATH/TO.SOCK and
// ws+unix:///PATH/TO.SOCK:/REQUEST/PATH.
//
// # Messages
//
// A text message that is a JSON object or array is JSON; any other text (a
// bare number, broken JSON) is a string; a binary message is binary. A JSON
// object whose ___type___ is one of the seven of [Envelope] belongs to the
// protocol: the server's ___cfg___ names the session, ___ping___ and ___pong___
// keep it alive, ___creq___ and ___sres___ are [Conn.Request] and its answer,
// ___sreq___ and ___cres___ the server's request and [Conn.Reply]. An object
// with any other ___type___ is ordinary JSON.
//
// # Order, slowness, limits
//
// Handlers of one connection run one at a time, in the order of arrival, on a
// goroutine of the connection. They may send, reply and close. They may call
// [Conn.Request] too: answers are settled by the reading goroutine. A handler
// that lags makes the connection queue messages up to a bound, then stop
// reading, so that the server feels it; nothing is dropped. Keepalive is
// answered meanwhile, until the queue is full.
//
// Everything a server can make this package hold is bounded: the handshake
// response (64 KiB), a frame and a message (16 MiB each, read as bytes arrive,
// never allocated from a declared length), queued messages, pending requests.
// Every write has a deadline; so has every wait.
//
// # Lifetime
//
// A Conn is one connection. It ends once, for one reason, told to the Close
// handler as the last thing that happens and by [Conn.Err]; [Conn.Done] closes
// when the last goroutine of the connection is about to end. The package does
// not reconnect: dial again, with the same options.
package client
