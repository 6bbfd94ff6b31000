package clients

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
)

func dial(t *testing.T, url string, opts ...client.Option) *client.Conn {
	t.Helper()
	c, err := client.Dial(within(t), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseNow()
		<-c.Done()
	})
	return c
}

func recv[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-within(t).Done():
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGoClient(t *testing.T) {
	d := start(t, "echo", "[keepalive]\ninterval = \"400ms\"\n")
	d.Ctl("handlers", "creq", "echo")
	for _, url := range []string{d.url + "a/b?c=d", d.unix, d.unix + ":/a/b?c=d"} {
		text, object, binary := make(chan string, 10), make(chan string, 10), make(chan []byte, 10)
		pings := make(chan bool, 10_000)
		c := dial(t, url, client.WithKeepalive(400*time.Millisecond), client.WithHandlers(client.Handlers{
			String: func(_ *client.Conn, s string) { text <- s },
			JSON:   func(_ *client.Conn, j json.RawMessage) { object <- string(j) },
			Binary: func(_ *client.Conn, b []byte) { binary <- b },
			Request: func(c *client.Conn, req client.Envelope) {
				if err := c.Reply(t.Context(), req.ID, map[string]any{"got": req.Data}); err != nil {
					t.Error(err)
				}
			},
		}), client.WithTrace(func(_ *client.Conn, e client.Trace) {
			if e.What == client.TypePing && !e.Sent {
				pings <- true
			}
		}))
		ctx := within(t)
		id, err := c.WaitSession(ctx)
		if err != nil || len(id) != 64 {
			t.Fatalf("session %q, %v", id, err)
		}
		big := bytes.Repeat([]byte{0, 1, 2, 3}, 50_000)
		must(t, c.SendString(ctx, "héllo"))
		must(t, c.SendJSON(ctx, map[string]string{"a": "<b>"}))
		must(t, c.SendBinary(ctx, big))
		if s, j, b := recv(t, text), recv(t, object), recv(t, binary); s != "héllo" || j != `{"a":"<b>"}` || !bytes.Equal(b, big) {
			t.Errorf("%q, %q, %d bytes", s, j, len(b))
		}
		if env, err := c.Request(ctx, []int{1}); err != nil || env.Type != client.TypeSres || string(env.Data) != "[1]" {
			t.Errorf("%+v, %v", env, err)
		}
		if _, err := c.Ping(ctx); err != nil {
			t.Error(err)
		}
		if answer := d.Ctl("--json", "send_jrr_sreq", id, `"?"`); !strings.Contains(answer, `{"got":"?"}`) {
			t.Errorf("answer: %s", answer)
		}
		for range 7 { // two a interval: alive after three
			recv(t, pings)
		}
		must(t, c.Err())
		must(t, c.Close(ctx, 4000, "enough"))
	}
	// From the server's side, and at its end.
	closed := make(chan *client.CloseError, 2)
	handlers := client.WithHandlers(client.Handlers{Close: func(_ *client.Conn, err *client.CloseError) { closed <- err }})
	dial(t, d.url, handlers)
	d.Ctl("close", "lst", "4001", "because")
	if why := recv(t, closed); why.Code != 4001 || why.Reason != "because" || !why.Remote {
		t.Errorf("closed for %v", why)
	}
	left := start(t, "handlers", "")
	dial(t, left.url, handlers)
	left.Terminate()
	if why := recv(t, closed); why.Code != client.CloseGoingAway || !why.Remote {
		t.Errorf("closed for %v", why)
	}
}

// Three Go clients of which two hear what the third says.
func TestGoForward(t *testing.T) {
	d := start(t, "forward", "")
	heard := make([]chan string, 3)
	conns := make([]*client.Conn, 3)
	for i := range conns {
		heard[i] = make(chan string, 10)
		conns[i] = dial(t, d.url, client.WithHandlers(client.Handlers{
			JSON: func(_ *client.Conn, j json.RawMessage) { heard[i] <- string(j) },
		}))
		if _, err := conns[i].WaitSession(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range conns {
		must(t, c.SendJSON(within(t), map[string]int{"src": i}))
		want := `{"src":` + string(rune('0'+i)) + `}`
		for j := range conns {
			if j == i {
				continue
			}
			if got := recv(t, heard[j]); got != want {
				t.Errorf("%d heard %s from %d", j, got, i)
			}
		}
	}
}

func TestConnectCommand(t *testing.T) {
	d := start(t, "echo", "")
	d.Ctl("handlers", "creq", "echo")
	connect := func(stdin string, args ...string) string {
		cmd := d.Command(within(t), append([]string{"connect"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("connect %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for _, url := range []string{d.url, d.unix} {
		// -n ends it after so many messages, whatever was typed behind them; the
		// answers to commands are waited for when nothing else is asked for.
		out := connect("hello\n{\"a\": 1}\n/bin 00ff\n", url, "-n", "3") + connect("/creq {\"k\":1}\n/ping\n", url)
		for _, want := range []string{" string hello\n", ` json   {"a":1}` + "\n", "00 ff", `"___data___":{"k":1}}`, " pong "} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	}
	// A request of the operator's is answered while connect waits for it.
	answered := make(chan string)
	go func() { answered <- connect("", d.unix, "--auto-echo", "-n", "1") }()
	for d.Ctl("sesses") == "Map(0) {}" { // each call is a process: no busy loop
	}
	if answer := d.Ctl("--json", "send_jrr_sreq", "lst", `{"q":[1]}`); !strings.Contains(answer, `{"q":[1]}`) {
		t.Errorf("answer: %s", answer)
	}
	if out := recv(t, answered); !strings.Contains(out, " sreq ") || !strings.Contains(out, " cres ") {
		t.Errorf("it printed: %s", out)
	}
}
