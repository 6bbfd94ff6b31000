package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options are what a soak is told, and what it found.
type options struct {
	duration time.Duration
	sessions int
	slow     int // of them that will not read
	seed     uint64
	binary   string
	race     bool
	settings []setting
	out      io.Writer
	stopped  <-chan struct{} // closed when there is to be an end; what fails then is no fault

	mu       sync.Mutex // guards problems
	problems []string
}

func (o *options) fault(format string, args ...any) {
	select {
	case <-o.stopped:
		return
	default:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.problems = append(o.problems, fmt.Sprintf(format, args...))
	if len(o.problems) <= 20 {
		fmt.Fprintln(o.out, "FAULT", o.problems[len(o.problems)-1])
	}
}

func (o *options) faults() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.problems)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o := &options{out: out, stopped: ctx.Done()}
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.DurationVar(&o.duration, "duration", 10*time.Minute, "how long, all phases together")
	flags.IntVar(&o.sessions, "sessions", 2000, "how many at a time")
	flags.Uint64Var(&o.seed, "seed", 1, "what happens is drawn from it")
	flags.StringVar(&o.binary, "nvsessd", "", "the daemon; empty: it is built")
	flags.BoolVar(&o.race, "race", false, "build the daemon with the race detector")
	only := flags.String("only", "", "a part of the names of the phases that there are to be: "+strings.Join(names(), ", "))
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.sessions < 50 || o.duration <= 0 {
		return fmt.Errorf("there are no arguments, at least 50 sessions and a positive duration")
	}
	o.settings = slices.DeleteFunc(slices.Clone(settings), func(s setting) bool { return !strings.Contains(s.name, *only) })
	if len(o.settings) == 0 {
		return fmt.Errorf("there is no phase %q", *only)
	}
	o.slow = max(4, o.sessions/100)
	if o.binary == "" {
		dir, err := os.MkdirTemp("", "soakbin")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.binary, err = build(ctx, dir, o.race); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "soak: %v, %d sessions, seed %d\n", o.duration, o.sessions, o.seed)
	began := time.Now()
	for i := range o.settings {
		if err := o.phase(ctx, &o.settings[i], i, began); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if n := o.faults(); n > 0 {
		return fmt.Errorf("%d faults, of which the first: %s", n, o.problems[0])
	}
	fmt.Fprintln(out, "soak: no fault")
	return nil
}

func build(ctx context.Context, dir string, race bool) (string, error) {
	binary := filepath.Join(dir, "nvsessd")
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "github.com/nvsess/nvsess/cmd/nvsessd")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

func names() (list []string) {
	for _, s := range settings {
		list = append(list, s.name)
	}
	return list
}

// baseline is how many goroutines a daemon has that nobody has used.
func (o *options) baseline(s *setting) (int, error) {
	d, err := launch(o.binary, s)
	if err != nil {
		return 0, err
	}
	_, said, err := d.stop(syscall.SIGQUIT)
	if n := goroutines(said); err == nil && n == 0 {
		err = fmt.Errorf("no goroutines in what the daemon said:\n%s", said)
	}
	return goroutines(said), err
}

// What may be left when everybody has gone: a daemon keeps some memory that it
// has once needed, and returns it to the system when it likes.
const (
	spareGoroutines = 4
	spareBytes      = 24 << 20
	spareShare      = 0.25 // of the memory after the first lap
)

// laps of a phase. In the last the daemon is replaced again and again, which hides
// what processes that live long gather.
const laps = 3

