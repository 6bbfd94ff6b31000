package main

import (
	"context"
	"syscall"
	"time"
)

// disturb lets something happen to the handlers and, in laps that are for it, has
// the daemon replaced by itself, at any moment of the round.
func (p *phase) disturb(ctx context.Context, moments [2]time.Duration, signal bool) {
	var both together
	if h := p.d.handlers; h != nil {
		both.Go(func() {
			if pause(ctx, moments[0]) {
				h.disturb(ctx)
			}
		})
	}
	if p.upgrading {
		both.Go(func() {
			if pause(ctx, moments[1]) {
				p.upgrade(ctx, signal)
			}
		})
	}
	both.Wait()
}

// pause waits for a moment that was drawn. It reports whether that has come.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// upgrade has the daemon execute its binary again, and waits until that goes on
// with all connections.
func (p *phase) upgrade(ctx context.Context, signal bool) {
	p.changing.Lock()
	defer p.changing.Unlock()
	closedBefore, before := p.d.sum(resumed)
	p.begun.Add(1)
	if signal {
		if err := p.d.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			p.fault("%v", err)
			return
		}
	} else if !p.operate(ctx, "upgrade", map[string]any{}) && ctx.Err() == nil {
		p.fault("the upgrade's caller was told nothing")
	}
	closed, now := 0, 0
	if p.until("the next process goes on", func() bool { closed, now = p.d.sum(resumed); return now > before }) && closed > closedBefore {
		p.fault("an upgrade closed %d connections", closed-closedBefore)
	}
	p.ended.Add(1)
}
