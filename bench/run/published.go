package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// publishedOptions are the command line of "run published".
type publishedOptions struct {
	duration    time.Duration
	connections int
	docs        string
}

// publishedFull is the load as the goals are set for.
var publishedFull = publishedOptions{duration: 10 * time.Minute, connections: 10000}

const (
	publishedInterval = 10 // keepalive, in seconds
	publishedBytes    = 900
	publishedWarmup   = 3 * time.Second
	publishedProgress = 10 * time.Second
	// publishedMargin is for building up and for what is under way at the end; a load
	// that takes longer is ended.
	publishedMargin = 3 * time.Minute
)

// variant is one of the servers that are under the load at the same time.
type variant struct {
	title    string
	server   string
	mode     string
	answered bool
	about    string
}

const (
	ourForward = iota
	ourScript
	peerForward
	peerAnswer
)

var variants = [...]variant{
	ourForward:  {"nvsessd, forwarding", subject, "forward", false, "`-mode forward`, all else as it comes"},
	ourScript:   {"nvsessd, JavaScript", subject, "answer", true, "a JSON handler in JavaScript ([bench/handlers/answer.js](../bench/handlers/answer.js)), which passes the message on with `self.jforward(j, sess)` and answers the sender with `await conn.ajsend(...)`"},
	peerForward: {"websocket, forwarding", "websocket", "forward", false, "npm `websocket`, set up and used as nv-session-simple does ([bench/peers/node](../bench/peers/node/websocket.js))"},
	peerAnswer:  {"websocket, answering", "websocket", "answer", true, "the same, and it answers the sender"},
}

var errDescriptors = errors.New("too few file descriptors")

// runPublished measures nv-session-simple's own load.
func runPublished(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parsePublished(args, stderr)
	if err != nil {
		return err
	}
	if o.docs != "" {
		if _, err := keptSection(o.docs); err != nil {
			return err // before ten minutes of measuring and not after them
		}
	}
	dir, err := os.MkdirTemp("", "nvsess-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built, err := build(ctx, dir, chosen(allServers, variants[ourForward].server+","+variants[peerForward].server), stderr)
	if err != nil {
		return err
	}
	if len(built.skipped) > 0 {
		return errors.New(built.skipped[0])
	}
	ctx, cancel := context.WithTimeout(ctx, o.duration+publishedMargin)
	defer cancel()
	started := time.Now()
	t := &together{o: o, dir: dir, loadgen: filepath.Join(dir, "loadgen"), servers: built.servers, log: stderr}
	broken := t.run(ctx)
	rep := &publishedReport{o: o, results: t.results(), when: started, machine: thisMachine(context.WithoutCancel(ctx))}
	rep.text(stdout)
	if broken != nil {
		return broken
	}
	if o.docs != "" {
		if err := rep.write(o.docs); err != nil {
			return err
		}
	}
	return rep.fault()
}

func parsePublished(args []string, stderr io.Writer) (publishedOptions, error) {
	o := publishedFull
	fs := flag.NewFlagSet("bench published", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.DurationVar(&o.duration, "duration", o.duration, "time measured, 1s to 24h")
	fs.IntVar(&o.connections, "c", o.connections, "sessions of each server, 2 or more")
	fs.StringVar(&o.docs, "docs", "", "write the section of benchmarks.md in this `directory`")
	switch err := fs.Parse(args); {
	case err != nil:
		return o, err
	case fs.NArg() > 0:
		return o, fmt.Errorf("what is %q?", fs.Arg(0))
	case o.duration < time.Second || o.duration > 24*time.Hour:
		return o, fmt.Errorf("-duration %v: not between 1s and 24h", o.duration)
	case o.connections < 2:
		return o, fmt.Errorf("-c %d: a message needs a sender and somebody who gets it", o.connections)
	}
	// Each server and each load generator is a process of its own.
	const others = 100
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return o, err
	}
	if uint64(o.connections+others) > limit.Max {
		return o, fmt.Errorf("-c %d: %w: a process may have %d", o.connections, errDescriptors, limit.Max)
	}
	return o, nil
}

// full tells whether the figures are of the load that the goals are for.
func (o publishedOptions) full() bool {
	return o.duration >= publishedFull.duration && o.connections >= publishedFull.connections
}

// sendEvery is the time between two messages to all: ten seconds, less in a try
// that is too short for three of them.
func (o publishedOptions) sendEvery() time.Duration {
	return min(10*time.Second, (o.duration / 3).Round(time.Millisecond))
}

// arguments of the load generator for the i-th server. The servers send their
// messages to all in turns, so that none has the others' in its way.
func (o publishedOptions) arguments(i int) []string {
	every := o.sendEvery()
	args := []string{
		"-gate", "-c", fmt.Sprint(o.connections), "-duration", o.duration.String(), "-warmup", publishedWarmup.String(),
		"-keepalive", fmt.Sprintf("%ds", publishedInterval), "-bytes", fmt.Sprint(publishedBytes),
		"-send-every", every.String(), "-first-send", (every * time.Duration(2*i+1) / time.Duration(2*len(variants))).String(),
	}
	if variants[i].answered {
		args = append(args, "-answered")
	}
	return append(args, "published")
}
