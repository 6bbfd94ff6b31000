package main

import (
	"slices"
	"strings"
)

// step is a scenario as it is measured.
type step struct {
	scenario string
	mode     string // the server's
	rounds   int
	interval int // keepalive in seconds, 0 for the server's own default
	args     []string
	// silentArgs are added for servers that have no keepalive to wait for.
	silentArgs []string
	load       string // what it is, for people
}

type plan []step

// fullPlan is what figures are quoted from. The two long scenarios vary little
// and have fewer rounds.
var fullPlan = plan{
	{
		scenario: "echo", mode: "echo", rounds: 3, args: []string{"-duration", "4s"},
		load: "200 connections, 4 messages of 128 B in flight on each",
	},
	{
		scenario: "fanout", mode: "forward", rounds: 3, args: []string{"-duration", "4s"},
		load: "1 sender to 10,000 receivers, 512 B, the next message when all have the last",
	},
	{
		scenario: "handshake", mode: "idle", rounds: 3,
		load: "20,000 opened, upgraded and closed, up to 100 at once",
	},
	{
		scenario: "idle", mode: "idle", rounds: 2, interval: 10, args: []string{"-watch", "11s"}, silentArgs: []string{"-watch", "0"},
		load: "15,000 connections, memory 2 s after the last is open, and after 11 s of keepalive where there is any",
	},
	{
		scenario: "published", mode: "forward", rounds: 2, interval: 10, args: []string{"-duration", "30s"},
		load: "10,000 connections, JSON ping and ping frame every 2.5 s each, 900 B to all every 10 s, keepalive interval 10 s",
	},
}

// quickPlan runs all the same code in a fraction of the time.
var quickPlan = plan{
	{
		scenario: "echo", mode: "echo", rounds: 1, args: []string{"-duration", "1s", "-warmup", "300ms"},
		load: "200 connections, 4 messages of 128 B in flight on each",
	},
	{
		scenario: "fanout", mode: "forward", rounds: 1, args: []string{"-c", "1000", "-duration", "1s", "-warmup", "300ms"},
		load: "1 sender to 1,000 receivers, 512 B, the next message when all have the last",
	},
	{
		scenario: "handshake", mode: "idle", rounds: 1, args: []string{"-total", "3000"},
		load: "3,000 opened, upgraded and closed, up to 100 at once",
	},
	{
		scenario: "idle", mode: "idle", rounds: 1, interval: 4, args: []string{"-c", "3000", "-settle", "1s", "-watch", "3s"}, silentArgs: []string{"-watch", "0"},
		load: "3,000 connections, memory 1 s after the last is open, and after 3 s of keepalive where there is any",
	},
	{
		scenario: "published", mode: "forward", rounds: 1, interval: 4, args: []string{"-c", "2000", "-duration", "8s", "-keepalive", "4s", "-send-every", "2s"},
		load: "2,000 connections, JSON ping and ping frame every second each, 900 B to all every 2 s, keepalive interval 4 s",
	},
}

// limited keeps the named scenarios, and replaces the number of rounds if asked.
func (p plan) limited(names string, rounds int) plan {
	p = slices.Clone(p)
	if names != "" {
		list := strings.Split(names, ",")
		p = slices.DeleteFunc(p, func(s step) bool { return !slices.Contains(list, s.scenario) })
	}
	if rounds > 0 {
		for i := range p {
			p[i].rounds = rounds
		}
	}
	return p
}

// runs tells whether a server can be measured in a step at all.
func (s step) runs(srv server) bool {
	return s.scenario != "published" || srv.nvSession
}

// arguments for the load generator. Of the servers that speak keepalive, gws is
// measured without it except under nv-session-simple's load: it is no part of the library.
func (s step) arguments(srv server) []string {
	args := slices.Clone(s.args)
	if !s.keepsAlive(srv) {
		args = append(args, s.silentArgs...)
	}
	return append(args, s.scenario)
}

func (s step) keepsAlive(srv server) bool {
	return srv.nvSession && (srv.kind == kindDaemon || srv.kind == kindNode || s.scenario == "published")
}
