package admin

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/nvsess/nvsess/internal/session"
)

func daemonCommands() []*Command {
	const group = "Daemon"
	return []*Command{
		watchCommand(group),
		{
			Name: "stats", Group: group, ReadOnly: true,
			Summary:  "show totals since the daemon started",
			Examples: []Example{{"stats", ""}},
			Run:      runStats,
			Print:    printStats,
		},
		{
			Name: "cfg", Group: group, ReadOnly: true,
			Summary:  "show the configuration in effect",
			Examples: []Example{{"cfg", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				if c.Daemon.Config == nil {
					return nil, errorf(CodeNotAvailable, "this daemon does not show its configuration")
				}
				return c.Daemon.Config(), nil
			},
		},
		{
			Name: "loglevel", Group: group, ReadOnly: true,
			Summary:  "show or set how much the daemon logs",
			Args:     []Arg{{Name: "level", Type: TypeString, Changes: true, Choices: []string{"debug", "info", "warn", "error"}, Help: "debug, info, warn or error"}},
			Examples: []Example{{"loglevel", ""}, {"loglevel debug", "until the daemon ends"}},
			Run:      runLogLevel,
			Print:    printLogLevel,
		},
		reloadCommand(group),
		{
			Name: "restart", Group: group,
			Summary:  "close every session with code 1012, and go on listening",
			Help:     "It is nv-session-simple's srv.restart(): clients that reconnect come back with new ids. The daemon itself goes on; systemctl restarts that.",
			Examples: []Example{{"restart", ""}},
			Run: func(ctx context.Context, c *Call) (any, error) {
				n, err := c.Sessions.RestartSessions(ctx)
				if err != nil {
					return nil, err
				}
				return restarted{n}, nil
			},
			Print: printRestarted,
		},
		drainCommand(group),
		undrainCommand(group),
		upgradeCommand(group),
		{
			Name: "version", Group: group, ReadOnly: true,
			Summary:  "show the daemon's version, and how it is doing",
			Examples: []Example{{"version", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				return Version{c.Daemon.Version, os.Getpid(), c.Daemon.started, c.Sessions.Len(), c.Sessions.Mode()}, nil
			},
			Print: printVersion,
		},
		{
			Name: "complete", Group: group, ReadOnly: true, Hidden: true,
			Summary: "list session ids that begin with a text",
			Help:    "The console completes session ids with it.",
			Args: []Arg{
				{Name: "prefix", Type: TypeString, Help: "the beginning of an id"},
				{Name: "limit", Type: TypeInt, Max: 1000, Option: true, Default: "50", Help: "so many at most"},
			},
			Run: func(_ context.Context, c *Call) (any, error) {
				limit := 50
				if c.Args.Has("limit") {
					limit = c.Args.Int("limit")
				}
				ids := c.Sessions.CompleteID(c.Args.String("prefix"), limit)
				if ids == nil {
					ids = []string{}
				}
				return struct {
					IDs []string `json:"ids"`
				}{ids}, nil
			},
		},
	}
}

type restarted struct {
	Closed int `json:"closed"`
}

// Stats is the answer of stats.
type Stats struct {
	session.Stats
	LogLost uint64 `json:"log_lost"` // lines of the log that could not be written
}

func runStats(_ context.Context, c *Call) (any, error) {
	s := Stats{Stats: c.Sessions.Stats()}
	if c.Daemon.LogLost != nil {
		s.LogLost = c.Daemon.LogLost()
	}
	return s, nil
}

// Version is the answer of version.
type Version struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Sessions int       `json:"sessions"`
	Mode     string    `json:"mode"`
}

type logLevel struct {
	Level string `json:"level"`
}

func runLogLevel(_ context.Context, c *Call) (any, error) {
	if c.Daemon.LogLevel == nil || c.Daemon.SetLogLevel == nil {
		return nil, errorf(CodeNotAvailable, "this daemon does not let its log level be changed")
	}
	if c.Args.Has("level") {
		if err := c.Daemon.SetLogLevel(c.Args.String("level")); err != nil {
			return nil, badArg("level", "%s", plainly(err))
		}
	}
	return logLevel{c.Daemon.LogLevel()}, nil
}

// consoleCommands are carried out by the console itself; they are in the table for its help and its completion.
func consoleCommands() []*Command {
	const group = "Console"
	return []*Command{
		{
			Name: "help", Aliases: []string{"?", ".help"}, Group: group, ReadOnly: true,
			Summary:  "list the commands, or explain one",
			Args:     []Arg{{Name: "command", Type: TypeString, Help: "the name of a command"}},
			Examples: []Example{{"help", ""}, {"help jbroadcast", ""}},
			Print: func(p *Printer, inv *Invocation, _ json.RawMessage) error {
				return PrintHelp(p, inv.Args.String("command"))
			},
		},
		{
			Name: "exit", Aliases: []string{"quit", ".exit"}, Group: group, ReadOnly: true,
			Summary: "leave the console; so does Ctrl-D",
		},
	}
}
