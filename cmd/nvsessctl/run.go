package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/nvsess/nvsess/internal/admin"
	"golang.org/x/term"
)

const usage = `nvsessctl commands a running nvsessd.

usage: nvsessctl [-s SOCKET] [--json] COMMAND [ARGUMENT ...]
       nvsessctl [-s SOCKET]            the console, on a terminal
       nvsessctl [-s SOCKET] [-k] < FILE   commands, a line each, and JavaScript; stops at the first that fails, unless -k
       nvsessctl connect URL            be a client: ws://, wss:// or ws+unix:///path (see connect --help)
       nvsessctl tst [-n COUNT] URL     be thousands of clients, and measure (see tst --help)
       nvsessctl pprof WHAT -o FILE     take a profile of the daemon: cpu, heap... (see pprof --help)
       nvsessctl gen WHAT [OPTIONS]     make nginx's part, configuration, handlers, clients (see gen --help)
       nvsessctl completion SHELL       the script by which bash, zsh or fish completes (see completion --help)

  -s, --socket PATH   the daemon's admin socket (default: $NVSESS_ADMIN, this user's, the system's)
      --json          show answers as the API gives them; errors too, on standard error
  -k, --keep-going    in a script, go on after a command that fails
  -h, --help          this text; help COMMAND explains a command
      --version       the version of nvsessctl (the command version asks the daemon)

Exit codes: ` + exitCodesHelp + `.

`

// options are what stands before the command.
type options struct {
	socket    string
	json      bool
	keepGoing bool
}

// streams are the process's, and what is known of them.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the whole program. What it returns has been reported to the user already.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	std := streams{stdin, stdout, stderr}
	opts, rest, err := parseOptions(args)
	if err != nil {
		return std.fail(err, opts.json)
	}
	switch {
	case rest == nil: // help or version
		return printAbout(args, std)
	case len(rest) == 2 && (rest[0] == "help" || rest[0] == "?") && rest[1] == "connect":
		_, err := io.WriteString(stdout, connectUsage)
		return std.fail(err, opts.json)
	case len(rest) == 2 && (rest[0] == "help" || rest[0] == "?") && rest[1] == "tst":
		_, err := io.WriteString(stdout, tstUsage)
		return std.fail(err, opts.json)
	case len(rest) > 0 && rest[0] == "tst":
		return std.fail(runTst(ctx, rest[1:], opts.json, stdin, stdout, stderr), opts.json)
	case len(rest) == 2 && (rest[0] == "help" || rest[0] == "?") && rest[1] == "pprof":
		return std.fail(std.print([]byte(pprofUsage())), opts.json)
	case len(rest) > 0 && rest[0] == "pprof":
		return std.fail(runPprof(ctx, opts, rest[1:], std), opts.json)
	case len(rest) > 0 && rest[0] == "connect":
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return std.fail(runConnect(ctx, rest[1:], stdin, stdout, stderr), opts.json)
	case len(rest) == 2 && rest[0] == "help" && rest[1] == "completion":
		return std.fail(printCompletion([]string{"--help"}, std), opts.json)
	case len(rest) > 0 && rest[0] == "completion":
		return std.fail(printCompletion(rest[1:], std), opts.json)
	case len(rest) > 0 && rest[0] == "__complete":
		return std.fail(shellComplete(rest[1:], std), opts.json)
	case len(rest) > 0 && isGenerator(rest[0]):
		return std.fail(generate(rest, std), opts.json)
	case len(rest) > 1 && rest[0] == "help" && isGenerator(rest[1]):
		return std.fail(generate(append(rest[1:], "--help"), std), opts.json)
	case len(rest) > 0:
		return oneShot(ctx, opts, rest, std)
	case isTerminal(stdin) && isTerminal(stdout):
		return console(ctx, opts, std)
	}
	return script(ctx, opts, std)
}

// parseOptions splits off what stands before the command. The rest is nil when help or the version is asked for.
func parseOptions(args []string) (o options, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(args[i], "=")
		switch name {
		case "-s", "--socket", "-socket":
			if !hasValue {
				if i++; i == len(args) {
					return o, nil, &admin.UsageError{Reason: name + " needs the path of a socket"}
				}
				value = args[i]
			}
			o.socket = value
		case "--json", "-json":
			o.json = true
		case "-k", "--keep-going":
			o.keepGoing = true
		case "-h", "-help", "--help", "-version", "--version", "-V":
			return o, nil, nil
		default:
			if strings.HasPrefix(args[i], "-") {
				return o, nil, &admin.UsageError{Reason: fmt.Sprintf("there is no option %s; nvsessctl --help lists them", admin.Quote(args[i]))}
			}
			return o, args[i:], nil
		}
	}
	return o, []string{}, nil
}

// printAbout answers --help and --version, whichever comes first.
func printAbout(args []string, std streams) error {
	for _, a := range args {
		switch a {
		case "-version", "--version", "-V":
			_, err := fmt.Fprintln(std.out, "nvsessctl", version())
			return err
		case "-h", "-help", "--help":
			if _, err := io.WriteString(std.out, usage); err != nil {
				return err
			}
			return admin.PrintHelp(newPrinter(std.out), "")
		}
	}
	return nil
}

// version is set by the linker (-X main.buildVersion=...), or comes from the module.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

var buildVersion string

// fail reports an error on standard error and returns it as reported.
func (s streams) fail(err error, asJSON bool) error {
	var done reported
	switch {
	case err == nil || errors.As(err, &done):
		return err
	case errors.Is(err, context.Canceled):
		return reported{err} // the user did it
	case asJSON:
		_, _ = s.err.Write(admin.ErrorJSON(err))
	default:
		explain(newPrinter(s.err), err)
	}
	return reported{err}
}

// explain shows an error, with the hint it may have.
func explain(p *admin.Printer, err error) {
	hint := ""
	if h := (*hintedError)(nil); errors.As(err, &h) {
		err, hint = h.error, h.hint
	}
	admin.Explain(p, err)
	if hint != "" {
		p.Printf("%s\n", p.Styled(admin.Dim, hint))
	}
}

// newPrinter makes a printer that suits where it writes: colours and a width only on a terminal.
func newPrinter(w io.Writer) *admin.Printer {
	p := admin.NewPrinter(w)
	if isTerminal(w) {
		p.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if columns, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil {
			p.Width = columns
		}
	}
	return p
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
