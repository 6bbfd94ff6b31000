package admin

import (
	"slices"
	"strings"

	"github.com/nvsess/nvsess/internal/session"
)

// Live is what completion asks of the daemon. Its answers may be empty: completion is a courtesy.
type Live interface {
	SessionIDs(prefix string) []string
	Handlers(kind string) []string
}

// Candidate is one way to go on.
type Candidate struct {
	Text  string // the whole word
	Note  string // what it is
	Space bool   // the word is then complete
}

// Complete says how the word at the end of line may go on. start is where that word begins.
func Complete(line string, live Live) (start int, found []Candidate) {
	start = 1 + strings.LastIndexAny(line, " \t")
	partial := line[start:]
	before := strings.Fields(line[:start])
	if len(before) == 0 {
		return start, completeCommand(partial)
	}
	cmd, err := lookup(before[0])
	if err != nil {
		return start, nil
	}
	c := completer{cmd: cmd, before: before[1:], live: live}
	a := c.expected()
	switch {
	case a == nil && strings.HasPrefix(partial, "-"), a != nil && !a.Option && strings.HasPrefix(partial, "-") && a.Type != TypeSession:
		return start, c.optionsFor(partial)
	case a == nil:
		return start, nil
	case a.Type == TypeSession && !a.Option && strings.HasPrefix(partial, "-"):
		return start, append(c.optionsFor(partial), c.sessions(partial)...) // an id may begin with a dash
	case a.Type == TypeSessions || a.Type == TypeList:
		comma := strings.LastIndexByte(partial, ',') + 1
		start += comma
		found = c.values(a, partial[comma:])
		for i := range found {
			found[i].Space = false
		}
		return start, found
	}
	return start, c.values(a, partial)
}

func completeCommand(partial string) []Candidate {
	var found []Candidate
	for _, c := range table {
		if !c.Hidden && strings.HasPrefix(c.Name, partial) {
			found = append(found, Candidate{c.Name, c.Summary, len(c.Args) > 0})
		}
	}
	if partial == "" || len(found) > 0 {
		return found
	}
	for _, c := range table {
		for _, name := range c.Aliases {
			if strings.HasPrefix(name, partial) {
				found = append(found, Candidate{name, c.Summary, len(c.Args) > 0})
			}
		}
	}
	return found
}

type completer struct {
	cmd    *Command
	before []string // the words between the command and the one to complete
	live   Live
	given  []string // those of them that are positional
}

// expected is the argument that the word to complete belongs to; nil when only an option can be.
func (c *completer) expected() *Arg {
	todo := c.cmd.positional()
	for i := 0; i < len(c.before); i++ {
		w := c.before[i]
		name, _, hasValue := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if a := c.cmd.option(name); a != nil && strings.HasPrefix(w, "-") {
			if a.Type != TypeBool && !hasValue {
				if i == len(c.before)-1 {
					return a
				}
				i++
			}
			continue
		}
		if w == "--json" {
			continue
		}
		c.given = append(c.given, w)
		if len(todo) > 0 && todo[0].Type != TypeWords {
			todo = todo[1:]
		}
	}
	if len(todo) == 0 {
		return nil
	}
	return todo[0]
}

func (c *completer) optionsFor(partial string) []Candidate {
	var found []Candidate
	add := func(text, note string, space bool) {
		if strings.HasPrefix(text, partial) && !slices.Contains(c.before, text) {
			found = append(found, Candidate{text, note, space})
		}
	}
	for i := range c.cmd.Args {
		if a := &c.cmd.Args[i]; a.Option {
			add("--"+a.Name, a.Help, true)
		}
	}
	add("--json", "show the answer as the API gives it", true)
	add("--help", "explain the command", false)
	return found
}

// values are what an argument can be.
func (c *completer) values(a *Arg, partial string) []Candidate {
	if len(a.Choices) > 0 {
		return matching(a.Choices, partial)
	}
	switch {
	case a.Type == TypeSession || a.Type == TypeSessions:
		return c.sessions(partial)
	case a.Type == TypeWords && a.Name == "expr", a.Name == "filter":
		return filterFields(partial)
	case c.cmd.Name == "handlers" && a.Name == "name" && len(c.given) > 0:
		return matching(c.live.Handlers(c.given[0]), partial)
	case c.cmd.Name == "help":
		return completeCommand(partial)
	}
	return nil
}

func matching(words []string, partial string) []Candidate {
	var found []Candidate
	for _, w := range words {
		if strings.HasPrefix(w, partial) {
			found = append(found, Candidate{Text: w, Space: true})
		}
	}
	return found
}

func filterFields(partial string) []Candidate {
	var found []Candidate
	for _, f := range session.FilterFields() {
		f = strings.TrimSuffix(f, "NAME")
		if strings.HasPrefix(f, partial) {
			found = append(found, Candidate{Text: f})
		}
	}
	return found
}

// sessions offers short ids: as many characters as tell one from the others, and no fewer than are shown in a table.
func (c *completer) sessions(partial string) []Candidate {
	var found []Candidate
	for _, word := range []Candidate{{"fst", "the session that has been here longest", true}, {"lst", "the session that came last", true}} {
		if strings.HasPrefix(word.Text, partial) {
			found = append(found, word)
		}
	}
	ids := slices.DeleteFunc(c.live.SessionIDs(partial), func(id string) bool { return !isHarmless(id) || strings.ContainsAny(id, " \t") })
	for _, id := range ids {
		n := min(len(id), max(shortID, len(partial)))
		for n < len(id) && slices.ContainsFunc(ids, func(other string) bool { return other != id && strings.HasPrefix(other, id[:n]) }) {
			n++
		}
		found = append(found, Candidate{Text: id[:n], Space: true})
	}
	return found
}
