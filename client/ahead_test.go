package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/nvsess/nvsess/internal/deflate"
)

// What is wrong with a compressed message ends the connection when the bytes that show
// it have come: in a frame that is not whole, or in a message that has more frames.
func TestRFC7692_6_2_ClientJudgesWhatHasCome(t *testing.T) {
	const limit = 10_000
	packed := func(text string) []byte { return deflate.Compress(nil, []byte(text), 15, nil) }
	for _, c := range []struct {
		name    string
		op      ws.OpCode
		payload []byte
		code    int
		err     error
	}{
		{"a byte that is not UTF-8", ws.OpText, packed("Grüße\xff"), CloseInvalid, ErrProtocol},
		{"that byte, before it is too big", ws.OpText, packed("\xff" + strings.Repeat("x", 2*limit)), CloseInvalid, ErrProtocol},
		{"that byte, before it is no DEFLATE data", ws.OpText, append(packed("\xff"), 0, 0, 0xff, 0xff, 0x06), CloseInvalid, ErrProtocol},
		{"too big", ws.OpText, packed(strings.Repeat("x", limit+1)), CloseTooBig, ErrTooBig},
		{"too big, of binary that is not UTF-8", ws.OpBinary, packed(strings.Repeat("\xff", limit+1)), CloseTooBig, ErrTooBig},
		{"a reserved type of block", ws.OpBinary, []byte{0x06}, CloseInvalid, ErrProtocol},
		{"a stored block's length and its complement", ws.OpBinary, []byte{0, 5, 0, 0, 0}, CloseInvalid, ErrProtocol},
		{"what stands before all that was", ws.OpText, []byte{0x4a, 0x04, 0x7f, 0xff, 0xff, 0xff}, CloseInvalid, ErrProtocol},
	} {
		for _, contexts := range []bool{false, true} {
			o := &deflate.Options{ServerContextTakeover: contexts, ClientContextTakeover: contexts}
			for _, way := range []string{"a frame of more", "a frame of many", "byte by byte"} {
				t.Run(c.name+"/"+way, func(t *testing.T) {
					code := make(chan int, 1)
					url := deflating(t, o, func(p *peer, _ deflate.Params) {
						header := func(first bool, size int) {
							h := ws.Header{OpCode: ws.OpContinuation, Length: int64(size)}
							if first {
								h.OpCode, h.Rsv = c.op, ws.Rsv(true, false, false)
							}
							_ = ws.WriteHeader(p, h)
						}
						switch way {
						case "a frame of more":
							header(true, len(c.payload)+1)
							p.bytes(c.payload)
						case "a frame of many":
							header(true, len(c.payload))
							p.bytes(c.payload)
						case "byte by byte":
							for i := range c.payload {
								header(i == 0, 1)
								p.bytes(c.payload[i : i+1])
							}
						}
						n, _ := p.closing()
						code <- n
					})
					conn := dialed(t, url, WithCompression(Compression{ServerContextTakeover: contexts, ClientContextTakeover: contexts}), WithMaxMessage(limit), WithKeepalive(0))
					if got := recv(t, code); got != c.code {
						t.Errorf("the server is told %d, want %d", got, c.code)
					}
					recv(t, conn.Done())
					if err := conn.Err(); !errors.Is(err, c.err) {
						t.Errorf("%v, want %v", err, c.err)
					}
				})
			}
		}
	}
}

// A message that comes in the smallest pieces is the message, and the next one, that
// refers to it, too; what judges them is given back.
func TestCompressedByteByByte(t *testing.T) {
	var sent deflate.Window
	words := strings.Repeat("Grüße, 世界! ", 300)
	r := frameReader{maxFrame: 1 << 20, maxMessage: int64(len(words)), inflate: &inflater{bits: 15, window: new(deflate.Window)}}
	for range 3 {
		payload := deflate.Compress(nil, []byte(words), 15, &sent)
		var wire []byte
		for i := range payload {
			h := ws.Header{OpCode: ws.OpContinuation, Fin: i == len(payload)-1, Length: 1}
			if i == 0 {
				h.OpCode, h.Rsv = ws.OpText, ws.Rsv(true, false, false)
			}
			wire = append(wire, ws.MustCompileFrame(ws.Frame{Header: h, Payload: payload[i : i+1]})...)
		}
		r.src = strings.NewReader(string(wire))
		op, got, err := r.next()
		if err != nil || op != ws.OpText || string(got) != words {
			t.Fatalf("opcode %d, %d bytes, %v", op, len(got), err)
		}
		if r.ahead != (ahead{}) {
			t.Error("what judges a message outlives it")
		}
	}
}
