package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A block is a fenced part of a document: what is typed at one prompt, and what
// is printed there. In ```console it is the daemon's, "nvsess> "; in ```node
// that of Node.js, "> "; in both "... " goes on. After "(waits" the value comes
// later, at the beginning of another block. Where nothing is said to be printed
// the value is not looked at, unless it is an error. A ```js block whose first
// line is "// NAME" is a file of the daemon's.
type block struct {
	line  int
	kind  string
	steps []step
	text  string // of a file
}

// step is an input, maybe none, and what is printed after it.
type step struct{ input, output string }

// prompts, by kind of block.
var prompts = map[string]string{"console": "nvsess> ", "node": "> "}

func parse(t *testing.T, file string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in *block
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```") && in == nil:
			in = &block{line: i + 1, kind: line[3:]}
		case strings.HasPrefix(line, "```"):
			if prompts[in.kind] != "" || in.kind == "js" {
				blocks = append(blocks, *in)
			}
			in = nil
		case in != nil:
			in.add(line)
		}
	}
	return blocks
}

func (b *block) add(line string) {
	const more = "... "
	b.text += line + "\n"
	if p := prompts[b.kind]; p != "" {
		if strings.HasPrefix(line, p) {
			b.steps = append(b.steps, step{input: line[len(p):]})
			return
		}
		if n := len(b.steps); n > 0 && b.steps[n-1].output == "" && (strings.HasPrefix(line, more) || line == "...") {
			b.steps[n-1].input += "\n" + strings.TrimPrefix(strings.TrimPrefix(line, "..."), " ")
			return
		}
	}
	if len(b.steps) == 0 {
		b.steps = append(b.steps, step{})
	}
	b.steps[len(b.steps)-1].output += line + "\n"
}

// A stage plays blocks.
type stage struct {
	t      *testing.T
	file   string
	dir    string
	actors map[string]actor
	late   map[string][]chan string // values that have not come
	// What a document says in place of what is: addresses, and ids as they come.
	said, is []string
}

func newStage(t *testing.T, file string, d *daemon) *stage {
	return &stage{
		t: t, file: file, dir: d.Dir,
		actors: map[string]actor{"console": newConsole(d), "node": newShell(t)},
		late:   make(map[string][]chan string),
		said:   []string{"/run/user/1000/nvsess/nvsess.sock", "127.0.0.1:18888", "18888", "/home/ada/"},
		is:     []string{d.Sock, d.TCP, d.TCP[strings.LastIndex(d.TCP, ":")+1:], d.Dir + "/"},
	}
}

// play runs all blocks of a file.
func (s *stage) play() {
	for _, b := range parse(s.t, s.file) {
		if first, _, _ := strings.Cut(b.text, "\n"); b.kind == "js" {
			if err := os.WriteFile(filepath.Join(s.dir, strings.TrimPrefix(first, "// ")), []byte(b.text), 0o600); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		for _, st := range b.steps {
			if !s.step(b, st) {
				return
			}
		}
	}
}

func (s *stage) step(b block, st step) bool {
	a := s.actors[b.kind]
	if st.input != "" {
		value := make(chan string, 1)
		input := s.translate(st.input)
		go func() { value <- a.run(input) }()
		if st.output == "" {
			if text := <-value; strings.Contains(text, "Error") {
				s.t.Errorf("%s:%d: %s\nprinted:\n%s", s.file, b.line, st.input, text)
				return false
			}
			return true
		}
		s.late[b.kind] = append(s.late[b.kind], value)
		if strings.HasPrefix(st.output, "(waits") {
			return true
		}
	}
	rest := strings.TrimSuffix(st.output, "\n")
	var heard []string // and not yet found
	timeout := time.After(patience)
	for rest != "" {
		taken := false
		for i, text := range heard {
			if after, ok := s.take(rest, text); ok {
				heard = append(heard[:i], heard[i+1:]...)
				rest, taken = after, true
				break
			}
		}
		if taken {
			continue
		}
		var value chan string
		if n := len(s.late[b.kind]); n > 0 {
			value = s.late[b.kind][n-1]
		}
		select {
		case text := <-value:
			s.late[b.kind] = s.late[b.kind][:len(s.late[b.kind])-1]
			heard = append(heard, text)
		case text := <-a.written():
			heard = append(heard, text)
		case <-timeout:
			s.t.Errorf("%s:%d: %s\nprinted:\n%s\nwanted:\n%s", s.file, b.line, st.input, strings.Join(heard, "\n"), rest)
			return false
		}
	}
	for _, text := range heard {
		s.t.Errorf("%s:%d: %s\nprinted, too:\n%s", s.file, b.line, st.input, text)
	}
	return len(heard) == 0
}

// What differs each time: ids, keys, ports, times.
var changing = regexp.MustCompile(`[\w-]{64}|"[A-Za-z0-9+/]{22}=="|"(?:localPort|port)": \d+|\b\d+(?:\.\d+)?ms\b|/tmp/nvt\w+(?:/[\w.]+)?|127\.0\.0\.1:\d+|REPL\d*:\d+`)

// take finds text at the beginning of what a document says, and learns what the
// document calls things.
func (s *stage) take(rest, text string) (after string, ok bool) {
	lines := strings.Count(text, "\n") + 1
	parts := strings.SplitN(rest, "\n", lines+1)
	if len(parts) < lines {
		return rest, false
	}
	said := strings.Join(parts[:lines], "\n")
	for i := range s.said {
		said = strings.ReplaceAll(said, s.said[i], s.is[i])
	}
	if changing.ReplaceAllString(said, "*") != changing.ReplaceAllString(text, "*") {
		return rest, false
	}
	names, values := changing.FindAllString(said, -1), changing.FindAllString(text, -1)
	for i := range names {
		if len(names[i]) == 64 && names[i] != values[i] {
			s.said, s.is = append(s.said, names[i]), append(s.is, values[i])
		}
	}
	if len(parts) == lines {
		return "", true
	}
	return parts[lines], true
}

// translate puts what is in place of what a document says.
func (s *stage) translate(input string) string {
	for i := len(s.said) - 1; i >= 0; i-- {
		input = strings.ReplaceAll(input, s.said[i], s.is[i])
	}
	return input
}

// TestReadme plays nv-session-simple's README.
func TestReadme(t *testing.T) {
	for _, name := range []string{"forward", "browser", "by-hand", "clients", "serialized"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newStage(t, fmt.Sprintf("testdata/%s.md", name), start(t, "")).play()
		})
	}
}

// TestTutorial plays docs/testbed.md.
func TestTutorial(t *testing.T) {
	t.Parallel()
	d := start(t, "handlers = \"handlers.js\"\n", "-mode", "forward")
	newStage(t, "../../docs/testbed.md", d).play()
}
