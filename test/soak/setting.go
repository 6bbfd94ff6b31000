package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// A setting is what a phase's daemon is like.
type setting struct {
	name    string
	policy  string                             // for slow readers
	handled func(dir string) (handlers, error) // what handles messages; nil: the daemon itself, which forwards
}

var settings = []setting{
	{"close", "close", nil},
	{"drop_newest", "drop_newest", nil},
	{"drop_oldest", "drop_oldest", nil},
	{"javascript", "close", newScript},
	{"webhook", "close", newWebhook},
}

// handlers handle messages in place of the daemon: they send each to all but its
// sender, but fail at those that are spoilt, and answer a request with its data.
type handlers interface {
	configuration() string       // the daemon's
	attach(p *phase)             // before the daemon has sessions
	disturb(ctx context.Context) // in each round: something happens to them
	check(ctx context.Context)   // in each round, when all are silent
	over()                       // when all sessions are closed
	end()
	toldAgain() bool            // whether they are told again of what an upgrade has cut off
	complaint(line string) bool // whether a line of the log should not be there
	report() string             // what happened to them
}

// configuration is the daemons', less the policy. Messages of more than 100
// bytes are compressed, with context takeover where that is allowed. A peer has
// long to take its close frame, for on a busy machine nobody is quick.
const configuration = `
mode = "forward"
compression = "on"
listen = ["unix:%s/s", "tcp:127.0.0.1:0"]
admin.listen = "unix:%s/a"
outbound = {queue_bytes = %d, policy = %q}
deflate = {threshold_bytes = 100, server_context_takeover = %t, client_context_takeover = %t}
log = {level = "info", format = "json"}
keepalive = {interval = "30s", grace = "30s"}
requests.timeout = "60s"
close.timeout = "1m"
`

// write writes the configuration of a daemon in its directory.
func (s *setting) write(dir string) (file string, h handlers, err error) {
	takeover := s.policy == "close"
	text := fmt.Sprintf(configuration, dir, dir, queueBytes, s.policy, takeover, takeover)
	if s.handled != nil {
		if h, err = s.handled(dir); err != nil {
			return "", nil, err
		}
		text += h.configuration()
	}
	file = filepath.Join(dir, "c.toml")
	return file, h, os.WriteFile(file, []byte(text), 0o600)
}
