package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// scripted lets a script's daemon and clients end it. At its end it is too late for
// that: the test fails that runs the scripts.
type scripted struct {
	*testscript.TestScript
	t *testing.T
}

func (s scripted) Helper()                           {}
func (s scripted) Cleanup(f func())                  { s.Defer(f) }
func (s scripted) Failed() bool                      { return s.t.Failed() }
func (s scripted) Errorf(format string, args ...any) { s.t.Errorf(format, args...) }

// TestScripts runs testdata/script/*.txtar: nvsessctl as a user of the shell has it, against a real nvsessd. They have these commands:
//
//	daemon            start nvsessd
//	stop              end it
//	session NAME [PATH] [silent]   connect a client; a silent one does not answer requests. $NAME is its id
//	expect NAME TEXT  wait until the client has got a message
//	leave NAME        the client goes
//	exit CODE CMD...  run a command that must end with this code
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "NVSESS_ADMIN="+filepath.Join(env.WorkDir, "admin.sock"), "NO_COLOR=1", "XDG_STATE_HOME="+env.WorkDir, "nl=\n")
			env.Values[worldKey{}] = &world{members: map[string]*member{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": func(ts *testscript.TestScript, _ bool, _ []string) {
				worldOf(ts).daemon = startDaemon(scripted{ts, t}, ts.MkAbs("."))
			},
			"stop": func(ts *testscript.TestScript, _ bool, _ []string) { worldOf(ts).daemon.Stop() },
			"session": func(ts *testscript.TestScript, _ bool, args []string) {
				path, silent := "/", false
				for _, a := range args[1:] {
					if a == "silent" {
						silent = true
					} else {
						path = a
					}
				}
				m := worldOf(ts).daemon.join(path, silent)
				worldOf(ts).members[args[0]] = m
				ts.Setenv(args[0], m.id)
				ts.Defer(func() { m.conn.CloseNow() })
			},
			"expect": func(ts *testscript.TestScript, _ bool, args []string) {
				worldOf(ts).members[args[0]].expect(scripted{ts, t}, args[1])
			},
			"leave": func(ts *testscript.TestScript, _ bool, args []string) {
				w := worldOf(ts)
				_ = w.members[args[0]].conn.CloseNow()
			},
			"exit": func(ts *testscript.TestScript, _ bool, args []string) {
				got := 0
				if exited := (*exec.ExitError)(nil); errors.As(ts.Exec(args[1], args[2:]...), &exited) {
					got = exited.ExitCode()
				}
				if strconv.Itoa(got) != args[0] {
					ts.Fatalf("exit code %d, want %s", got, args[0])
				}
			},
		},
	})
}

type worldKey struct{}

// world is what a script has made.
type world struct {
	daemon  *daemon
	members map[string]*member
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }
