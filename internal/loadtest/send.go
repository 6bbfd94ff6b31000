package loadtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nvsess/nvsess/client"
)

// startSenders starts what is to be sent while the clients are held. It returns the control client, if there is one.
func (t *Test) startSenders(ctx context.Context, senders *sync.WaitGroup) *client.Conn {
	if ctx.Err() != nil {
		return nil
	}
	if t.cfg.Echo != "" {
		senders.Go(func() { t.echo(ctx) })
	}
	if t.cfg.Broadcast == "" {
		return nil
	}
	conn, err := t.dial(ctx, client.Handlers{})
	if err != nil {
		if ctx.Err() == nil {
			t.noControl(fmt.Errorf("it could not connect: %s", Kind(err)))
		}
		return nil
	}
	senders.Go(func() { t.broadcast(ctx, conn) })
	return conn
}

// broadcast has the control client send at once and then every so often.
func (t *Test) broadcast(ctx context.Context, conn *client.Conn) {
	every := time.NewTicker(t.cfg.Every)
	defer every.Stop()
	for {
		if err := t.broadcastOnce(conn); err != nil {
			if ctx.Err() == nil {
				t.noControl(err)
			}
			return
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		case <-conn.Done():
			if ctx.Err() == nil {
				t.noControl(conn.Err())
			}
			return
		}
	}
}

// broadcastOnce sends what it has counted, even when the test ends meanwhile: closing the session bounds it.
func (t *Test) broadcastOnce(conn *client.Conn) error {
	t.mu.Lock()
	if t.phase != Holding { // it ended while this was due
		t.mu.Unlock()
		return nil
	}
	seq := t.broadcasts.Add(1)
	t.expected += int64(t.open)
	sent := t.now()
	t.mu.Unlock()
	text := marked(t.cfg.Broadcast, mark{t.run, fromControl, seq, int64(sent)}, t.cfg.Size)
	return conn.SendString(context.Background(), text)
}

func (t *Test) noControl(err error) {
	var closed *client.CloseError
	if errors.As(err, &closed) {
		err = fmt.Errorf("it was closed: %s", closedKind(closed))
	}
	t.mu.Lock()
	t.control = err
	t.mu.Unlock()
}

// echoSenders is how many clients may be sending at a time.
const echoSenders = 16

// probeTime is how long the first echo may take.
const probeTime = 10 * time.Second

// turn is a client's turn to send.
type turn struct {
	m   *member
	due time.Duration // since the run began
}

// echo has the clients send in turns, evenly over each interval. One goes first alone: at a server that forwards, each message of all would
// reach all.
func (t *Test) echo(ctx context.Context) {
	t.mu.Lock()
	members := t.members // no more open
	t.mu.Unlock()
	if !t.probe(ctx, members) {
		return
	}
	turns := make(chan turn)
	var senders sync.WaitGroup
	defer senders.Wait()
	defer close(turns)
	for range echoSenders {
		senders.Go(func() {
			for next := range turns {
				t.echoOnce(next)
			}
		})
	}
	gap := max(t.cfg.Every/time.Duration(len(members)), 1)
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := t.now()
	for k := 0; ; k++ {
		due += gap
		if late := t.now() - due; late > t.cfg.Every { // what was not sent by now is not sent at all
			n := int(late / gap)
			t.mu.Lock()
			t.echoesSkipped += int64(n)
			t.mu.Unlock()
			k, due = k+n, due+time.Duration(n)*gap
		} else if late < 0 {
			timer.Reset(-late)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
		select {
		case turns <- turn{members[k%len(members)], due}:
		case <-ctx.Done():
			return
		}
	}
}

// probe sends one echo and waits for it, or for the end.
func (t *Test) probe(ctx context.Context, members []*member) bool {
	t.mu.Lock()
	var first *member
	for _, m := range members {
		if m.open {
			first = m
			break
		}
	}
	t.mu.Unlock()
	if first == nil {
		return false
	}
	t.echoOnce(turn{first, t.now()})
	over := time.NewTimer(probeTime)
	defer over.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for t.echoes.Load() == 0 {
		select {
		case <-look.C:
			t.mu.Lock()
			ended := t.stray != nil || !first.open
			t.mu.Unlock()
			if ended {
				return false
			}
		case <-over.C:
			t.goAstray(fmt.Errorf("nothing came back within %v: the server does not echo", probeTime))
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// echoOnce counts latency from when the message was due: a late sender makes it longer, not shorter.
func (t *Test) echoOnce(next turn) {
	m := next.m
	t.mu.Lock()
	if !m.open || t.phase != Holding {
		t.mu.Unlock()
		return
	}
	seq := m.echoSent.Add(1)
	t.echoesSent++
	t.mu.Unlock()
	text := marked(t.cfg.Echo, mark{t.run, m.index, seq, int64(next.due)}, t.cfg.Size)
	_ = m.conn.SendString(context.Background(), text) // when it fails the connection ends
}
