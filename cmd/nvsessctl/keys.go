package main

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/chzyer/readline"
	"golang.org/x/sys/unix"
)

// noKey is a key the editor does nothing about. Telling it to ignore a key instead would make it read ahead while a command runs.
const noKey = readline.CharBell

// key sees each key before the editor does.
func (r *repl) key(k rune) (rune, bool) {
	line, at := r.view.text()
	switch k {
	case pasteKey:
		if text, ok := r.tty.pasted(); ok {
			r.edit = insertion(text)
			return noKey, true
		}
	case readline.CharEnter, readline.CharCtrlJ:
		if wantsMore(typed(line)) {
			r.editor.Terminal.KickRead() // which takes Enter for the end
			return lineBreak, true
		}
	case readline.CharTab:
		if begin := lineStart(line, at); begin > 0 && strings.TrimSpace(string(line[begin:at])) == "" {
			r.edit = insertion([]rune("  "))
			return noKey, true
		}
	case readline.CharPrev:
		if begin := lineStart(line, at); begin > 0 {
			above := lineStart(line, begin-1)
			r.edit = moveTo(min(above+at-begin, begin-1))
			return noKey, true
		}
	case readline.CharNext:
		if end := lineEnd(line, at); end < len(line) {
			r.edit = moveTo(min(end+1+at-lineStart(line, at), lineEnd(line, end+1)))
			return noKey, true
		}
	case readline.CharLineStart:
		if begin := lineStart(line, at); begin > 0 {
			r.edit = moveTo(begin)
			return noKey, true
		}
	case readline.CharLineEnd:
		if end := lineEnd(line, at); end < len(line) {
			r.edit = moveTo(end)
			return noKey, true
		}
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
	r.bracketPastes(true)
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
	r.bracketPastes(false)
	return unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, r.found)
}

// OnChange carries out what key has found a key to mean; the editor calls it after each.
func (r *repl) OnChange(line []rune, pos int, key rune) ([]rune, int, bool) {
	edit := r.edit
	if edit == nil || key == 0 {
		return nil, 0, false
	}
	r.edit = nil
	line, pos = edit(line, pos)
	return line, pos, true
}

func insertion(text []rune) func([]rune, int) ([]rune, int) {
	return func(line []rune, pos int) ([]rune, int) {
		pos = min(pos, len(line))
		return slices.Insert(slices.Clone(line), pos, text...), pos + len(text)
	}
}

func moveTo(at int) func([]rune, int) ([]rune, int) {
	return func(line []rune, _ int) ([]rune, int) { return slices.Clone(line), min(at, len(line)) }
}

// lineStart and lineEnd are where the line with the cursor begins and ends, in an input of several.
func lineStart(line []rune, at int) int {
	for at = min(at, len(line)); at > 0 && line[at-1] != lineBreak; at-- {
	}
	return at
}

func lineEnd(line []rune, at int) int {
	for at = min(at, len(line)); at < len(line) && line[at] != lineBreak; at++ {
	}
	return at
}

// typed is what stands in the editor as the text that it means.
func typed(line []rune) string { return strings.ReplaceAll(string(line), string(lineBreak), "\n") }
