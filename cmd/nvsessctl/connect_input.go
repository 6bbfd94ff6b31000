package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chzyer/readline"
)

// connectInput is where lines come from.
type connectInput interface {
	lines() <-chan string // closed at the end of the input
	err() error           // why it ended, once lines is closed; nil for a clean end
	next()                // ready for a line: the one before has been dealt with
	stop()                // no more lines are wanted
}

// connectMaxLine bounds a line of piped input: what it becomes is a message.
const connectMaxLine = 16 << 20

// connectPipe reads lines. Its goroutine ends with the input or with stop; one
// that waits for input which never comes ends with the process, since a read of
// standard input cannot be called off.
type connectPipe struct {
	ch      chan string
	quit    chan struct{}
	once    sync.Once
	failure error // written before ch closes
}

func newConnectPipe(r io.Reader) *connectPipe {
	p := &connectPipe{ch: make(chan string), quit: make(chan struct{})}
	go p.read(r)
	return p
}

func (p *connectPipe) read(r io.Reader) {
	defer close(p.ch)
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), connectMaxLine)
	for sc.Scan() {
		select {
		case p.ch <- sc.Text():
		case <-p.quit:
			return
		}
	}
	p.failure = sc.Err()
	if errors.Is(p.failure, bufio.ErrTooLong) {
		p.failure = errors.New("a line is longer than 16 MiB")
	}
}

func (p *connectPipe) lines() <-chan string { return p.ch }
func (p *connectPipe) err() error           { return p.failure }
func (p *connectPipe) next()                {}
func (p *connectPipe) stop()                { p.once.Do(func() { close(p.quit) }) }

// connectEditor edits lines on a terminal. It shows the next prompt when next
// says that the last line has been dealt with.
//
// The library moves what is printed above the line being typed, but only from
// the moment it reads keys. What came between the prompt and that moment would
// stand behind the prompt and leave none below, so Write waits for it: gate is
// taken with the prompt and given back by the first read of keys.
type connectEditor struct {
	rl    *readline.Instance
	stdin *readline.CancelableStdin
	ch    chan string
	ready chan struct{}
	quit  chan struct{}
	once  sync.Once
	done  chan struct{}

	gate      chan struct{} // one slot: held by a writer, or with the prompt
	prompting atomic.Bool   // the prompt holds gate
}

func newConnectEditor(in, out *os.File, ids func() []string) (*connectEditor, error) {
	e := &connectEditor{
		stdin: readline.NewCancelableStdin(in),
		ch:    make(chan string),
		ready: make(chan struct{}, 1),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		gate:  make(chan struct{}, 1),
	}
	var err error
	e.rl, err = readline.NewEx(&readline.Config{
		Prompt:          "> ",
		HistoryFile:     connectHistory(),
		AutoComplete:    connectCompleter(ids),
		InterruptPrompt: "^C",
		EOFPrompt:       "^D",
		Stdin:           connectKeys{e},
		Stdout:          out,
		Stderr:          out,
		// The library divides by the width, and a terminal may say 0.
		FuncGetWidth: func() int {
			if w := readline.GetScreenWidth(); w > 0 {
				return w
			}
			return 80
		},
		// Its Ctrl-Z stops the parent process as well.
		FuncFilterInputRune: func(r rune) (rune, bool) {
			if r == readline.CharCtrlZ {
				r = readline.CharBell
			}
			return r, true
		},
	})
	if err != nil {
		e.stdin.Close()
		return nil, err
	}
	go e.read()
	return e, nil
}

// connectKeys is the terminal's keys as the library reads them.
type connectKeys struct{ e *connectEditor }

func (k connectKeys) Read(p []byte) (int, error) {
	k.e.prompted()
	return k.e.stdin.Read(p)
}

func (k connectKeys) Close() error { return k.e.stdin.Close() }

func (e *connectEditor) read() {
	defer close(e.done)
	defer close(e.ch)
	for {
		select {
		case <-e.ready:
		case <-e.quit:
			return
		}
		e.gate <- struct{}{}
		e.prompting.Store(true)
		line, err := e.rl.Readline()
		e.prompted()
		if err != nil { // Ctrl-C, Ctrl-D or stop
			return
		}
		select {
		case e.ch <- line:
		case <-e.quit:
			return
		}
	}
}

// prompted gives back what the prompt holds of gate.
func (e *connectEditor) prompted() {
	if e.prompting.CompareAndSwap(true, false) {
		<-e.gate
	}
}

// Write prints above the line being typed.
func (e *connectEditor) Write(p []byte) (int, error) {
	// Should the library read keys in a way not foreseen, a garbled line is
	// better than none.
	patience := time.NewTimer(100 * time.Millisecond)
	defer patience.Stop()
	select {
	case e.gate <- struct{}{}:
		defer func() { <-e.gate }()
	case <-patience.C:
	}
	return e.rl.Stdout().Write(p)
}

func (e *connectEditor) lines() <-chan string { return e.ch }
func (e *connectEditor) err() error           { return nil }
func (e *connectEditor) next()                { e.ready <- struct{}{} }

func (e *connectEditor) stop() {
	e.once.Do(func() {
		close(e.quit)
		e.stdin.Close() // or closing the rest would wait for a key
		// The library's Close and its Readline do not know of each other.
		select {
		case <-e.done:
		case <-time.After(time.Second):
		}
		e.rl.Close()
		<-e.done
	})
}

// connectCompleter completes commands, and after /reply the ids that wait.
func connectCompleter(ids func() []string) readline.AutoCompleter {
	var items []readline.PrefixCompleterInterface
	for _, name := range connectCommands {
		if name == "/reply" {
			items = append(items, readline.PcItem(name, readline.PcItemDynamic(func(string) []string { return ids() })))
			continue
		}
		items = append(items, readline.PcItem(name))
	}
	return readline.NewPrefixCompleter(items...)
}

// connectHistory is the file lines are remembered in, or "" if there can be
// none. Others must not read it: the lines may hold secrets.
func connectHistory() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil || home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	path := filepath.Join(dir, "nvsess", "connect_history")
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return ""
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil || strings.ContainsRune(path, 0) {
		return ""
	}
	f.Close()
	return path
}
