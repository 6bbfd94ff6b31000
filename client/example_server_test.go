package client_test

import (
	"bytes"
	"fmt"
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/nvsess/nvsess/client"
)

// startServer runs what the examples talk to: it sends a ___cfg___, answers
// each ___creq___ with its own data, asks one question, and returns everything
// else to its sender.
func startServer() (url string, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serveExample(conn)
			})
		}
	})
	return "ws://" + ln.Addr().String(), func() { ln.Close(); wg.Wait() }
}

func serveExample(conn net.Conn) {
	if _, err := ws.Upgrade(conn); err != nil {
		return
	}
	wsutil.WriteServerText(conn, []byte(`{"___type___":"___cfg___","___data___":{"sessid":"s1","keepaliveInterval":20000}}`))
	for {
		text, op, err := wsutil.ReadClientData(conn)
		if err != nil {
			return
		}
		env, ok := client.ParseEnvelope(text)
		switch {
		case !ok && bytes.Equal(text, []byte("ask me")):
			wsutil.WriteServerText(conn, []byte(`{"___type___":"___sreq___","___id___":"q1","___data___":{"name":"?"}}`))
		case !ok:
			wsutil.WriteServerMessage(conn, op, text)
		case env.Type == client.TypeCreq:
			wsutil.WriteServerText(conn, fmt.Appendf(nil,
				`{"___type___":"___sres___","___id___":%q,"___data___":{"you asked":%s}}`, env.ID, env.Data))
		case env.Type == client.TypeCres:
			wsutil.WriteServerText(conn, fmt.Appendf(nil, `the answer to %s is %s`, env.ID, env.Data))
		}
	}
}
