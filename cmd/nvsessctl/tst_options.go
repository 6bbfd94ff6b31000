package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/loadtest"
)

// tstOptions is the command line of tst.
type tstOptions struct {
	dial       connectOptions // what a client of connect has too
	count      int
	wait       time.Duration
	parallel   int
	hold       time.Duration // 0: not given
	ctrl, echo string        // "": nothing is sent
	every      time.Duration
	size       int
	verbose    bool
	quiet      bool
	json       bool
	failOnLoss bool
}

// tstMessage is an option that may have a message.
type tstMessage struct {
	text string
	set  func(string) error
}

// IsBoolFlag lets the option stand alone.
func (m *tstMessage) IsBoolFlag() bool   { return true }
func (m *tstMessage) String() string     { return m.text }
func (m *tstMessage) Set(s string) error { return m.set(s) }

// tstObject is called with "true" when the option stands alone.
func tstObject(p *string) func(string) error {
	return func(s string) error {
		if s == "true" {
			s = loadtest.DefaultMessage
		}
		if err := admin.CheckJSON(s); err != nil {
			return err
		}
		if len(s) > tstMaxMessage {
			return fmt.Errorf("it is longer than %s bytes", tstNumber(tstMaxMessage))
		}
		*p = s
		return loadtest.CheckMessage(s)
	}
}

func tstUsagef(format string, args ...any) error {
	return &tstError{text: "tst: " + fmt.Errorf(format, args...).Error() + " (nvsessctl tst --help explains)", code: exitUsage}
}

func parseTst(args []string) (*tstOptions, error) {
	o := &tstOptions{dial: connectOptions{header: http.Header{}}}
	var wrong error // what is wrong with an option's value, in our words
	checked := func(name string, set func(string) error) func(string) error {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		return func(s string) error {
			err := set(s)
			if err != nil {
				wrong = tstUsagef("%s%s %s: %w", dashes, name, admin.Escape(connectClip(s, 80)), err)
			}
			return err
		}
	}
	fs := flag.NewFlagSet("tst", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	o.count, o.parallel, o.wait, o.every = 4000, 32, 5*time.Millisecond, 10*time.Second
	o.dial.timeout, o.dial.keepalive = client.DefaultHandshakeTimeout, client.DefaultKeepalive
	value := func(names string, set func(string) error) {
		for name := range strings.FieldsSeq(names) {
			fs.Func(name, "", checked(name, set))
		}
	}
	value("n count", tstInt(&o.count, 1, tstMaxClients))
	value("parallel", tstInt(&o.parallel, 1, tstMaxParallel))
	value("size", tstInt(&o.size, 0, tstMaxSize))
	value("w wait", tstDuration(&o.wait, 0, time.Hour))
	value("d duration", tstDuration(&o.hold, time.Millisecond, tstMaxHold))
	value("e every", tstDuration(&o.every, time.Millisecond, tstMaxHold))
	value("timeout", tstDuration(&o.dial.timeout, time.Millisecond, time.Hour))
	value("keepalive", tstDuration(&o.dial.keepalive, 20*time.Millisecond, tstMaxHold))
	value("H", o.dial.addHeader)
	for name, text := range map[string]*string{"ctrl": &o.ctrl, "echo": &o.echo} {
		fs.Var(&tstMessage{set: checked(name, tstObject(text))}, name, "")
	}
	fs.StringVar(&o.dial.origin, "origin", "", "")
	fs.Func("subprotocol", "", func(s string) error {
		o.dial.subprotocols = append(o.dial.subprotocols, s)
		return nil
	})
	for name, p := range map[string]*bool{"insecure": &o.dial.insecure, "v": &o.verbose, "q": &o.quiet, "quiet": &o.quiet,
		"json": &o.json, "fail-on-loss": &o.failOnLoss} {
		fs.BoolVar(p, name, false, "")
	}
	noKeepalive := fs.Bool("no-keepalive", false, "")
	words, err := tstWords(fs, args)
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case wrong != nil:
		return nil, wrong
	case err != nil:
		return nil, tstUsagef("%s", admin.Escape(strings.Replace(err.Error(), "flag provided but not defined: ", "there is no option ", 1)))
	case len(words) == 0:
		return nil, tstUsagef("which URL?")
	case len(words) > 1:
		return nil, tstUsagef("one URL, not also %s", admin.Quote(connectClip(words[1], 80)))
	case given["ctrl"] && given["echo"]:
		return nil, tstUsagef("either --ctrl or --echo")
	case (given["every"] || given["e"] || given["size"]) && !given["ctrl"] && !given["echo"]:
		return nil, tstUsagef("nothing is sent without --ctrl or --echo")
	case given["keepalive"] && *noKeepalive:
		return nil, tstUsagef("either --keepalive or --no-keepalive")
	case o.verbose && o.json:
		return nil, tstUsagef("either -v or --json")
	}
	if *noKeepalive {
		o.dial.keepalive = 0
	}
	o.dial.url = words[0]
	if guess := connectGuess(o.dial.url); guess != "" {
		return nil, tstUsagef("%s is not a URL; did you mean %s?", admin.Quote(o.dial.url), admin.Escape(guess))
	}
	if err := client.CheckURL(o.dial.url); err != nil {
		return nil, tstUsagef("%w", err)
	}
	return o, nil
}

// tstWords parses options, which may follow the URL, and returns the rest. The message of --ctrl and --echo may be the next word.
func tstWords(fs *flag.FlagSet, args []string) (words []string, err error) {
	var joined []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		name := strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		if (name == "ctrl" || name == "echo") && name != a && i+1 < len(args) {
			if next := strings.TrimSpace(args[i+1]); next == "" || strings.ContainsRune(`{["`, rune(next[0])) {
				i++
				a += "=" + args[i]
			}
		}
		joined = append(joined, a)
	}
	for args = joined; len(args) > 0; {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			return append(words, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		words = append(words, rest[0])
		args = rest[1:]
	}
	return words, nil
}

func tstInt(p *int, low, high int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
		if err != nil || n < low || n > high {
			return fmt.Errorf("want a number from %s to %s", tstNumber(uint64(low)), tstNumber(uint64(high)))
		}
		*p = n
		return nil
	}
}

func tstDuration(p *time.Duration, low, high time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < low || d > high {
			return fmt.Errorf("want a duration from %s to %s, such as 5ms or 1m30s", tstSpan(low), tstSpan(high))
		}
		*p = d
		return nil
	}
}

// tstSpan writes a duration without the units that are 0.
func tstSpan(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

func tstNumber(n uint64) string { return loadtest.Number(n) }
