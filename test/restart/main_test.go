package restart

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/continuity/swarm"
	"github.com/nvsess/nvsess/test/nvsessd"
	"github.com/nvsess/nvsess/test/systembox"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

var built = struct {
	sync.Mutex // guards programs
	dir        string
	programs   map[string]string
}{programs: map[string]string{}}

func TestMain(m *testing.M) {
	systembox.Main()
	dir, err := os.MkdirTemp("", "restart")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// programs is a directory with both programs of a version, made once. set are
// further variables to set (package.name=value).
func programs(t *testing.T, version string, set ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if dir, ok := built.programs[version]; ok {
		return dir
	}
	systembox.Need(t, "go")
	dir := filepath.Join(built.dir, version)
	if err := nvsessd.Build(dir, append(set, "main.version="+version)...); err != nil {
		t.Fatal(err)
	}
	built.programs[version] = dir
	return dir
}

// setting is a number from the environment.
func setting(t *testing.T, name string, value int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return value
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// configuration is the daemon's, less its sockets: it is patient with peers that
// stop in the middle of something, and keeps what is not read.
const configuration = `
mode = "echo"
compression = "on"
outbound.queue_bytes = 16777216
deflate = {threshold_bytes = 100, server_context_takeover = true, client_context_takeover = true}
keepalive = {interval = "2m", grace = "1m"}
requests.timeout = "2m"
handshake.timeout = "2m"
message.timeout = "5m"
close.timeout = "2m"
log = {level = "info", format = "json"}
`

// load is a swarm for this machine, on the daemon at addr and admin.
func load(t *testing.T, addr, admin string, expect swarm.Expect) swarm.Options {
	t.Helper()
	n := setting(t, "NVSESS_RESTART_SESSIONS", 300)
	o := swarm.Options{
		Addr: addr, Admin: admin, Sessions: n, Odd: 4, Compressed: 24, SlowBytes: 3 << 20, Rate: 400,
		BroadcastEvery: 500 * time.Millisecond, AskEvery: 50 * time.Millisecond, EveryMin: 300 * time.Millisecond, EveryMax: time.Second,
		Patience: patience, DoLimit: 3 * time.Minute, Expect: expect, Seed: uint64(time.Now().UnixNano()),
		MaxPause: time.Duration(setting(t, "NVSESS_RESTART_PAUSE", 0)) * time.Millisecond,
	}
	if n > 5000 {
		o.Odd, o.Compressed, o.Rate = 20, 100, 2000
		o.BroadcastEvery = 10 * time.Second
	}
	return o
}

// check runs a swarm, which must be content.
func check(t *testing.T, o swarm.Options) *swarm.Report {
	t.Helper()
	r, text := report(t, o)
	t.Logf("seed %d\n%s", o.Seed, text)
	if !r.OK {
		t.Error("the sessions noticed")
	}
	return r
}

func report(t *testing.T, o swarm.Options) (*swarm.Report, string) {
	t.Helper()
	var r *swarm.Report
	var err error
	done := make(chan struct{})
	go func() { // its thread may be left in the network of a box
		defer close(done)
		r, err = swarm.Run(t.Context(), o)
	}()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.Print(&b)
	return r, b.String()
}
