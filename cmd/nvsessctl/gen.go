package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/gen"
)

// isGenerator says whether a command makes files instead of asking a daemon.
func isGenerator(command string) bool {
	if command == "gen" {
		return true
	}
	_, _, ok := gen.Find([]string{command})
	return ok
}

// genUsage lists the generators.
func genUsage() string {
	var b strings.Builder
	b.WriteString("Usage: nvsessctl COMMAND [options]\n\n" +
		"Makes the files around a daemon: with the options of nv-session-simple's commands, and under their names too.\n\n")
	for _, c := range gen.Commands() {
		fmt.Fprintf(&b, "  %-20s  %s (%s)\n", c.Name, c.Summary, c.Legacy)
	}
	b.WriteString("\nEach explains its options with --help. Files that exist are left alone unless -f is given.\n")
	return b.String()
}

// generate carries out one generator. Files are written before anything is printed, so what is said has happened.
func generate(args []string, std streams) error {
	c, rest, ok := gen.Find(args)
	switch {
	case !ok && len(args) == 2 && (args[1] == "-h" || args[1] == "--help" || args[1] == "help"):
		return std.print([]byte(genUsage()))
	case !ok && len(args) > 1:
		return &admin.UsageError{Reason: fmt.Sprintf("gen cannot make %s; nvsessctl gen --help lists what it can", admin.Quote(args[1]))}
	case !ok:
		var after, alone []string
		for _, c := range gen.Commands() {
			if name, ok := strings.CutPrefix(c.Name, "gen "); ok {
				after = append(after, name)
			} else {
				alone = append(alone, c.Name)
			}
		}
		return &admin.UsageError{Reason: fmt.Sprintf("gen needs what to make: %s; commands of their own are %s", strings.Join(after, ", "), strings.Join(alone, ", "))}
	}
	out, err := c.Run(rest)
	if err == nil {
		err = gen.WriteFiles(out.Files, out.Force)
	}
	if usage := (*gen.UsageError)(nil); errors.As(err, &usage) {
		return &admin.UsageError{Reason: usage.Error()}
	} else if err != nil {
		return err
	}
	for _, w := range out.Warnings {
		fmt.Fprintln(std.err, "warning:", w)
	}
	return std.print(append(out.Text, out.Notes...))
}

func (s streams) print(text []byte) error {
	_, err := s.out.Write(text)
	return err
}
