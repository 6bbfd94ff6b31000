package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// historyLimit is how many lines are remembered.
const historyLimit = 2000

// history is the lines of earlier consoles, in a file that only its owner reads: lines may hold what is secret. Several consoles may add
// to it at once. Nothing about it ever stops the console.
type history struct {
	path  string // "" when there is nowhere to keep it
	lines []string
}

// historyPath is where the XDG rules put it.
func historyPath() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil || home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "nvsess", "history")
}

// openHistory reads the history, and shortens the file when it has grown to twice the limit.
func openHistory(path string) *history {
	h := &history{path: path}
	if path == "" || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		h.path = ""
		return h
	}
	f, err := os.Open(path)
	if err != nil {
		return h
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxPayload)
	for s.Scan() {
		if line := s.Text(); line != "" {
			h.lines = append(h.lines, line)
		}
	}
	all := len(h.lines)
	h.lines = h.lines[max(0, all-historyLimit):]
	if all > 2*historyLimit {
		h.rewrite()
	}
	return h
}

// rewrite replaces the file by the lines that are still wanted.
func (h *history) rewrite() {
	f, err := os.CreateTemp(filepath.Dir(h.path), "history-*") // its mode is 0600
	if err != nil {
		return
	}
	_, err = f.WriteString(strings.Join(h.lines, "\n") + "\n")
	if cerr := f.Close(); err != nil || cerr != nil || os.Rename(f.Name(), h.path) != nil {
		_ = os.Remove(f.Name())
	}
}

// add remembers a line, unless it is the last one again.
func (h *history) add(line string) {
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.path == "" {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		_ = f.Chmod(0o600) // made by something else
	}
	_, _ = f.WriteString(line + "\n")
	_ = f.Close()
}
