package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nvsess/nvsess/bench/wire"
)

var errNoServer = errors.New("-addr and -pid are required")

// options are the command line. Zero counts mean the scenario's own default.
type options struct {
	scenario string
	target   wire.Address
	server   process
	json     bool

	connections int
	inFlight    int
	bytes       int
	payload     string
	duration    time.Duration
	warmup      time.Duration
	total       int
	parallel    int
	settle      time.Duration
	watch       time.Duration
	keepalive   time.Duration
	sendEvery   time.Duration
	firstSend   time.Duration
	answered    bool
	gate        bool
	begin       *os.File  // the gate
	log         io.Writer // where a scenario says that it is at the gate
	closing     bool
	stall       time.Duration
	separate    bool
}

const usage = `usage: loadgen -addr unix:/path|tcp:host:port -pid PID [flags] echo|fanout|idle|handshake|published

  echo       every connection keeps messages in flight, each must come back unchanged
  fanout     one sender; each message must reach all the others before the next goes out
  idle       opens connections and leaves them alone: memory for each
  handshake  opens, upgrades and closes: CPU for each
  published  nv-session-simple's published load: keepalive of all, a message to all now and then

flags:
`

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var addr string
	fs := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&addr, "addr", "", "`address` of the server, unix:/path or tcp:host:port")
	fs.IntVar(&o.server.pid, "pid", 0, "process `id` of the server, for its CPU time and memory")
	fs.BoolVar(&o.json, "json", false, "print the report as JSON")
	fs.IntVar(&o.connections, "c", 0, "connections, for fanout the receivers (echo 200, fanout 10000, idle 15000, published 10000)")
	fs.IntVar(&o.inFlight, "inflight", 0, "messages under way per connection (echo 4), or in all (fanout 1)")
	fs.IntVar(&o.bytes, "bytes", 0, "size of a message (echo 128, fanout 512, published 900)")
	fs.StringVar(&o.payload, "payload", "json", "`kind` of payload: json, text, binary")
	fs.DurationVar(&o.duration, "duration", 0, "time measured, after the warm-up (echo, fanout 5s; published 60s)")
	fs.DurationVar(&o.warmup, "warmup", time.Second, "time before counting starts (echo, fanout, published)")
	fs.IntVar(&o.total, "total", 20000, "handshakes in all (handshake)")
	fs.IntVar(&o.parallel, "parallel", 100, "connections being opened at once")
	fs.DurationVar(&o.settle, "settle", 2*time.Second, "wait before memory is read (idle)")
	fs.DurationVar(&o.watch, "watch", 12*time.Second, "time of keepalive traffic before memory is read again, 0 for none (idle)")
	fs.DurationVar(&o.keepalive, "keepalive", 10*time.Second, "keepalive interval of the clients, who ping at a quarter of it (published)")
	fs.DurationVar(&o.sendEvery, "send-every", 10*time.Second, "time between two messages to all (published)")
	fs.DurationVar(&o.firstSend, "first-send", 0, "time from the warm-up's end to the first message, 0 for half of -send-every (published)")
	fs.BoolVar(&o.answered, "answered", false, `the server answers each message to its sender with {"answer":...} (published)`)
	fs.BoolVar(&o.gate, "gate", false, "with all connections open, print "+readyLine+" on standard error and begin when standard input ends (published)")
	fs.BoolVar(&o.closing, "closing-handshake", false, "send a close frame and wait for the answer, instead of just closing (handshake)")
	fs.BoolVar(&o.separate, "separate", false, "one write for each message, also when several are due at once (echo)")
	fs.DurationVar(&o.stall, "stall", 10*time.Second, "how long nothing may move before a scenario gives up")
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() != 1 || scenarios[fs.Arg(0)] == nil {
		return nil, fmt.Errorf("scenario %q: %w: echo, fanout, idle, handshake, published", fs.Arg(0), errBadChoice)
	}
	o.scenario = fs.Arg(0)
	if addr == "" || o.server.pid <= 0 {
		return nil, errNoServer
	}
	o.defaults()
	var err error
	o.target, err = wire.ParseAddress(addr)
	return o, err
}

func (o *options) defaults() {
	or := func(p *int, n int) {
		if *p <= 0 {
			*p = n
		}
	}
	duration := 5 * time.Second
	switch o.scenario {
	case "echo":
		or(&o.connections, 200)
		or(&o.inFlight, 4)
		or(&o.bytes, 128)
	case "fanout":
		or(&o.connections, 10000)
		or(&o.inFlight, 1)
		or(&o.bytes, 512)
	case "idle":
		or(&o.connections, 15000)
	case "published":
		or(&o.connections, 10000)
		or(&o.bytes, 900)
		duration = time.Minute
	}
	or(&o.parallel, 100)
	or(&o.total, 20000)
	if o.duration <= 0 {
		o.duration = duration
	}
}

// limit is when a scenario is ended whatever it is doing.
func (o *options) limit() time.Duration {
	return o.duration + o.warmup + o.settle + o.watch + gateLimit + 2*time.Minute
}

func (o *options) result() *result {
	r := &result{Scenario: o.scenario}
	switch o.scenario {
	case "handshake":
		r.Handshakes = o.total
	case "idle":
		r.Connections = o.connections
	default:
		r.Connections, r.InFlight, r.Bytes, r.Payload = o.connections, o.inFlight, o.bytes, o.payload
	}
	return r
}
