package main

import (
	"bytes"
	"io"
	"os"
	"syscall"

	"github.com/chzyer/readline"
	"golang.org/x/sys/unix"
)

// noKey is a key the editor does nothing about. Telling it to ignore a key instead would make it read ahead while a command runs.
const noKey = readline.CharBell

// key sees each key before the editor does.
func (r *repl) key(k rune) (rune, bool) {
	switch k {
	case readline.CharCtrlZ:
		// The editor would stop the parent process too.
		_ = r.editor.Terminal.ExitRawMode()
		_ = syscall.Kill(0, syscall.SIGTSTP) // as the terminal does it: the whole job
		_ = r.editor.Terminal.EnterRawMode()
		r.editor.Refresh()
		return noKey, true
	case readline.CharCtrlL:
		_, _ = r.out.WriteString("\x1b[H\x1b[2J")
		r.editor.Refresh()
		return noKey, true
	}
	return k, true
}

// raw makes the terminal hand over every key, Ctrl-C too; cooked gives it back as it was found.
func (r *repl) raw(tty *os.File) error {
	found, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	r.found = found
	raw := *found
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, &raw)
}

func (r *repl) cooked(tty *os.File) error {
	if r.found == nil {
		return nil
	}
	return unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, r.found)
}

// keyReader puts keys that the editor does not know in terms of those it does: Home and End as screen, tmux and the Linux console send
// them, and Ctrl with an arrow, which moves by a word. A terminal sends a key in one piece.
type keyReader struct{ io.Reader }

var knownKeys = []struct{ sent, known []byte }{
	{[]byte("\x1b[1~"), []byte("\x1b[H")}, {[]byte("\x1b[7~"), []byte("\x1b[H")},
	{[]byte("\x1b[4~"), []byte("\x1b[F")}, {[]byte("\x1b[8~"), []byte("\x1b[F")},
	{[]byte("\x1b[1;5D"), []byte("\x1bb")}, {[]byte("\x1b[1;3D"), []byte("\x1bb")},
	{[]byte("\x1b[1;5C"), []byte("\x1bf")}, {[]byte("\x1b[1;3C"), []byte("\x1bf")},
}

func (k keyReader) Read(b []byte) (int, error) {
	n, err := k.Reader.Read(b)
	if bytes.IndexByte(b[:n], '\x1b') < 0 {
		return n, err
	}
	keys := bytes.Clone(b[:n])
	for _, key := range knownKeys {
		keys = bytes.ReplaceAll(keys, key.sent, key.known) // never longer
	}
	return copy(b, keys), err
}
