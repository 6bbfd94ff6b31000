package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/nvsess/nvsess/client"
)

const connectPatience = 20 * time.Second

// connectServer is a real server on a socket for the tests of connect. It
// returns messages to their sender, answers ___creq___, and does what some
// strings ask for; the test sends on its behalf with say.
type connectServer struct {
	t    *testing.T
	url  string
	got  chan string   // messages of the client, its keepalive left out
	conn chan net.Conn // each upgraded connection
	head chan []string // request headers of each
}

// quiet servers return nothing.
func newConnectServer(t *testing.T, quiet bool) *connectServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &connectServer{
		t: t, url: "ws://" + ln.Addr().String() + "/chat",
		got: make(chan string, 10_000), conn: make(chan net.Conn, 100), head: make(chan []string, 100),
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(connectPatience))
				s.serve(nc, quiet)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return s
}

func (s *connectServer) serve(nc net.Conn, quiet bool) {
	var head []string
	u := ws.Upgrader{
		Protocol: func(p []byte) bool { return string(p) == "chat" },
		OnHeader: func(k, v []byte) error { head = append(head, string(k)+": "+string(v)); return nil },
	}
	if _, err := u.Upgrade(nc); err != nil {
		return
	}
	s.say(nc, `{"___type___":"___cfg___","___data___":{"sessid":"S-1","keepaliveInterval":20000}}`)
	s.head <- head
	s.conn <- nc
	br := bufio.NewReader(nc)
	for {
		h, err := ws.ReadHeader(br)
		if err != nil {
			return
		}
		b := make([]byte, h.Length)
		if _, err := io.ReadFull(br, b); err != nil {
			return
		}
		ws.Cipher(b, h.Mask, 0)
		env, ok := client.ParseEnvelope(b)
		switch {
		case h.OpCode == ws.OpPing:
			ws.WriteFrame(nc, ws.NewPongFrame(b))
		case h.OpCode == ws.OpClose:
			code, reason := ws.ParseCloseFrameData(b)
			s.got <- "close " + strings.TrimSpace(connectJSONOf(int(code))+" "+reason)
			ws.WriteFrame(nc, ws.NewCloseFrame(b))
			return
		case h.OpCode.IsControl(), ok && (env.Type == client.TypeCfg || env.Type == client.TypePing || env.Type == client.TypePong):
		case ok && env.Type == client.TypeCreq && string(env.Data) != `"never"`:
			s.say(nc, connectJSONOf(client.Envelope{Type: client.TypeSres, ID: env.ID, Data: env.Data}))
		case ok:
			s.got <- env.Type + " " + env.ID + " " + string(env.Data)
		case string(b) == "bye":
			ws.WriteFrame(nc, ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))
		case string(b) == "kick":
			ws.WriteFrame(nc, ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "no \x1b[2J more")))
		case string(b) == "drop":
			return
		default:
			if s.got <- connectMessageName(h.OpCode, b); !quiet {
				ws.WriteFrame(nc, ws.NewFrame(h.OpCode, h.Fin, b))
			}
		}
	}
}

// say sends a text to the client.
func (s *connectServer) say(nc net.Conn, text string) {
	ws.WriteFrame(nc, ws.NewTextFrame([]byte(text)))
}

// ask sends a ___sreq___.
func (s *connectServer) ask(nc net.Conn, id, data string) {
	s.say(nc, connectJSONOf(client.Envelope{Type: client.TypeSreq, ID: id, Data: json.RawMessage(data)}))
}

func (s *connectServer) expect(want string) {
	s.t.Helper()
	if got := connectRecv(s.t, s.got); got != want {
		s.t.Errorf("server got %q, want %q", got, want)
	}
}

func connectRecv[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(connectPatience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

func connectJSONOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func connectMessageName(op ws.OpCode, b []byte) string {
	if op == ws.OpBinary {
		return "binary " + hex.EncodeToString(b)
	}
	return "text " + string(b)
}
