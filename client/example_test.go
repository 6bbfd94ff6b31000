//go:build linux

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/nvsess/nvsess/client"
)

// Dial, send one message of each kind to a daemon that returns them, and print
// what comes back.
func Example() {
	daemon := startDaemon("echo")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	received := make(chan string)
	conn, err := client.Dial(ctx, daemon.url, client.WithHandlers(client.Handlers{
		String: func(_ *client.Conn, s string) { received <- "string " + s },
		JSON:   func(_ *client.Conn, j json.RawMessage) { received <- "json " + string(j) },
		Binary: func(_ *client.Conn, b []byte) { received <- fmt.Sprintf("binary % x", b) },
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()

	id, err := conn.WaitSession(ctx)
	fmt.Println("a session id of", len(id), "characters", err)

	conn.SendString(ctx, "hello")
	fmt.Println(<-received)
	conn.SendJSON(ctx, map[string]any{"forward": true})
	fmt.Println(<-received)
	conn.SendBinary(ctx, []byte{10, 20, 30})
	fmt.Println(<-received)

	fmt.Println("closed", conn.Close(ctx, client.CloseNormal, "done"))
	// Output:
	// a session id of 64 characters <nil>
	// string hello
	// json {"forward":true}
	// binary 0a 14 1e
	// closed <nil>
}

// In forward mode each message goes to every other session.
func ExampleDial_forward() {
	daemon := startDaemon("forward")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	received := make(chan string)
	dial := func(name string) *client.Conn {
		conn, err := client.Dial(ctx, daemon.url, client.WithHandlers(client.Handlers{
			JSON: func(_ *client.Conn, j json.RawMessage) { received <- name + " got " + string(j) },
		}))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := conn.WaitSession(ctx); err != nil { // it is one of those that are forwarded to
			log.Fatal(err)
		}
		return conn
	}
	c0, c1 := dial("c0"), dial("c1")
	defer c0.CloseNow()
	defer c1.CloseNow()

	c0.SendJSON(ctx, map[string]any{"src": "c0"})
	fmt.Println(<-received)
	c1.SendJSON(ctx, map[string]any{"src": "c1"})
	fmt.Println(<-received)
	// Output:
	// c1 got {"src":"c0"}
	// c0 got {"src":"c1"}
}

// The socket's path, and after a colon the path to ask for.
func ExampleDial_unixSocket() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "nvsess.sock")
	daemon := startUnixDaemon("echo", path)
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := client.Dial(ctx, "ws+unix://"+path)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()
	took, err := conn.Ping(ctx)
	fmt.Println(conn.RemoteAddr().Network(), took > 0, err)

	_, err = client.Dial(ctx, "ws+unix://"+path+":/elsewhere")
	var refused *client.HandshakeError
	fmt.Println(errors.As(err, &refused) && refused.Status == 404)
	// Output:
	// unix true <nil>
	// true
}

// Request asks the server and waits for its answer.
func ExampleConn_Request() {
	daemon := startDaemon("echo") // it answers with what it was asked
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := client.Dial(ctx, daemon.url)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()

	answer, err := conn.Request(ctx, map[string]string{"kkkk": "hi"})
	fmt.Println(answer.Type, string(answer.Data), err)
	// Output: ___sres___ {"kkkk":"hi"} <nil>
}

// A server's request is answered by its id, at once or later.
func ExampleConn_Reply() {
	daemon := startDaemon("handlers")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := client.Dial(ctx, daemon.url, client.WithHandlers(client.Handlers{
		Request: func(c *client.Conn, req client.Envelope) {
			fmt.Println("asked", string(req.Data))
			if err := c.Reply(ctx, req.ID, map[string]string{"name": "Go"}); err != nil {
				log.Print(err)
			}
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()
	id, err := conn.WaitSession(ctx)
	if err != nil {
		log.Fatal(err)
	}

	// On the server, by an operator: nvsessctl ask ID '{"name":"?"}'
	sess, err := daemon.Find(id)
	if err != nil {
		log.Fatal(err)
	}
	text, err := sess.Ask(ctx, json.RawMessage(`{"name":"?"}`))
	answer, _ := client.ParseEnvelope(text)
	fmt.Println("the server got", string(answer.Data), err)
	// Output:
	// asked {"name":"?"}
	// the server got {"name":"Go"} <nil>
}

// Why a connection ended is told to the Close handler and by Err.
func ExampleCloseError() {
	daemon := startDaemon("echo")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := client.Dial(ctx, daemon.url, client.WithHandlers(client.Handlers{
		Close: func(_ *client.Conn, err *client.CloseError) { fmt.Println(err) },
	}))
	if err != nil {
		log.Fatal(err)
	}
	conn.Close(ctx, 4000, "enough")
	<-conn.Done()
	fmt.Println(errors.Is(conn.Err(), client.ErrClosed), conn.SendString(ctx, "late"))
	// Output:
	// connection closed: 4000 "enough"
	// true client: send string: connection closed: 4000 "enough"
}

// A server's refusal, and what it said.
func ExampleHandshakeError() {
	daemon := startDaemon("echo")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	_, err := client.Dial(ctx, daemon.url+"elsewhere")
	var refused *client.HandshakeError
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Header.Get("Content-Type"))
	}
	// Output: 404 text/plain; charset=utf-8
}

// CheckURL tells what Dial would refuse, without dialing.
func ExampleCheckURL() {
	fmt.Println(client.CheckURL("ws+unix:///run/nvsess/nvsess.sock:/chat"))
	fmt.Println(client.CheckURL("http://example.org/"))
	// Output:
	// <nil>
	// bad URL "http://example.org/": unknown scheme "http": use ws://, wss:// or ws+unix:///path
}
