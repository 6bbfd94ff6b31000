package admin

import (
	"context"
	"strings"
)

// Reloaded is the answer of reload.
type Reloaded struct {
	File    string   `json:"file"` // "": there is none, and the command line is all there is
	DryRun  bool     `json:"dry_run"`
	Changes []Change `json:"changes"`
}

// Change is a key of the configuration that has another value.
type Change struct {
	Key     string `json:"key"`
	Old     string `json:"old"` // as in the file; secrets are left out; "": a table that was not there
	New     string `json:"new"`
	Effect  string `json:"effect"`            // "live", "new sessions", or "restart": not yet
	Content bool   `json:"content,omitempty"` // it names the same file, whose content has changed
}

// ChangeRestart is the effect of what needs a restart.
const ChangeRestart = "restart"

func reloadCommand(group string) *Command {
	dry := func(name, help string) Arg { return Arg{Name: name, Type: TypeBool, Option: true, Help: help} }
	return &Command{
		Name: "reload", Group: group,
		Summary: "read the configuration again, and show what has changed",
		Help: "The file and the files it names are read and checked as nvsessd -check does; what the command line says goes before. If anything is wrong, " +
			"nothing changes: what is wrong is shown as file:line: key, and the exit code is 1. Otherwise all of it takes effect, but for keys that need a " +
			"restart, which are shown each time until then. Sessions stay connected. docs/reload.md says what counts for open sessions. SIGHUP does the same.",
		Args: []Arg{
			dry("dry-run", "show what would change, and change nothing"),
			dry("check", "the same as --dry-run"),
		},
		Examples: []Example{{"reload", ""}, {"reload --dry-run", "what would change"}},
		Run: func(ctx context.Context, c *Call) (any, error) {
			if c.Daemon.Reload == nil {
				return nil, errorf(CodeNotAvailable, "this daemon does not read its configuration again")
			}
			return c.Daemon.Reload(ctx, c.Args.Bool("dry-run") || c.Args.Bool("check"))
		},
		Print: printReload,
	}
}

// ConfigError is the error of a configuration that is refused, with a line for each problem.
func ConfigError(err error) *Error {
	e := errorf(CodeBadConfig, "the configuration cannot be used; everything is as it was")
	const most = 100
	for line := range strings.Lines(err.Error()) {
		if len(e.Problems) == most {
			e.Problems = append(e.Problems, "and more")
			break
		}
		e.Problems = append(e.Problems, clip(strings.TrimSuffix(line, "\n"), maxMessage))
	}
	return e
}

// Stopping is the error of what a daemon that is shutting down does not do any more.
func Stopping() *Error { return errShuttingDown }

var printReload = shows(func(p *Printer, r *Reloaded) {
	if len(r.Changes) == 0 {
		p.Printf("nothing has changed\n")
		return
	}
	widest, restart := 0, 0
	for _, c := range r.Changes {
		widest = max(widest, TextWidth(Escape(c.Key)))
	}
	effects := map[string]struct {
		word  string
		style Style
	}{"live": {"live", Green}, "new sessions": {"new sessions", Cyan}, ChangeRestart: {"needs a restart", Yellow}}
	for _, c := range r.Changes {
		what := Escape(c.Old) + p.style(Dim, " -> ") + Escape(c.New)
		switch {
		case c.Content:
			what = Escape(c.New) + p.style(Dim, " has other content")
		case c.Old == "":
			what = p.style(Green, "added") + " " + Escape(c.New)
		case c.New == "":
			what = p.style(Red, "removed") + " " + Escape(c.Old)
		}
		e := effects[c.Effect]
		p.Printf("%s  %s  %s\n", p.style(e.style, pad(e.word, len("needs a restart"), false)), pad(Escape(c.Key), widest, false), what)
		if c.Effect == ChangeRestart {
			restart++
		}
	}
	verb := "applied"
	if r.DryRun {
		verb = "would be applied"
	}
	p.Printf("%s %s", plural(len(r.Changes)-restart, "change", "changes"), verb)
	if restart > 0 {
		p.Printf(", %s a restart", plural(restart, "needs", "need"))
	}
	p.Printf("\n")
})