// phase keeps a daemon busy for its share of the time.
func (o *options) phase(ctx context.Context, s *setting, number int, began time.Time) error {
	// The end by SIGQUIT, which counts goroutines, is for the last of those that
	// forward by themselves, and for those that do not.
	quit := s.handled != nil || number == len(o.settings)-1 || o.settings[number+1].handled != nil
	base := 0
	if quit {
		var err error
		if base, err = o.baseline(s); err != nil {
			return err
		}
	}
	d, err := launch(o.binary, s)
	if err != nil {
		return err
	}
	defer d.kill()
	p := &phase{o: o, name: s.name, policy: s.policy, d: d, began: began, rng: rand.New(rand.NewPCG(o.seed, uint64(number))), pace: 1,
		ends: map[string]int{}, broken: map[int]uint64{}}
	p.watch.start(ctx, p)
	if d.handlers != nil {
		d.handlers.attach(p)
		defer d.handlers.end()
	}
	before, err := d.idleUsage()
	if err != nil {
		return err
	}
	var after [laps]usage
	top := usage{}
	for lap := range after {
		if p.upgrading = lap == laps-1; p.upgrading && d.handlers != nil {
			d.handlers.disturb(ctx) // they may have to know
		}
		begun := time.Now()
		shown := time.Now()
		least := 2 // in the second slow readers are flooded
		if p.upgrading {
			least = 1
		}
		for rounds := 0; rounds < least || time.Since(begun) < o.duration/time.Duration(laps*len(o.settings)); rounds++ {
			if ctx.Err() != nil || o.faults() > 20 {
				break
			}
			p.round(ctx)
			if u, err := d.usage(); err == nil && u.rss > top.rss {
				top = u
			}
			if time.Since(shown) > 10*time.Second {
				fprogress(o.out, p, lap+1, began)
				shown = time.Now()
			}
		}
		p.depart(ctx, lap == 1)
		p.until(fmt.Sprintf("%d descriptors, as at first", before.files), func() bool {
			after[lap], err = d.usage()
			return err != nil || after[lap].files <= before.files
		})
		fprogress(o.out, p, lap+1, began)
	}
	for lap, u := range after[1:] {
		if most := after[0].rss + int(spareShare*float64(after[0].rss)) + spareBytes; u.rss > most {
			p.fault("%d MiB are in use after lap %d, and after the first it was %d MiB", u.rss>>20, lap+2, after[0].rss>>20)
		}
	}
	p.watch.check(p)
	p.watch.stop()
	<-p.watch.done
	if p.before.Dropped+p.before.SlowClosed == 0 {
		p.fault("no session was ever sent more than it could take, so the policy was not tried")
	}
	if calls, lost := d.calls.Load(), d.lost.Load(); lost > 3+calls/50 {
		p.fault("of %d calls of operators %d were lost", calls, lost)
	}
	p.finish(base, quit)
	p.report(before, after, top)
	return nil
}

// finish stops the daemon, by SIGQUIT to count its goroutines or in the ordinary
// way, and reads its log.
func (p *phase) finish(goroutinesBefore int, quit bool) {
	sig, want := syscall.SIGTERM, 0
	if quit {
		sig, want = syscall.SIGQUIT, 2
	}
	code, said, err := p.d.stop(sig)
	if err != nil || code != want {
		p.fault("after %v the daemon ended with %d, %v:\n%.4000s", sig, code, err, said)
	}
	if n := goroutines(said); quit && n > goroutinesBefore+spareGoroutines {
		p.fault("%d goroutines are left, and a daemon that was not used has %d", n, goroutinesBefore)
	}
	for _, line := range p.d.complaints(said) {
		p.fault("the daemon said: %.1000s", line)
	}
}

func (p *phase) report(before usage, after [laps]usage, top usage) {
	c := &p.count
	fmt.Fprintf(p.o.out, "%s: %d rounds; %d sessions opened and closed (%d compressed, %d killed, %d slow closed), %d hostile clients; %d messages delivered, half within %v, 99%% within %v, all within %v; "+
		"%d questions of members, %d of operators answered; %d calls of operators, %d lost; %d messages dropped, counted and accounted for; memory %d MiB at first, at most %d, after the laps %d, %d and %d; descriptors %d, then %d; "+
		"%d upgrades, which cut off %d events",
		p.name, c.rounds.Load(), c.joined.Load(), c.compressed.Load(), c.killed.Load(), c.seenSlow.Load(), c.hostile.Load(), c.delivered.Load(), p.quantile(0.5), p.quantile(0.99), p.quantile(1),
		c.asked.Load(), c.answered.Load(), p.d.calls.Load(), p.d.lost.Load(), p.before.Dropped, before.rss>>20, top.rss>>20, after[0].rss>>20, after[1].rss>>20, after[2].rss>>20, before.files, after[2].files,
		p.ended.Load(), p.cut)
	if p.d.handlers != nil {
		fmt.Fprintf(p.o.out, "; %s", p.d.handlers.report())
	}
	fmt.Fprintln(p.o.out)
}

func (p *phase) derive(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(p.o.seed, seed)) }

func byCode(m map[int]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(m))
	for code, n := range m {
		out[strconv.Itoa(code)] = n
	}
	return out
}
