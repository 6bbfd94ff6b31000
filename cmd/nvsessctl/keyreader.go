package main

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode"
)

// keyReader reads the terminal's keys for the editor. It puts keys that the editor does not know in terms of those it does: Home and End
// as screen, tmux and the Linux console send them, and Ctrl with an arrow, which moves by a word. A terminal sends a key in one piece.
//
// What is pasted, which the terminal says when it is asked to, becomes one key: pasteKey, and Enter after it if it ended with a line.
type keyReader struct {
	in io.Reader

	keys    []byte // not handed over yet
	partial []byte // perhaps the beginning of a mark
	pasting bool
	paste   []byte
	tooLong bool // the paste is

	mu     sync.Mutex // guards what follows
	pastes [][]rune
}

// pasteKey is a character for private use; pasted tells it from one that was typed.
const pasteKey = '\ue2bd'

var pasteBegins, pasteEnds = []byte("\x1b[200~"), []byte("\x1b[201~")

var knownKeys = []struct{ sent, known []byte }{
	{[]byte("\x1b[1~"), []byte("\x1b[H")}, {[]byte("\x1b[7~"), []byte("\x1b[H")},
	{[]byte("\x1b[4~"), []byte("\x1b[F")}, {[]byte("\x1b[8~"), []byte("\x1b[F")},
	{[]byte("\x1b[1;5D"), []byte("\x1bb")}, {[]byte("\x1b[1;3D"), []byte("\x1bb")},
	{[]byte("\x1b[1;5C"), []byte("\x1bf")}, {[]byte("\x1b[1;3C"), []byte("\x1bf")},
}

func (k *keyReader) Read(b []byte) (int, error) {
	for len(k.keys) == 0 {
		chunk := make([]byte, 4096)
		n, err := k.in.Read(chunk)
		k.take(chunk[:n], n == len(chunk))
		if err != nil && len(k.keys) == 0 {
			return 0, err
		}
	}
	n := copy(b, k.keys)
	k.keys = k.keys[n:]
	return n, nil
}

// take sorts what was read into keys and pastes. full: it may have been cut anywhere.
func (k *keyReader) take(chunk []byte, full bool) {
	data := append(k.partial, chunk...)
	k.partial = nil
	for {
		mark := pasteBegins
		if k.pasting {
			mark = pasteEnds
		}
		before, after, found := bytes.Cut(data, mark)
		if !found {
			if n := cutMark(data, mark); n > 0 && (k.pasting || full) {
				k.partial = bytes.Clone(data[len(data)-n:])
				before = data[:len(data)-n]
			}
		}
		if k.pasting {
			k.keep(before)
		} else {
			k.press(before)
		}
		if !found {
			return
		}
		if k.pasting {
			k.finish()
		}
		k.pasting = !k.pasting
		data = after
	}
}

// cutMark is how much of a mark data ends with.
func cutMark(data, mark []byte) int {
	for n := min(len(mark)-1, len(data)); n > 0; n-- {
		if bytes.HasPrefix(mark, data[len(data)-n:]) {
			return n
		}
	}
	return 0
}

func (k *keyReader) press(keys []byte) {
	if bytes.IndexByte(keys, '\x1b') >= 0 {
		for _, key := range knownKeys {
			keys = bytes.ReplaceAll(keys, key.sent, key.known)
		}
	}
	k.keys = append(k.keys, keys...)
}

func (k *keyReader) keep(b []byte) {
	if len(k.paste)+len(b) > maxPayload {
		k.tooLong, k.paste = true, nil
	}
	if !k.tooLong {
		k.paste = append(k.paste, b...)
	}
}

// finish makes a key of what was pasted. What is too long is not pasted at all.
func (k *keyReader) finish() {
	text, tooLong := string(k.paste), k.tooLong
	k.paste, k.tooLong = nil, false
	if tooLong {
		k.keys = append(k.keys, '\a')
		return
	}
	text, enter := cleanPaste(text)
	k.mu.Lock()
	k.pastes = append(k.pastes, []rune(text))
	k.mu.Unlock()
	k.keys = append(k.keys, string(pasteKey)...)
	if enter {
		k.keys = append(k.keys, '\r')
	}
}

// pasted is what the next pasteKey stands for; there is none for a character that was typed.
func (k *keyReader) pasted() ([]rune, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pastes) == 0 {
		return nil, false
	}
	text := k.pastes[0]
	k.pastes = k.pastes[1:]
	return text, true
}

// cleanPaste is a pasted text as the editor holds it, without control characters, and without the prompts of a console that it was copied
// from. enter: it ended with a line's end.
func cleanPaste(text string) (clean string, enter bool) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	text = strings.ReplaceAll(text, string(lineBreak), "\n")
	body := strings.TrimRight(text, "\n")
	enter = len(body) < len(text) && strings.TrimSpace(body) != ""
	lines := strings.Split(body, "\n")
	if strings.HasPrefix(lines[0], "> ") || strings.HasPrefix(lines[0], prompt) {
		for i, line := range lines {
			lines[i] = withoutPrompt(line)
		}
	}
	drop := func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}
	for i, line := range lines {
		lines[i] = strings.Map(drop, strings.ToValidUTF8(line, "\ufffd"))
	}
	return strings.Join(lines, string(lineBreak)), enter
}

func withoutPrompt(line string) string {
	for _, p := range []string{"> ", prompt} {
		if rest, ok := strings.CutPrefix(line, p); ok {
			return rest
		}
	}
	if rest := strings.TrimLeft(line, "."); len(line)-len(rest) >= 3 && strings.HasPrefix(rest, " ") {
		return rest[1:]
	}
	return line
}
