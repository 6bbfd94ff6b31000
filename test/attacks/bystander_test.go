package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
)

// A bystander is a well-behaved session. As long as it lives it sends numbered
// messages and waits for their echoes, and an operator asks it what it has to
// answer. Nothing of that may be lost, doubled or out of order.
type bystander struct {
	t       *testing.T
	d       *daemon
	conn    *client.Conn
	id      string
	echoes  chan string
	stop    chan struct{}
	done    chan struct{}
	rounds  int // exchanges that were whole; read after done
	slowest time.Duration
}

// burst is how many messages are under way at a time.
const burst = 8

// watchOver begins the bystander's life.
func watchOver(t *testing.T, d *daemon) *bystander {
	t.Helper()
	b := &bystander{t: t, d: d, echoes: make(chan string, 10*burst), stop: make(chan struct{}), done: make(chan struct{})}
	h := client.Handlers{
		JSON: func(_ *client.Conn, j json.RawMessage) { b.echoes <- string(j) },
		Request: func(c *client.Conn, e client.Envelope) {
			if err := c.Reply(context.Background(), e.ID, e.Data); err != nil {
				t.Errorf("the bystander cannot reply: %v", err)
			}
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if b.conn, err = client.Dial(ctx, "ws+unix://"+d.Sock+":/bystander", client.WithHandlers(h)); err != nil {
		t.Fatal(err)
	}
	if b.id, err = b.conn.WaitSession(ctx); err != nil {
		t.Fatal(err)
	}
	givenUp := make(chan struct{}) // the test has ended before it
	t.Cleanup(func() {
		close(givenUp)
		b.conn.CloseNow()
		<-b.conn.Done()
		<-b.done
	})
	go func() {
		defer close(b.done)
		for n := 0; ; n++ {
			began := time.Now()
			if err := b.round(n, givenUp); err != nil {
				t.Errorf("the bystander suffers, in round %d: %v", n, err)
				return
			}
			b.rounds++
			b.slowest = max(b.slowest, time.Since(began))
			select {
			case <-b.stop:
				return
			case <-givenUp:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return b
}

// round is one exchange. Its failure counts unless it was given up.
func (b *bystander) round(n int, givenUp <-chan struct{}) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() {
		select {
		case <-givenUp:
			err = nil
		default:
		}
	}()
	for i := range burst {
		if err := b.conn.SendJSON(ctx, map[string]int{"n": n*burst + i}); err != nil {
			return err
		}
	}
	var answer struct {
		Data int `json:"___data___"`
	}
	if b.d.unasked {
		answer.Data = n
	} else if err := b.d.call("send_jrr_sreq", map[string]any{"session": b.id, "data": n, "timeout": "60s"}, &answer); err != nil {
		return fmt.Errorf("asked: %w", err)
	}
	if answer.Data != n {
		return fmt.Errorf("asked %d, it answered %d", n, answer.Data)
	}
	for i := range burst {
		select {
		case got := <-b.echoes:
			if want := fmt.Sprintf(`{"n":%d}`, n*burst+i); got != want {
				return fmt.Errorf("got %.100s, not %s", got, want)
			}
		case <-ctx.Done():
			return fmt.Errorf("no echo of message %d", n*burst+i)
		}
	}
	return nil
}

// rests ends the bystander's life.
func (b *bystander) rests() {
	b.t.Helper()
	close(b.stop)
	<-b.done
	b.t.Logf("the bystander: %d rounds, the slowest in %v", b.rounds, b.slowest.Round(time.Millisecond))
	if b.rounds == 0 && !b.t.Failed() {
		b.t.Error("the bystander did nothing")
	}
}

const mebi = 1 << 20

// slack is what the daemon's memory may grow by without an attack: the runtime's
// own doing, and the bystander's.
const slack = 12 * mebi

// attack runs what attackers do beside a bystander. Afterwards, when they are
// gone, the daemon has the sessions and descriptors that it had, and at no time
// was more than bound, in bytes, added to its memory.
func attack(t *testing.T, s setting, bound int, attackers func(d *daemon)) {
	t.Helper()
	d := start(t, s)
	b := watchOver(t, d)
	d.Until("the bystander is there", func() bool { s := d.stats(); return s.Sessions == 1 && s.Connections == 1 })
	files, memory := d.descriptors(), d.memory("VmHWM")
	attackers(d)
	d.Until("the attackers are gone", func() bool {
		s := d.stats()
		return s.Sessions == 1 && s.Connections == 1 && s.Pending <= 1 // the bystander may just be asked
	})
	b.rests()
	d.Until("the descriptors are given back", func() bool { return d.descriptors() <= files })
	grown := d.memory("VmHWM") - memory
	if grown > bound+slack {
		t.Errorf("memory grew by %d MiB, more than %d MiB", grown/mebi, (bound+slack)/mebi)
	}
	t.Logf("memory: %d MiB at first, %d MiB more at most", memory/mebi, grown/mebi)
}
