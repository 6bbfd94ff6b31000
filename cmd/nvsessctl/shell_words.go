package main

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/gen"
)

// The kinds of answer to a shell.
const (
	shellIsWords = "words"
	shellNoSpace = "nospace"
	shellIsFiles = "files"
)

// completeShell says how the last of the words after the program's name may go on.
func completeShell(words []string) (kind string, found []admin.Candidate) {
	socket := ""
	before, partial := words[:len(words)-1], words[len(words)-1]
	for len(before) > 0 && strings.HasPrefix(before[0], "-") {
		name, value, hasValue := strings.Cut(before[0], "=")
		before = before[1:]
		if name != "-s" && name != "--socket" && name != "-socket" {
			continue
		}
		if !hasValue {
			if len(before) == 0 {
				return shellIsFiles, nil
			}
			value, before = before[0], before[1:]
		}
		socket = value
	}
	switch {
	case len(before) == 0 && strings.HasPrefix(partial, "-"):
		return startingWith(partial, ended(usageOptions(usage)))
	case len(before) == 0, len(before) == 1 && before[0] == "help":
		_, found = admin.Complete(partial, nil)
		return startingWith(partial, append(ended(found), ownCommands()...))
	}
	if text, ok := ownUsage(before); ok {
		return completeOwn(text, before, partial)
	}
	// The position of a word is all that counts of those before.
	line := ""
	for _, w := range before {
		line += strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\n' {
				return '_'
			}
			return r
		}, w) + " "
	}
	if before[len(before)-1] == "--file" {
		return shellIsFiles, nil
	}
	start, found := admin.Complete(line+partial, &hastyLive{socket: socket})
	if len(partial) < start-len(line) || strings.ContainsAny(partial, " \t\n") {
		return shellIsWords, nil // JSON, which nobody can foresee
	}
	for i := range found {
		found[i].Text = partial[:start-len(line)] + found[i].Text
	}
	return startingWith(partial, found)
}

// startingWith chooses those that the word may become, and says whether it ends there.
func startingWith(partial string, all []admin.Candidate) (kind string, found []admin.Candidate) {
	kind = shellIsWords
	for _, c := range all {
		if strings.HasPrefix(c.Text, partial) && !strings.ContainsAny(c.Text, " \t\n") {
			found = append(found, c)
		}
	}
	if len(found) > 0 && !slices.ContainsFunc(found, func(c admin.Candidate) bool { return c.Space || c.Text[0] == '-' }) {
		kind = shellNoSpace
	}
	return kind, found
}

// ended says of words that nothing more belongs to them.
func ended(words []admin.Candidate) []admin.Candidate {
	for i := range words {
		words[i].Space = true
	}
	return words
}

// ownCommands are those that are not the daemon's.
func ownCommands() []admin.Candidate {
	found := []admin.Candidate{
		{Text: "connect", Note: "be a client", Space: true}, {Text: "tst", Note: "be thousands of clients, and measure", Space: true},
		{Text: "pprof", Note: "take a profile of the daemon", Space: true},
		{Text: "gen", Note: "make nginx's part, configuration, handlers, clients", Space: true},
		{Text: "completion", Note: "the script for a shell's completion", Space: true},
	}
	for _, c := range gen.Commands() {
		if !strings.HasPrefix(c.Name, "gen ") {
			found = append(found, admin.Candidate{Text: c.Name, Note: c.Summary, Space: true})
		}
	}
	return found
}

// ownUsage is the help of such a command, in which its options are.
func ownUsage(words []string) (string, bool) {
	switch words[0] {
	case "connect":
		return connectUsage, true
	case "tst":
		return tstUsage, true
	case "pprof":
		return pprofUsage(), true
	case "completion":
		return completionUsage, true
	}
	if c, _, ok := gen.Find(words); ok {
		return c.Usage(), true
	}
	return genUsage(), words[0] == "gen"
}

func completeOwn(text string, before []string, partial string) (kind string, found []admin.Candidate) {
	options := usageOptions(text)
	last := before[len(before)-1]
	if before[0] == "pprof" && (last == "-o" || last == "--output") {
		return shellIsFiles, nil
	}
	if i := slices.IndexFunc(options, func(c admin.Candidate) bool { return c.Text == last && !c.Space }); i >= 0 && strings.HasPrefix(last, "-") {
		return shellIsWords, nil // its value
	}
	switch {
	case strings.HasPrefix(partial, "-"):
		return startingWith(partial, ended(options))
	case before[0] == "completion" && len(before) == 1:
		for _, s := range shells {
			found = append(found, admin.Candidate{Text: s, Space: true})
		}
		return startingWith(partial, found)
	case before[0] == "pprof" && len(before) == 1:
		for _, k := range pprofKinds {
			found = append(found, admin.Candidate{Text: k.name, Note: k.what, Space: true})
		}
		return startingWith(partial, found)
	case before[0] == "gen" && len(before) == 1:
		for _, c := range gen.Commands() {
			if name, ok := strings.CutPrefix(c.Name, "gen "); ok {
				found = append(found, admin.Candidate{Text: name, Note: c.Summary, Space: true})
			}
		}
		return startingWith(partial, found)
	case strings.HasPrefix(last, "-") && isGenerator(before[0]):
		return shellIsFiles, nil
	case before[0] == "connect" || before[0] == "tst":
		for _, scheme := range []string{"ws://", "wss://", "ws+unix:///"} {
			found = append(found, admin.Candidate{Text: scheme})
		}
		return startingWith(partial, found)
	}
	return shellIsWords, nil
}

var usageOption = regexp.MustCompile(`(?m)^ {2,}(-\w(?:, )?)? *(--[\w-]+)?( [A-Z"\[][^ ]*(?: VALUE")?)?(?:  +(\S.*)|$)`)

// usageOptions finds the options in a help text: "  -n, --count N   clients to open". One that takes a value has no Space.
func usageOptions(text string) []admin.Candidate {
	var found []admin.Candidate
	for _, m := range usageOption.FindAllStringSubmatch(text, -1) {
		for _, name := range []string{m[2], strings.TrimSuffix(m[1], ", ")} {
			if name != "" {
				found = append(found, admin.Candidate{Text: name, Note: m[4], Space: m[3] == ""})
			}
		}
	}
	return found
}

// hastyLive asks the daemon, if it answers at once.
type hastyLive struct{ socket string }

// shellPatience is how long a press of Tab may take; asking takes the most of it.
const shellPatience = 500 * time.Millisecond

func (l *hastyLive) SessionIDs(prefix string) []string {
	return l.hastily(func(c *admin.Client) []string { return c.SessionIDs(prefix) })
}

func (l *hastyLive) Handlers(kind string) []string {
	return l.hastily(func(c *admin.Client) []string { return c.Handlers(kind) })
}

func (l *hastyLive) hastily(ask func(*admin.Client) []string) []string {
	answer := make(chan []string, 1)
	go func() { // ends with the process at the latest
		if c, err := dial(l.socket); err == nil {
			answer <- ask(c)
		} else {
			answer <- nil
		}
	}()
	select {
	case found := <-answer:
		return found
	case <-time.After(shellPatience):
		return nil
	}
}
