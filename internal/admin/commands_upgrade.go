package admin

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/nvsess/nvsess/internal/session"
)

func upgradeCommand(group string) *Command {
	return &Command{
		Name: "upgrade", Group: group, Suspends: true,
		Summary: "replace the running daemon by another binary, without dropping a session",
		Help: "The daemon executes the binary, by default the one that is now where it came from itself, with the same process number, arguments and connections. " +
			"The configuration is read again. The binary is asked first whether it takes the configuration and the state; if it does not, or cannot be executed, the daemon goes on as it was, and the reason is shown.\n\n" +
			"Only root and the daemon's own user may name another binary: the daemon runs it as that user.\n\n" +
			"systemctl reload nvsessd does the same, and so does SIGUSR2.",
		Args: []Arg{
			{Name: "binary", Short: "b", Type: TypeString, Option: true, Help: "the absolute path of the binary"},
		},
		Examples: []Example{{"upgrade", "after a new version was installed"}, {"upgrade --binary /opt/nvsess/nvsessd", ""}},
		Run:      runUpgrade,
		Print:    printUpgraded,
	}
}

// Upgraded is the answer of upgrade.
type Upgraded struct {
	From        string  `json:"from"`
	To          string  `json:"to"`
	Sessions    int     `json:"sessions"`    // that went on
	Connections int     `json:"connections"` // those, and handshakes and ends under way
	Closed      int     `json:"closed"`      // that could not, and were told so with 1012
	PausedMS    float64 `json:"paused_ms"`   // how long nothing was read or accepted
}

// upgrading is what a suspended upgrade goes on from.
type upgrading struct {
	Begun bool `json:"begun"`
}

func runUpgrade(ctx context.Context, c *Call) (any, error) {
	var was upgrading
	if again, err := c.resumeInto(&was); err != nil || again {
		if err != nil {
			return nil, err
		}
		done, err := c.Daemon.Upgraded()
		if err != nil {
			return nil, upgradeError(err)
		}
		return done, nil
	}
	if c.Daemon.Upgrade == nil {
		return nil, errorf(CodeNotAvailable, "this daemon cannot be upgraded in place")
	}
	binary := c.Args.String("binary")
	if binary != "" && !filepath.IsAbs(binary) {
		return nil, badArg("binary", "the path of the binary must be absolute: it is the daemon that opens it")
	}
	if uid := c.Peer.UID; binary != "" && uid != 0 && uid != uint32(os.Geteuid()) {
		// Operators may command the daemon, not run programs as its user.
		return nil, errorf(CodeNotPermitted, "only root and the daemon's own user may name a binary")
	}
	begun, err := c.Daemon.Upgrade(ctx, binary)
	switch {
	case begun && errors.Is(err, session.ErrSuspend):
		return nil, &suspension{state: upgrading{true}}
	case ctx.Err() != nil:
		return nil, ctx.Err() // suspended for another upgrade, it is carried out after that
	}
	return nil, upgradeError(err)
}

// upgradeError is the error of an upgrade that the daemon has outlived.
func upgradeError(err error) *Error {
	var e *Error
	if errors.As(err, &e) { // it is to end
		return e
	}
	return errorf(CodeUpgradeFailed, "%s", plainly(err))
}

func printUpgraded(p *Printer, _ *Invocation, result json.RawMessage) error {
	var u Upgraded
	if err := json.Unmarshal(result, &u); err != nil {
		return err
	}
	p.Printf("upgraded: %s -> %s, %s kept, paused %.0fms\n", u.From, u.To, plural(u.Sessions, "session", "sessions"), u.PausedMS)
	if u.Closed > 0 {
		p.Printf("%s with 1012, for they could not be continued\n", plural(u.Closed, "was closed", "were closed"))
	}
	return p.Err()
}
