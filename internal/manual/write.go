package manual

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Write makes the pages of the programs in a directory, which it runs for their help, and of a configuration file.
func Write(programs, config, version string, date time.Time, to string) error {
	s := &Source{Version: version, Date: date}
	file, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	s.Config = string(file)
	for _, help := range []struct {
		into *string
		line []string
	}{
		{&s.Daemon, []string{"nvsessd", "-help"}},
		{&s.Control, []string{"nvsessctl", "--help"}},
		{&s.Connect, []string{"nvsessctl", "connect", "--help"}},
		{&s.Test, []string{"nvsessctl", "tst", "--help"}},
		{&s.Profile, []string{"nvsessctl", "pprof", "--help"}},
		{&s.Gen, []string{"nvsessctl", "gen", "--help"}},
		{&s.Completion, []string{"nvsessctl", "completion", "--help"}},
	} {
		out, err := exec.Command(filepath.Join(programs, help.line[0]), help.line[1:]...).Output()
		if err != nil {
			return fmt.Errorf("%q: %w", help.line, err)
		}
		*help.into = string(out)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for name, text := range Pages(s) {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
