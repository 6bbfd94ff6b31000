package main

import (
	"github.com/nvsess/nvsess/internal/ws"
)

// counts is what parts of the daemon other than the sessions have counted, on its
// way from one process to the next: a counter that begins anew looks like a crash.
// By name, so that neither process needs to know all that the other counts.
type counts struct {
	HTTP           map[string]uint64 `json:"http,omitempty"`
	Script         map[string]uint64 `json:"script,omitempty"`
	Webhook        map[string]uint64 `json:"webhook,omitempty"`
	Loops          []ws.LoopCount    `json:"loops,omitempty"`
	UpgradesFailed uint64            `json:"upgrades_failed,omitempty"`
	LogLost        uint64            `json:"log_lost,omitempty"`
}

// counts comes when the loops stand still, in the turn of a reload: what is counted
// after it is lost.
func (d *daemon) counts() counts {
	c := counts{
		Script: d.script.Counts(), Loops: d.sessions.LoopCounts(), UpgradesFailed: d.upgradesFailed.Load(), LogLost: d.lines.Lost(),
	}
	if d.routes != nil {
		c.HTTP = d.routes.Counts()
	}
	if d.webhook != nil {
		c.Webhook = d.webhook.Counts()
	}
	return c
}

// addCounts comes before the loops run.
func (d *daemon) addCounts(c *counts) {
	d.script.AddCounts(c.Script)
	d.sessions.ContinueLoopCounts(c.Loops)
	d.upgradesFailed.Add(c.UpgradesFailed)
	d.lines.addLost(c.LogLost)
	if d.routes != nil {
		d.routes.AddCounts(c.HTTP)
	}
	if d.webhook != nil {
		d.webhook.AddCounts(c.Webhook)
	}
}
