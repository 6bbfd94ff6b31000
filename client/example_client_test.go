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

// A Client survives a restart of the server: what is sent meanwhile waits.
func ExampleConnect() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "nvsess.sock")
	daemon := startUnixDaemon("echo", path)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	received, lost := make(chan string), make(chan error, 1)
	c, err := client.Connect(ctx, "ws+unix://"+path,
		client.WithHandlers(client.Handlers{
			String: func(_ *client.Conn, s string) { received <- s },
		}),
		client.WithReconnect(client.Reconnect{
			MinDelay: 10 * time.Millisecond,
			MaxDelay: 100 * time.Millisecond,
			OnConnect: func(conn *client.Conn) {
				conn.SendString(ctx, "here I am") // before anything that waits
			},
			OnDisconnect: func(d client.Disconnect) {
				var closed *client.CloseError
				if errors.As(d.Err, &closed) && closed.Remote {
					lost <- d.Err
				}
			},
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	fmt.Println(<-received)

	daemon.stop()
	fmt.Println(<-lost)
	message, err := c.EnqueueString(ctx, "sent while there is no server") // does not wait
	if err != nil {
		log.Fatal(err)
	}

	daemon = startUnixDaemon("echo", path)
	defer daemon.stop()
	fmt.Println(<-received)
	fmt.Println(<-received)
	<-message.Done()
	fmt.Println(message.Err(), c.Close(ctx, client.CloseNormal, ""))
	// Output:
	// here I am
	// connection closed by the server: 1001 (going away) "shutting down"
	// here I am
	// sent while there is no server
	// <nil> <nil>
}

// Requests wait for a connection, as long as their context lets them.
func ExampleClient_Request() {
	daemon := startDaemon("echo")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	c, err := client.New(daemon.url) // does not wait
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	answer, err := c.Request(ctx, []int{1, 2, 3})
	fmt.Println(string(answer.Data), err)
	// Output: [1,2,3] <nil>
}

// Handlers change while connected, one of them or all.
func ExampleClient_ChangeHandlers() {
	daemon := startDaemon("echo")
	defer daemon.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	received := make(chan string)
	c, err := client.Connect(ctx, daemon.url, client.WithHandlers(client.Handlers{
		JSON: func(_ *client.Conn, j json.RawMessage) { received <- "first handler: " + string(j) },
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()

	c.SendJSON(ctx, []string{"a"})
	fmt.Println(<-received)
	c.ChangeHandlers(func(h *client.Handlers) {
		h.JSON = func(_ *client.Conn, j json.RawMessage) { received <- "second handler: " + string(j) }
	})
	c.SendJSON(ctx, []string{"b"})
	fmt.Println(<-received)
	// Output:
	// first handler: ["a"]
	// second handler: ["b"]
}

// A message that is of no use later expires in the queue; a queue has an end.
func ExampleClient_EnqueueJSON() {
	c, err := client.New("ws+unix:///nowhere/nvsess.sock", client.WithQueue(1, 1<<20))
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()

	soon, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	position, err := c.EnqueueJSON(soon, map[string]int{"x": 1, "y": 2})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.EnqueueJSON(soon, map[string]int{"x": 3, "y": 4})
	fmt.Println(errors.Is(err, client.ErrQueueFull))

	<-position.Done()
	fmt.Println(position.Err())
	// Output:
	// true
	// context deadline exceeded
}
