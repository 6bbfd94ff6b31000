package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
)

// connectPrinter shows what happens. Each event is one Write, so that a line
// being typed is moved out of its way once. What the peer sent is escaped.
type connectPrinter struct {
	opt         *connectOptions
	out         io.Writer // what arrives
	notes       io.Writer // everything else
	interactive bool
	now         func() time.Time

	mu sync.Mutex // guards writing to out and notes
}

// How much of a message is shown without --full.
const (
	connectMaxText   = 16 << 10
	connectMaxBinary = 512
	connectWide      = 100 // longer JSON is indented for a person
)

// connectLine is a message for --json.
type connectLine struct {
	Time   string          `json:"time"`
	Kind   string          `json:"kind"`
	ID     string          `json:"id,omitempty"`
	Data   json.RawMessage `json:"data"`
	Base64 bool            `json:"base64,omitempty"` // data is binary in base64
	Length *int            `json:"length,omitempty"` // of binary data, in bytes
	Took   string          `json:"took,omitempty"`
}

func (p *connectPrinter) write(w io.Writer, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	io.WriteString(w, text) // nobody is left to hear that it failed
}

func (p *connectPrinter) note(text string) { p.write(p.notes, text) }

func (p *connectPrinter) noteLocked(text string) { io.WriteString(p.notes, text) }

// event prints a line with time and kind.
func (p *connectPrinter) event(kind, text string) {
	p.write(p.out, fmt.Sprintf("%s %-6s %s\n", p.now().Format("15:04:05.000"), kind, text))
}

// jsonLine prints for --json.
func (p *connectPrinter) jsonLine(l connectLine) {
	l.Time = p.now().Format(time.RFC3339Nano)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(l) == nil {
		p.write(p.out, string(admin.EscapeJSON(b.Bytes())))
	}
}

// text prints a string: as it is when that is safe and unmistakable, else quoted.
func (p *connectPrinter) text(s string) {
	if p.opt.json {
		data, _ := json.Marshal(s) // a string always marshals
		p.jsonLine(connectLine{Kind: "string", Data: data})
		return
	}
	shown, more := s, ""
	if !p.opt.full && len(s) > connectMaxText {
		shown, more = connectCut(s, connectMaxText)
	}
	if admin.Escape(shown) != shown || strings.HasPrefix(shown, `"`) || strings.TrimSpace(shown) != shown || shown == "" {
		shown = admin.Quote(shown)
	}
	p.event("string", shown+more)
}

// jsonMessage prints JSON, on one line if it is short or nobody watches.
func (p *connectPrinter) jsonMessage(kind, id string, raw []byte, took string) {
	if raw == nil {
		raw = []byte("null")
	}
	compact := connectCompact(raw)
	if p.opt.json {
		p.jsonLine(connectLine{Kind: kind, ID: id, Data: compact, Took: took})
		return
	}
	shown := string(admin.EscapeJSON(compact))
	if p.opt.pretty || p.interactive && utf8.RuneCountInString(shown) > connectWide {
		shown = admin.IndentJSON(compact)
	}
	if !p.opt.full && len(shown) > connectMaxText {
		s, more := connectCut(shown, connectMaxText)
		shown = s + more
	}
	if id != "" {
		shown = connectShortID(id) + " " + shown
	}
	if took != "" {
		shown += " (" + took + ")"
	}
	p.event(kind, shown)
}

func (p *connectPrinter) sreq(req client.Envelope, hint bool) {
	p.jsonMessage("sreq", req.ID, req.Data, "")
	switch {
	case req.ID == "":
		p.note("             it has no id, so it cannot be answered\n")
	case hint:
		p.note("             answer with: /reply " + connectShortID(req.ID) + " JSON\n")
	}
}

func (p *connectPrinter) binary(b []byte) {
	if p.opt.json {
		data, _ := json.Marshal(base64.StdEncoding.EncodeToString(b)) // a string always marshals
		n := len(b)
		p.jsonLine(connectLine{Kind: "binary", Data: data, Base64: true, Length: &n})
		return
	}
	shown, more := b, ""
	if !p.opt.full && len(b) > connectMaxBinary {
		shown, more = b[:connectMaxBinary], fmt.Sprintf("\n  … %d bytes more; --full shows all", len(b)-connectMaxBinary)
	}
	text := fmt.Sprintf("%d bytes", len(b))
	if len(b) == 1 {
		text = "1 byte"
	}
	if dump := strings.TrimSuffix(hex.Dump(shown), "\n"); dump != "" {
		text += "\n  " + strings.ReplaceAll(dump, "\n", "\n  ")
	}
	p.event("binary", text+more)
}

func (p *connectPrinter) cfg(cfg client.Cfg) {
	if p.opt.json {
		p.jsonLine(connectLine{Kind: "cfg", Data: connectCompact(cfg.Envelope.Data)})
		return
	}
	text := "session " + admin.Escape(cfg.SessionID)
	if cfg.KeepaliveInterval > 0 {
		text += fmt.Sprintf(", keepalive %v", cfg.KeepaliveInterval)
	}
	p.event("cfg", text)
}

func (p *connectPrinter) pong(d time.Duration) {
	if p.opt.json {
		p.jsonLine(connectLine{Kind: "pong", Data: json.RawMessage("null"), Took: connectRound(d).String()})
		return
	}
	p.event("pong", connectRound(d).String())
}

func (p *connectPrinter) trace(e client.Trace) {
	text := "<- " + e.What
	if e.Sent {
		text = "-> " + e.What
	}
	if e.Data != "" {
		text += " " + admin.Escape(connectClip(e.Data, 200))
	}
	if e.Note != "" {
		text += " (" + e.Note + ")"
	}
	p.note(p.now().Format("15:04:05.000") + " " + text + "\n")
}

// connectCut shortens s to about n bytes at a character.
func connectCut(s string, n int) (shown, more string) {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n], fmt.Sprintf(" … %d bytes more; --full shows all", len(s)-n)
}

// connectShortID is the beginning of an id that serves to name it: ids are
// random.
func connectShortID(id string) string {
	if r := []rune(id); len(r) > 8 {
		id = string(r[:8])
	}
	return admin.Escape(id)
}

func connectCompact(raw []byte) []byte {
	if len(raw) == 0 {
		return []byte("null")
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
