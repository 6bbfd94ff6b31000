package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/admin"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// topView is the live screen. One goroutine owns it; another reads keys, and one at a time asks the daemon.
type topView struct {
	client   *admin.Client
	args     map[string]any
	in, out  *os.File
	interval time.Duration

	now, was *admin.Top
	err      error     // why there is no newer answer
	lost     time.Time // since when
	asked    time.Time // when the look under way began; zero: none is
	note     string    // shown for a while
	noted    time.Time
	sort     int
	paused   bool
	help     bool

	found *unix.Termios // the terminal's settings before
}

const (
	topNote = 5 * time.Second

	topEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J" // the other screen, no cursor, no wrapping
	topLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// run shows the screen until the user leaves or ctx is done. The terminal is given back as it was found, whatever ends it.
func (v *topView) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(resized)
	if err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	keys, stopKeys, err := readKeys(v.in)
	if err != nil {
		return err
	}
	defer stopKeys()
	// A look that is under way at the end is called off, and has room for what it brings.
	looking, callOff := context.WithCancel(ctx)
	defer callOff()
	answers := make(chan topAnswer, 1)
	look := func() {
		if v.asked.IsZero() && !v.paused {
			v.asked = time.Now()
			go v.look(looking, answers)
		}
	}
	look()
	tick := time.NewTicker(v.interval)
	defer tick.Stop()
	for {
		if err := v.draw(); err != nil {
			return err
		}
		select {
		case a := <-answers:
			v.asked = time.Time{}
			if v.take(a) {
				return a.err
			}
		case <-tick.C:
			look()
		case <-resized:
		case k, ok := <-keys:
			if !ok { // the terminal is gone
				return nil
			}
			switch before := v.interval; {
			case k == 'q' || k == 'Q':
				return nil
			case k == 3: // Ctrl-C
				return errLeft
			case k == 26: // Ctrl-Z
				v.suspend()
			default:
				v.key(k)
				if v.interval != before {
					tick.Reset(v.interval)
				}
				if k == ' ' || k == 'p' {
					look()
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (v *topView) key(k byte) {
	switch k {
	case 'p', 'P':
		v.paused = !v.paused
	case 's', 'S':
		v.sort = (v.sort + 1) % len(admin.TopSorts)
	case 'h', 'H', '?':
		v.help = !v.help
	case '+', '=': // more often
		if i, _ := slices.BinarySearch(topIntervals, v.interval); i > 0 {
			v.interval = topIntervals[i-1]
		}
	case '-', '_':
		if i := slices.IndexFunc(topIntervals, func(d time.Duration) bool { return d > v.interval }); i >= 0 {
			v.interval = topIntervals[i]
		}
	}
}

// enter takes the terminal: each key comes by itself, and nothing is echoed.
func (v *topView) enter() error {
	found, err := unix.IoctlGetTermios(int(v.in.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	raw := *found
	raw.Iflag &^= unix.IXON | unix.ICRNL
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(v.in.Fd()), unix.TCSETS, &raw); err != nil {
		return err
	}
	v.found = found
	_, err = v.out.WriteString(topEnter)
	return err
}

// leave gives it back. A terminal that is gone takes nothing any more.
func (v *topView) leave() {
	_, _ = v.out.WriteString(topLeave)
	_ = unix.IoctlSetTermios(int(v.in.Fd()), unix.TCSETS, v.found)
}

// suspend is Ctrl-Z: as the terminal does it, it is for the whole job.
func (v *topView) suspend() {
	v.leave()
	_ = syscall.Kill(0, syscall.SIGTSTP)
	_ = v.enter() // if not, the next key or line tells
}

// draw shows what there is.
func (v *topView) draw() error {
	columns, rows, err := term.GetSize(int(v.out.Fd()))
	if err != nil || columns < 1 || rows < 1 {
		columns, rows = 80, 24
	}
	lines := v.lines(columns, rows)
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, l := range lines[:min(len(lines), rows)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(topFit(l, columns) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err = v.out.Write(b.Bytes())
	return err
}

// lines is the screen, its last line the keys.
func (v *topView) lines(columns, rows int) []string {
	p := newPrinter(v.out)
	p.Width = columns
	var text bytes.Buffer
	p.W = &text
	room := rows - 1
	notice := v.notice(p)
	if notice != "" {
		p.Printf("%s\n", notice)
		room--
	}
	switch {
	case v.help:
		p.Printf("%s", topHelp)
	case v.now != nil:
		for _, line := range (&admin.TopScreen{Now: v.now, Was: v.was, Sort: admin.TopSorts[v.sort], Fancy: tstUTF8(), Rows: room}).Lines(p) {
			p.Printf("%s\n", line)
		}
	case notice == "":
		p.Printf("%s\n", p.Styled(admin.Dim, "waiting for the first answer of the daemon"))
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	lines = lines[:min(len(lines), rows-1)]
	for len(lines) < rows-1 {
		lines = append(lines, "")
	}
	keys := fmt.Sprintf("q quit   p %s   s sort: %s   +/- every %s   h help", map[bool]string{false: "pause", true: "go on"}[v.paused], admin.TopSorts[v.sort], v.interval)
	text.Reset()
	p.Printf("%s", p.Styled(admin.Dim, keys))
	return append(lines, text.String())
}

// notice is what there is to say about the answers themselves.
func (v *topView) notice(p *admin.Printer) string {
	switch {
	case v.err != nil:
		return p.Styled(admin.Red, fmt.Sprintf("trying again for %s: %s", time.Since(v.lost).Round(time.Second), v.err))
	case v.paused:
		return p.Styled(admin.Yellow, "paused")
	case !v.asked.IsZero() && time.Since(v.asked) > max(2*time.Second, v.interval):
		return p.Styled(admin.Red, fmt.Sprintf("the daemon has not answered for %s", time.Since(v.asked).Round(time.Second)))
	case v.note != "" && time.Since(v.noted) < topNote:
		return p.Styled(admin.Yellow, v.note)
	}
	return ""
}

const topHelp = `q, Ctrl-C   leave
p           pause, go on
space       look now
s           the order of the busiest: messages, in, out, bytes per second, age
+ -         more often, less often
h           this

messages/s  text and binary; bytes are payload in, frames out
late        messages that the kernel did not take at once, and how long they waited
busy        the part of the time that an event loop worked
lag         how late its passes begin: what everything that it does has to wait;
            an upper bound, for 99 of 100 and for the worst since the last look
slowest     sessions that do not read what they are sent, or lost messages for that
in red      what went wrong since the last look
`

// topFit cuts a line to so many columns; styles take none.
func topFit(line string, columns int) string {
	styled := false
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			styled = true
			i += strings.IndexByte(line[i:], 'm') + 1
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		if columns -= admin.RuneWidth(r); columns < 0 {
			if styled {
				return line[:i] + "\x1b[0m"
			}
			return line[:i]
		}
		i += n
	}
	return line
}

// sequence is what a terminal sends for an arrow, say (ECMA-48).
var sequence = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]?|O.?|.?)")

// pressed are the keys among what a terminal sent that are one byte each.
func pressed(b []byte) []byte { return sequence.ReplaceAll(b, nil) }

// readKeys hands over the terminal's keys one by one, but for those that a terminal sends as a sequence. The channel is closed when the
// terminal is gone. The returned function ends it, and waits for that.
func readKeys(in *os.File) (<-chan byte, func(), error) {
	wake, end, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	keys, ended := make(chan byte, 16), make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(keys)
		fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}, {Fd: int32(wake.Fd()), Events: unix.POLLIN}}
		b := make([]byte, 64)
		for {
			if _, err := unix.Poll(fds, -1); err == unix.EINTR {
				continue
			} else if err != nil || fds[1].Revents != 0 {
				return
			}
			n, err := unix.Read(int(fds[0].Fd), b)
			if err == unix.EINTR || err == unix.EAGAIN {
				continue
			}
			if err != nil || n <= 0 {
				return
			}
			for _, k := range pressed(b[:n]) {
				select {
				case keys <- k:
				case <-over:
					return
				}
			}
		}
	}()
	return keys, func() { close(over); end.Close(); <-ended; wake.Close() }, nil
}
