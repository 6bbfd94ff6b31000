// Package client talks to an nvsess or nv-session server from Go.
//
// [Connect] makes a [Client], which keeps a session: it connects again when
// the connection is lost, and what is sent meanwhile waits. [Dial] makes a
// [Conn], which is one connection and ends with it. Most programs want a Client.
//
//	c, err := client.Connect(ctx, "ws+unix:///run/nvsess/nvsess.sock",
//		client.WithHandlers(client.Handlers{
//			JSON:   func(conn *client.Conn, j json.RawMessage) { fmt.Println("json", string(j)) },
//			String: func(conn *client.Conn, s string) { fmt.Println("string", s) },
//			Request: func(conn *client.Conn, req client.Envelope) { // the server wants an answer
//				conn.Reply(context.Background(), req.ID, map[string]any{"ok": true})
//			},
//		}))
//	if err != nil {
//		return err
//	}
//	defer c.CloseNow()
//	err = c.SendJSON(ctx, map[string]any{"hello": "world"})
//	answer, err := c.Request(ctx, map[string]any{"what": "time"}) // the server's answer
//	err = c.Close(ctx, client.CloseNormal, "")
//
// # Addresses
//
// ws://HOST[:PORT]/PATH, wss://HOST[:PORT]/PATH, ws+unix:///PATH/TO.SOCK and
// ws+unix:///PATH/TO.SOCK:/REQUEST/PATH. USER:PASSWORD@ before the host becomes
// an Authorization header.
//
// # Messages
//
// A text message that is a JSON object or array is JSON; any other text (a
// bare number, broken JSON) is a string; a binary message is binary. A JSON
// object whose ___type___ is one of the seven of [Envelope] belongs to the
// protocol: the server's ___cfg___ names the session, ___ping___ and ___pong___
// keep it alive, ___creq___ and ___sres___ are a Request and its answer,
// ___sreq___ and ___cres___ the server's request and [Conn.Reply]. An object
// with any other ___type___ is ordinary JSON.
//
// [Handlers] has a function per kind. They may be changed at any time, one or
// all, on a Conn or a Client.
//
// # Reconnecting
//
// [Reconnect], given by [WithReconnect], says when a Client tries again: delays
// that grow and are drawn at random, what close codes and Retry-After ask for,
// what is hopeless (a refusal such as 401 or 404), how often, and what to call
// when a connection is made or lost. Without it the defaults hold: forever, from
// a second up to a minute. What is delivered when a connection breaks is said at
// [Client]: at most once, in order, and an error means never.
//
// # Order, slowness, limits
//
// Handlers run one at a time, in the order of arrival, on a goroutine of the
// connection. They may send, reply and close, and call Request too: answers are
// settled by the reading goroutine. A handler that lags makes the connection
// queue messages up to a bound, then stop reading, so that the server feels it;
// nothing is dropped. Keepalive is answered meanwhile, until the queue is full.
//
// Everything a server can make this package hold is bounded: the handshake
// response (64 KiB), a frame and a message (16 MiB each, read as bytes arrive,
// never allocated from a declared length), queued messages, pending requests.
// So is what the program hands over faster than it leaves: [WithQueue]. Every
// write has a deadline; so has every wait for a server.
//
// # Compression
//
// [WithCompression] offers permessage-deflate (RFC 7692). What arrives is
// bounded while it is inflated; a connection without context takeover keeps no
// memory for it.
//
// # Errors
//
// They are one line, wrapped, and matched with errors.Is ([ErrClosed],
// [ErrQueueFull], [ErrHandshake] and so on) or errors.As ([CloseError],
// [HandshakeError]). What a server wrote is escaped and shortened in their text.
//
// # Lifetime
//
// A Conn ends once, for one reason, told to the Close handler as the last thing
// that happens and by [Conn.Err]; [Conn.Done] closes when the last goroutine of
// the connection is about to end. A Client ends when it is closed or trying
// again is no use; [Client.Err] and [Client.Done] say so. Each connection of a
// Client calls the Close handler at its own end.
package client
