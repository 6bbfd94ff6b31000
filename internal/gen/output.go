package gen

import "fmt"

// Output is what a command made. Nothing of it has been written.
type Output struct {
	Text     []byte // for standard output
	Files    []File
	Notes    []byte // what to do next, for standard output when the files are written
	Warnings []string
	Force    bool // for WriteFiles
}

func (out *Output) note(format string, args ...any) {
	out.Notes = fmt.Appendf(out.Notes, format+"\n", args...)
}

func (out *Output) warn(warnings ...string) { out.Warnings = append(out.Warnings, warnings...) }

// noteFiles begins the notes.
func (out *Output) noteFiles(dir string) {
	out.note("written to %s:", showPath(dir))
	for _, f := range out.Files {
		out.note("  %s", showPath(relative(dir, f.Path)))
	}
}

// noteDaemon says how to run what was written.
func (out *Output) noteDaemon(o *Options) {
	out.note("  nvsessd -config %s", QuoteShell(o.path(configFile)))
	out.note("  nvsessctl -s %s sesses", QuoteShell(o.path(adminSocket)))
}
