package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// measurement collects the figures of all servers, scenarios and rounds.
type measurement struct {
	dir      string
	loadgen  string
	log      io.Writer
	data     results
	failures []string
}

// all goes through the plan. A server that fails in a scenario is noted and does
// not keep the others from being measured.
func (m *measurement) all(ctx context.Context, servers []server, p plan) error {
	m.data = results{}
	for _, s := range p {
		for round := range s.rounds {
			for i := range servers {
				// Another one begins each round, so that none always follows the
				// same neighbour.
				srv := servers[(i+round)%len(servers)]
				if !s.runs(srv) {
					continue
				}
				f, err := m.one(ctx, srv, s)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					m.failures = append(m.failures, fmt.Sprintf("%s, %s: %v", srv.name, s.scenario, err))
					fmt.Fprintf(m.log, "%s, round %d, %s: FAILED: %v\n", s.scenario, round+1, srv.name, err)
					continue
				}
				m.data.add(srv.name, s.scenario, f)
				fmt.Fprintf(m.log, "%s, round %d, %s: %s\n", s.scenario, round+1, srv.name, f.brief())
			}
		}
	}
	return nil
}

// one starts a server, puts the load on it, and ends it.
func (m *measurement) one(ctx context.Context, srv server, s step) (figures, error) {
	dir, err := os.MkdirTemp(m.dir, "")
	if err != nil {
		return figures{}, err
	}
	defer os.RemoveAll(dir)
	i := instance{server: srv, bin: m.dir, dir: dir, mode: s.mode}
	if s.keepsAlive(srv) {
		i.interval = s.interval
	}
	argv, err := i.command()
	if err != nil {
		return figures{}, err
	}
	p, err := start(ctx, argv, i.socket())
	if err != nil {
		return figures{}, fmt.Errorf("start %s: %w", filepath.Base(argv[0]), err)
	}
	defer p.stop()
	return p.load(ctx, m.loadgen, i.socket(), s.arguments(srv))
}
