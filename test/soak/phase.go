package main

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/session"
)

// Operators are senders, too. Each sends one message after the other.
const (
	crier  = -1 // broadcasts; also says when a round is over
	postie = -2 // sends to single members, and to those that do not read
	hook   = -3 // the web server, which replies to members
)

// counts is for the report.
type counts struct {
	joined, delivered, asked, answered, compressed, hostile, forged, killed, stalled, seenSlow, rounds atomic.Uint64
}

// A phase is a daemon and all that is done to it.
type phase struct {
	o      *options
	name   string
	policy string
	d      *daemon
	rng    *rand.Rand // the director's only
	began  time.Time
	clock  atomic.Uint64
	count  counts

	members []*member // the director's only
	nextID  int
	lastSeq [4]uint64     // of the operators; each is one goroutine at a time
	pace    float64       // how much is done in a round, up to 1
	unasked atomic.Uint64 // answers that may come when the question was lost
	cut     int           // events that handlers had not done with at upgrades

	upgrading    bool          // in this lap; the director's only
	changing     sync.Mutex    // held by who loads handlers, or upgrades: either keeps the other off
	begun, ended atomic.Uint64 // upgrades

	mu      sync.Mutex // guards what follows
	sent    map[key]*sending
	ends    map[string]int // how sessions are made to end, by id
	broken  map[int]uint64 // rules, by close code
	slots   [64]uint64     // latencies, by their logarithm
	slowest time.Duration

	before session.Stats // at the end of the last round
	watch  watcher
}

func (p *phase) tick() uint64 { return p.clock.Add(1) }
func (p *phase) now() int64   { return int64(time.Since(p.began)) }

func (p *phase) fault(format string, args ...any) {
	p.o.fault(p.name+": "+format, args...)
}

// sending notes that a message is about to be handed over.
func (p *phase) sending(k key, to map[int]bool) {
	at := p.tick()
	p.mu.Lock()
	p.sent[k] = &sending{at: at, to: to}
	p.mu.Unlock()
}

func (p *phase) accepted(keys ...key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		p.sent[k].accepted = true
	}
}

// mayRepeat notes that messages may come twice.
func (p *phase) mayRepeat(keys []key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		p.sent[k].again = true
	}
}

func (p *phase) expectEnd(sess string, code int) {
	p.mu.Lock()
	p.ends[sess] = code
	p.mu.Unlock()
}

func (p *phase) violated(code int) {
	p.mu.Lock()
	p.broken[code]++
	p.mu.Unlock()
}

func (p *phase) latency(d time.Duration) {
	p.mu.Lock()
	p.slots[bits.Len64(uint64(max(d, 0)))]++
	p.slowest = max(p.slowest, d)
	p.mu.Unlock()
}

// quantile is an upper bound of a share of the latencies.
func (p *phase) quantile(share float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all, sum uint64
	for _, n := range p.slots {
		all += n
	}
	for i, n := range p.slots {
		if sum += n; float64(sum) >= share*float64(all) {
			return min(time.Duration(1)<<i, p.slowest).Round(time.Millisecond)
		}
	}
	return p.slowest.Round(time.Millisecond)
}

// operate is an operator's command that must succeed, unless it was lost.
func (p *phase) operate(ctx context.Context, name string, args map[string]any) bool {
	_, err := p.d.call(ctx, name, args)
	if err != nil && !wasLost(err) {
		p.fault("%s: %v", name, err)
	}
	return err == nil
}

// next makes an operator's next message, JSON all of them: its number is a
// multiple of three.
func (p *phase) next(from int, size int) (message, key) {
	p.lastSeq[-from] += 3
	m := message{from: from, seq: p.lastSeq[-from], sent: p.now(), size: size}
	return m, key{from, m.seq}
}

// cry broadcasts to all.
func (p *phase) cry(ctx context.Context, size int) uint64 {
	m, k := p.next(crier, size)
	p.sending(k, nil)
	if p.operate(ctx, "jbroadcast_ignore_reply", map[string]any{"data": rawJSON(m)}) {
		p.accepted(k)
	}
	return m.seq
}

// A watcher sees sessions open and close, as the daemon tells.
type watcher struct {
	told ledger
	lost atomic.Uint64
	stop context.CancelFunc
	done chan struct{}
}

// start returns when the daemon has begun to tell.
func (w *watcher) start(ctx context.Context, p *phase) {
	w.told, w.done = newLedger("watch"), make(chan struct{})
	ctx, w.stop = context.WithCancel(ctx)
	begun := make(chan struct{})
	go func() {
		defer close(w.done)
		_, err := p.d.ctl.Stream(ctx, "watch", map[string]any{"type": []string{"open", "close"}}, func() { close(begun) }, func(l *admin.Line) error {
			w.lost.Add(l.Dropped)
			if e := l.Event; e != nil && e.Type == session.EventOpen {
				w.told.opened(e.Session)
			} else if e != nil {
				w.told.closed(e.Session, e.Code)
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			p.fault("watch ended: %v", err)
		}
	}()
	select {
	case <-begun:
	case <-w.done:
	}
}

func (w *watcher) check(p *phase) {
	if n := w.lost.Load(); n > 0 {
		fmt.Fprintf(p.o.out, "%s: watch left out %d events, so openings and closings are compared by their counts only\n", p.name, n)
		return
	}
	w.told.check(p, 0)
}

// together runs functions at the same time and waits for all.
type together struct{ sync.WaitGroup }

// spread runs f for 0 to n-1, so many at a time.
func (t *together) spread(n, atOnce int, f func(i int)) {
	next := new(atomic.Int64)
	for range min(n, atOnce) {
		t.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
}

func fprogress(w io.Writer, p *phase, lap int, began time.Time) {
	u, _ := p.d.usage() // of a daemon that is gone: nothing
	fmt.Fprintf(w, "%7s  %-11s lap %d  %5d rounds  %8d deliveries  %6d joined  %4d MiB  %d faults\n", time.Since(began).Round(time.Second), p.name, lap,
		p.count.rounds.Load(), p.count.delivered.Load(), p.count.joined.Load(), u.rss>>20, p.o.faults())
}
