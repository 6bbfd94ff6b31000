package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/nvsess/nvsess/internal/config"
)

// usageError is a mistake on the command line.
type usageError struct{ error }

const usageText = `Usage: nvsessd [options]

nvsessd keeps WebSocket sessions. Without options it runs with its built-in
configuration: a unix socket for clients, and one for nvsessctl, in the runtime
directory (shown at start).

  -config FILE   read the configuration; see configs/nvsess.toml
  -listen ADDR   listen for clients at unix:/path or tcp:HOST:PORT (repeatable);
                 replaces the file's "listen"
  -admin PATH    the operator's unix socket; replaces the file's "admin.listen"
  -mode MODE     handlers, forward or echo; replaces the file's "mode"
  -origin ORIGIN pages that browsers may connect from: same, https://example.com,
                 https://*.example.com or "*" (repeatable); replaces the file's
                 "handshake.origins"
  -handlers FILE JavaScript handlers; replaces the file's "handlers"
  -demo          serve a page to try everything with, at /
  -check         check the configuration and end
  -version       print the version and end

In a path, %t is the runtime directory. Sockets that systemd passes replace both
kinds: those named "nvsess" are for clients, those named "nvsess-admin" for
operators.

SIGHUP reads the configuration again, with the files it names, as "nvsessctl
reload" does: docs/reload.md. It also makes unix sockets again whose files are
gone (which is looked at every 5 s, too).
SIGUSR2 replaces the daemon by the binary that is in its place now, without
dropping a session; so does nvsessctl upgrade.
SIGTERM and SIGINT close every session with 1001 and end the daemon; a second
one ends it at once, with exit code 1.
`

// flags is what the command line says.
type flags struct {
	config   string
	listen   []string
	admin    string
	mode     string
	origins  []string
	handlers string
	demo     bool
	check    bool
	version  bool

	checkState int // what a running daemon asks the one that is to replace it; not for people
}

func parseFlags(args []string, stdout io.Writer) (f flags, err error) {
	fs := flag.NewFlagSet("nvsessd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&f.config, "config", "", "")
	fs.Func("listen", "", func(s string) error {
		f.listen = append(f.listen, s)
		return nil
	})
	fs.StringVar(&f.admin, "admin", "", "")
	fs.StringVar(&f.mode, "mode", "", "")
	fs.Func("origin", "", func(s string) error {
		f.origins = append(f.origins, s)
		return nil
	})
	fs.StringVar(&f.handlers, "handlers", "", "")
	fs.BoolVar(&f.demo, "demo", false, "")
	fs.BoolVar(&f.check, "check", false, "")
	fs.BoolVar(&f.version, "version", false, "")
	fs.IntVar(&f.checkState, "check-state", 0, "")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(stdout, usageText)
			return f, err
		}
		return f, usageError{fmt.Errorf("%w (nvsessd -help shows the options)", err)}
	}
	if fs.NArg() > 0 {
		return f, usageError{fmt.Errorf("unexpected argument %q (nvsessd -help shows the options)", fs.Arg(0))}
	}
	return f, nil
}

// load reads the configuration and lets the flags beat it.
func (f *flags) load() (config.Config, error) {
	cfg := config.Default()
	if f.config != "" {
		var err error
		if cfg, err = config.Load(f.config); err != nil {
			return cfg, err
		}
	}
	if len(f.listen) > 0 {
		cfg.Listen = f.listen
	}
	if f.admin != "" {
		cfg.Admin.Listen = f.admin
		if !strings.HasPrefix(f.admin, "unix:") {
			cfg.Admin.Listen = "unix:" + f.admin
		}
	}
	if f.mode != "" {
		cfg.Mode = f.mode
	}
	if len(f.origins) > 0 {
		cfg.Handshake.Origins = f.origins
	}
	if f.handlers != "" {
		path, err := filepath.Abs(f.handlers)
		if err != nil {
			return cfg, err
		}
		cfg.Handlers = path
	}
	if f.demo {
		cfg.Web.DemoPath = "/"
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usageError{err} // the file was valid, so it is a flag
	}
	return cfg, nil
}

// version is set when a release is built.
var version = ""

// versionString names the build.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += "-" + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return v
}
