package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// systemDir is the runtime directory of a daemon the system runs.
const systemDir = "/run/nvsess"

// RuntimeDir is the directory for sockets: $RUNTIME_DIRECTORY (systemd sets it; the first of a list), else /run/nvsess for root,
// else $XDG_RUNTIME_DIR/nvsess, else /tmp/nvsess-UID. It need not exist; package listen makes it.
func RuntimeDir() string {
	return runtimeDir(os.Getenv, os.Geteuid())
}

func runtimeDir(getenv func(string) string, euid int) string {
	if dir, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	if euid == 0 {
		return systemDir
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "nvsess")
	}
	return "/tmp/nvsess-" + strconv.Itoa(euid)
}

// Expand replaces "%t" by the runtime directory and "%%" by "%". Any other use of "%" is an error, so that more can be given a
// meaning later.
func Expand(s string) (string, error) {
	return expand(s, RuntimeDir())
}

func expand(s, dir string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		switch {
		case strings.HasPrefix(after, "t"):
			b.WriteString(dir)
		case strings.HasPrefix(after, "%"):
			b.WriteByte('%')
		default:
			return "", fmt.Errorf(`%q: "%%" must be followed by t (the runtime directory) or %% (a "%%")`, s)
		}
		s = after[1:]
	}
}

// AdminSockets are the paths at which nvsessctl looks for the admin socket, in order and without duplicates: $NVSESS_ADMIN (a path
// or "unix:/path") and no other if it is set, so that nobody drives another daemon than the one he named; else this user's runtime
// directory, then the system's. A directory in /tmp that somebody else made is left out: its socket is not our daemon's.
func AdminSockets() []string {
	return adminSockets(os.Getenv, os.Geteuid())
}

func adminSockets(getenv func(string) string, euid int) []string {
	if named := strings.TrimPrefix(getenv("NVSESS_ADMIN"), "unix:"); named != "" {
		return []string{named}
	}
	var paths []string
	add := func(path string) {
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if dir := runtimeDir(getenv, euid); !strings.HasPrefix(dir, "/tmp/") || !ownedByOther(dir, euid) {
		add(filepath.Join(dir, "admin.sock"))
	}
	add(filepath.Join(systemDir, "admin.sock"))
	return paths
}

func ownedByOther(dir string, euid int) bool {
	fi, err := os.Lstat(dir)
	if err != nil {
		return false // not there: nothing to be fooled by
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return !ok || !fi.IsDir() || int(st.Uid) != euid
}
