package main

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/nvsess/nvsess/bench/wire"
)

func TestPayload(t *testing.T) {
	for _, kind := range []string{"json", "text", "binary"} {
		for _, size := range []int{48, 64, 128, 512, 900, 70000} {
			p, err := newPayload(kind, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.plain) != size || json.Valid(p.plain) != (kind == "json") {
				t.Errorf("%s, %d: %d bytes, %.80q", kind, size, len(p.plain), p.plain)
			}
			frame := p.frame(7)
			p.stamp(frame, 0x1234)
			got := append([]byte(nil), frame[len(frame)-size:]...)
			for i := range got {
				got[i] ^= wire.MaskKey[i&3]
			}
			if err := p.check(p.opcode, got, 7, 0x1234); err != nil {
				t.Errorf("%s, %d: %v", kind, size, err)
			}
			for _, c := range []struct {
				sender uint32
				seq    uint64
				want   error
			}{{7, 0x1233, errLost}, {7, 0x1235, errRepeated}, {8, 0x1234, errCorrupt}} {
				if err := p.check(p.opcode, got, c.sender, c.seq); !errors.Is(err, c.want) {
					t.Errorf("%s, %d: %v, want %v", kind, size, err, c.want)
				}
			}
		}
	}
}
