package fdstore

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Names in systemd's store: prefix, generation, number, end.
const (
	prefixHot    = "nvsess-hot."
	prefixCold   = "nvsess-cold."
	prefixMemory = "nvsess-memory."
	prefixState  = "nvsess-state."
	nameProbe    = "nvsess-probe"
)

// Ours reports whether a file that systemd passes belongs to a Store.
func Ours(name string) bool { return kindOf(name) != "" || name == nameProbe }

// name is one of ours in systemd's store.
type name struct {
	prefix     string
	generation uint64
	number     uint64
	end        string // "r" or "w" of a ring
}

func kindOf(s string) string {
	for _, p := range []string{prefixHot, prefixCold, prefixMemory, prefixState} {
		if strings.HasPrefix(s, p) {
			return p
		}
	}
	return ""
}

func parseName(s string) (n name, ok bool) {
	n.prefix = kindOf(s)
	parts := strings.Split(strings.TrimPrefix(s, n.prefix), ".")
	want := map[string]int{prefixHot: 3, prefixCold: 3, prefixMemory: 1, prefixState: 2}[n.prefix]
	if want == 0 || len(parts) != want {
		return name{}, false
	}
	var err error
	if n.generation, err = strconv.ParseUint(parts[0], 10, 62); err != nil {
		return name{}, false
	}
	if want > 1 {
		if n.number, err = strconv.ParseUint(parts[1], 10, 62); err != nil {
			return name{}, false
		}
	}
	if want > 2 {
		n.end = parts[2]
		ok = n.end == "r" || n.end == "w"
		return n, ok
	}
	return n, true
}

// files are what systemd passed, by what they are.
type files struct {
	names   []string // of all
	useless []string // names to be removed
	memory  []file
	rings   []*ringFiles
	states  []file
}

type file struct {
	name
	text string
	fd   int
}

type ringFiles struct {
	name
	texts []string
	r, w  int
}

// sortFiles takes the descriptors out of files, and closes what is none of ours.
func sortFiles(given []*os.File) *files {
	k := &files{}
	for _, f := range given {
		text := f.Name()
		n, ok := parseName(text)
		fd := -1
		if ok {
			fd = take(f)
		}
		_ = f.Close()
		k.names = append(k.names, text)
		switch {
		case fd < 0:
			k.useless = append(k.useless, text)
		case n.prefix == prefixMemory:
			k.memory = append(k.memory, file{n, text, fd})
		case n.prefix == prefixState:
			k.states = append(k.states, file{n, text, fd})
		default:
			k.addRing(n, text, fd)
		}
	}
	// The newest memory that can be used counts.
	slices.SortStableFunc(k.memory, func(a, b file) int { return int(int64(b.generation) - int64(a.generation)) })
	return k
}

func (k *files) addRing(n name, text string, fd int) {
	i := slices.IndexFunc(k.rings, func(r *ringFiles) bool {
		return r.prefix == n.prefix && r.generation == n.generation && r.number == n.number
	})
	if i < 0 {
		i = len(k.rings)
		k.rings = append(k.rings, &ringFiles{name: n, r: -1, w: -1})
	}
	r := k.rings[i]
	end := &r.r
	if n.end == "w" {
		end = &r.w
	}
	if *end >= 0 || !isSeqpacket(fd) {
		_ = unix.Close(fd)
		k.useless = append(k.useless, text)
		return
	}
	*end = fd
	r.texts = append(r.texts, text)
}

// take gives the descriptor of a file, which is to be closed.
func take(f *os.File) int {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1
	}
	fd := -1
	if cerr := conn.Control(func(raw uintptr) { fd, err = unix.FcntlInt(raw, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil || err != nil {
		return -1
	}
	return fd
}

func isSeqpacket(fd int) bool {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	domain, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && err2 == nil && typ == unix.SOCK_SEQPACKET && domain == unix.AF_UNIX
}
