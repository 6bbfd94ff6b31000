package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/nvsess/nvsess/client"
)

// Dial, send one message of each kind, and print what comes back.
func Example() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	received := make(chan string)
	conn, err := client.Dial(ctx, url, client.WithHandlers(client.Handlers{
		String: func(_ *client.Conn, s string) { received <- "string " + s },
		JSON:   func(_ *client.Conn, j json.RawMessage) { received <- "json " + string(j) },
		Binary: func(_ *client.Conn, b []byte) { received <- fmt.Sprintf("binary % x", b) },
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()

	id, err := conn.WaitSession(ctx)
	fmt.Println("session", id, err)

	conn.SendString(ctx, "hello")
	fmt.Println(<-received)
	conn.SendJSON(ctx, map[string]any{"forward": true})
	fmt.Println(<-received)
	conn.SendBinary(ctx, []byte{10, 20, 30})
	fmt.Println(<-received)

	fmt.Println("closed", conn.Close(ctx, client.CloseNormal, "done"))
	// Output:
	// session s1 <nil>
	// string hello
	// json {"forward":true}
	// binary 0a 14 1e
	// closed <nil>
}

// Request asks the server and waits for its answer.
func ExampleConn_Request() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()

	answer, err := conn.Request(ctx, map[string]string{"kkkk": "hi"})
	fmt.Println(answer.Type, string(answer.Data), err)
	// Output: ___sres___ {"you asked":{"kkkk":"hi"}} <nil>
}

// A server's request is answered by its id, at once or later.
func ExampleConn_Reply() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	done := make(chan struct{})
	conn, err := client.Dial(ctx, url, client.WithHandlers(client.Handlers{
		Request: func(c *client.Conn, req client.Envelope) {
			fmt.Println("asked", string(req.Data))
			if err := c.Reply(ctx, req.ID, map[string]string{"name": "Go"}); err != nil {
				log.Print(err)
			}
		},
		String: func(_ *client.Conn, s string) {
			fmt.Println(s)
			close(done)
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseNow()

	conn.SendString(ctx, "ask me")
	<-done
	// Output:
	// asked {"name":"?"}
	// the answer to q1 is {"name":"Go"}
}

// Why a connection ended is told to the Close handler and by Err.
func ExampleCloseError() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := client.Dial(ctx, url, client.WithHandlers(client.Handlers{
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

// CheckURL tells what Dial would refuse, without dialing.
func ExampleCheckURL() {
	fmt.Println(client.CheckURL("ws+unix:///run/nvsess/nvsess.sock:/chat"))
	fmt.Println(client.CheckURL("http://example.org/"))
	// Output:
	// <nil>
	// bad URL "http://example.org/": unknown scheme "http": use ws://, wss:// or ws+unix:///path
}
