package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// A daemon that was stopped for much longer than sessions may be silent closes
// none of them for it when it goes on: they may have been waiting for its pings.
func TestStoppedProcessKeepsItsSessions(t *testing.T) {
	t.Parallel()
	p := launch(t, configured(t, "mode = \"forward\"\n[keepalive]\ninterval = \"1s\"\ngrace = \"1s\"\n"))
	p.Logged("ready")
	var guests []*guest
	for range 50 {
		guests = append(guests, visit(t, "ws+unix://"+p.socket("nvsess.sock")))
	}
	for range 2 {
		p.Signal(syscall.SIGSTOP)
		<-time.After(4 * time.Second) // it is this time that is tested
		p.Signal(syscall.SIGCONT)
	}
	for i, g := range guests[1:4] {
		g.say(t, fmt.Sprint("still here ", i))
		guests[0].hears(t, fmt.Sprint("still here ", i))
	}
	if s := p.stats(); s.Sessions != len(guests) || s.KeepaliveLost != 0 || len(s.Closes) != 0 {
		t.Errorf("%+v", s)
	}
	p.Signal(os.Interrupt)
	p.Ends(0)
}
