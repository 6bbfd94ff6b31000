package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/nvsess/nvsess/bench/wire"
)

// The envelopes of nv-session-simple that a server sends without being asked,
// and the ones its stock clients send. The name of a type is what identifies
// an envelope; loadgen needs no more of the JSON.
var (
	envelopeKey  = []byte(`"___type___"`)
	envelopePing = []byte(`"___ping___"`)
	envelopePong = []byte(`"___pong___"`)
	envelopeCfg  = []byte(`"___cfg___"`)
)

// keepalive holds the frames of a stock client's keepalive, encoded once. A
// stock client makes a new id for each message; servers do not look at it.
type keepalive struct {
	jsonPing, jsonPong, ping []byte
}

func newKeepalive(intervalMillis int) keepalive {
	envelope := func(kind string) []byte {
		id := strings.Repeat("loadgen-", 8)
		return fmt.Appendf(nil, `{"___type___":"___%s___","___id___":"%s","___data___":"%d"}`, kind, id, intervalMillis)
	}
	return keepalive{
		jsonPing: wire.AppendFrame(nil, wire.OpText, envelope("ping")),
		jsonPong: wire.AppendFrame(nil, wire.OpText, envelope("pong")),
		ping:     wire.AppendFrame(nil, wire.OpPing, nil),
	}
}

// traffic counts what came beside the payload: a server's own messages must
// never pass for deliveries.
type traffic struct {
	Cfg        uint64 `json:"cfg"`
	JSONPings  uint64 `json:"json_pings"`
	JSONPongs  uint64 `json:"json_pongs"`
	Other      uint64 `json:"other_envelopes"`
	PingFrames uint64 `json:"ping_frames"`
	PongFrames uint64 `json:"pong_frames"`
	Closes     uint64 `json:"closed_by_server"`
}

// envelope counts b if it is an envelope and says whether it was, and whether it
// asks for a pong.
func (t *traffic) envelope(opcode byte, b []byte) (is, wantsPong bool) {
	if opcode != wire.OpText {
		return false, false
	}
	// The type comes first in what nv-session-simple prints; a payload that
	// mentions it far inside is not an envelope.
	head := b[:min(len(b), 160)]
	if !bytes.Contains(head, envelopeKey) {
		return false, false
	}
	switch {
	case bytes.Contains(head, envelopePing):
		t.JSONPings++
		return true, true
	case bytes.Contains(head, envelopePong):
		t.JSONPongs++
	case bytes.Contains(head, envelopeCfg):
		t.Cfg++
	default:
		t.Other++
	}
	return true, false
}
