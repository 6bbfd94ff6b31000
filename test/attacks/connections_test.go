package attacks

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hardLimit is how many descriptors a process may have here.
func hardLimit(t *testing.T) int {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	return int(min(lim.Max, 1<<20))
}

// 20,000 connect and never speak, more than the daemon has descriptors for. It
// takes what it can, leaves the rest in the backlog, says so once, and is well
// when they have gone.
func TestConnectsThatNeverSpeak(t *testing.T) {
	const all = 20_000
	files := min(hardLimit(t), 18_000)
	held := min(all, files-200)
	attack(t, setting{files: files, config: "[handshake]\ntimeout = \"5m\""}, 24*mebi, func(d *daemon) {
		var ends []func()
		for range 4 {
			_, letGo := aswarm(t, all/4, d.Sock)
			ends = append(ends, letGo)
		}
		d.Until("the daemon holds all that it can", func() bool { return d.stats().Connections > int64(held) })
		d.Until("it says so", func() bool { return d.stats().AcceptFailed > 0 })
		t.Logf("%d connections of %d, with %d descriptors", d.stats().Connections, all, files)
		var wait sync.WaitGroup
		for _, letGo := range ends {
			wait.Go(letGo)
		}
		wait.Wait()
		p := d.open() // accepting has resumed by itself
		p.write(text("there is room"))
		p.hears("there is room")
		p.Close()
		if n := d.Count("cannot accept connections"); n != 1 {
			t.Errorf("%d lines for one burst", n)
		}
	})
}

// A flood beyond a low limit, wave after wave, while the handshake's deadline
// clears those away that never speak: whoever speaks gets in.
func TestConnectFloodBeyondTheLimit(t *testing.T) {
	t.Parallel()
	attack(t, setting{files: 160, config: "[handshake]\ntimeout = \"500ms\"\n[close]\ntimeout = \"200ms\""}, 8*mebi, func(d *daemon) {
		var flood []net.Conn
		for range 400 {
			c, err := dial("unix", d.Sock)
			if err != nil {
				t.Fatal(err)
			}
			flood = append(flood, c)
		}
		p := d.open() // behind them in the backlog
		p.write(text("in at last"))
		p.hears("in at last")
		p.Close()
		for _, c := range flood {
			c.Close()
		}
		if n := d.Count("cannot accept connections"); n != 1 {
			t.Errorf("%d lines for one burst", n)
		}
	})
}

// A thousand that send their handshakes byte after byte are told, at the
// deadline, that it took too long.
func TestSlowHandshakes(t *testing.T) {
	t.Parallel()
	const n = 1000
	attack(t, setting{config: "[handshake]\ntimeout = \"2s\"\n[close]\ntimeout = \"500ms\""}, 12*mebi, func(d *daemon) {
		var peers []*peer
		for range n {
			peers = append(peers, d.raw("unix"))
		}
		stop := make(chan struct{})
		var dribble sync.WaitGroup
		dribble.Go(func() {
			for i := 0; i < len(handshake)-1; i++ {
				for _, p := range peers {
					_, _ = p.Write([]byte{handshake[i]}) // it ends some time
				}
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
		refused := 0
		for _, p := range peers {
			if status, _ := p.answer(); status == 408 {
				refused++
			}
			p.Close()
		}
		close(stop)
		dribble.Wait()
		if got := d.stats().Refused["408"]; refused != n || got != n {
			t.Errorf("%d refused with 408, %d counted", refused, got)
		}
	})
}

// A thousand sessions announce a megabyte each and send it a byte at a time:
// only what has come is held.
func TestSlowFrames(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 6*mebi, func(d *daemon) {
		var peers []*peer
		for range 1000 {
			p := d.open()
			p.write(append(header(0x80|opBinary, mebi), 0, 0, 0, 0))
			peers = append(peers, p)
		}
		for range 10 {
			for _, p := range peers {
				p.write([]byte{'x'})
			}
		}
		for _, p := range peers {
			p.Close()
		}
	})
}

// Sessions come and go as fast as they can, so that descriptors and addresses in
// memory are used again and again. What an operator sends to an id reaches only
// the session that was told this id, and an echo only who sent it.
func TestChurnNeverMixesSessions(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 12*mebi, func(d *daemon) {
		const workers, lives = 8, 60
		stop := make(chan struct{})
		var operator, churn sync.WaitGroup
		delivered := 0
		operator.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var page struct {
					Sessions []struct{ ID string }
				}
				d.must("sesses", map[string]int{"limit": 100}, &page)
				for _, s := range page.Sessions[min(1, len(page.Sessions)):] { // not the bystander
					if d.call("jsend", map[string]any{"session": s.ID, "data": map[string]string{"to": s.ID}}, nil) == nil {
						delivered++
					}
				}
			}
		})
		for w := range workers {
			churn.Go(func() {
				for life := range lives {
					p := d.raw([]string{"unix", "tcp"}[life%2])
					p.upgrade(handshake)
					id, got := p.id()
					mine := fmt.Sprintf("worker %d, life %d", w, life)
					p.write(text(mine))
					for m := p.next(); m.payload != mine; m = p.next() {
						got = append(got, m.payload)
					}
					for _, m := range got {
						if m != `{"to":"`+id+`"}` {
							t.Errorf("%s got %.200q", mine, m)
						}
					}
					if life%3 == 0 {
						p.write(closing(1000, ""))
						p.ends()
					}
					p.Close()
				}
			})
		}
		churn.Wait()
		close(stop)
		operator.Wait()
		if delivered == 0 {
			t.Error("the operator reached nobody")
		}
		t.Logf("%d lives, %d messages of the operator", workers*lives, delivered)
	})
}

// A session's id cannot be guessed: nothing of an id is in the others, or counts.
func TestIdsAreRandom(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 8*mebi, func(d *daemon) {
		const n = 300
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		seen := map[string]bool{}
		var at [64]map[byte]int
		for i := range at {
			at[i] = map[byte]int{}
		}
		var peers []*peer
		for range n {
			peers = append(peers, d.open())
		}
		for _, p := range peers {
			id, _ := p.id()
			p.Close()
			if len(id) != 64 || strings.Trim(id, alphabet) != "" {
				t.Fatalf("id %q", id)
			}
			for i := range id {
				at[i][id[i]]++
			}
			// No piece of eight characters comes twice: by chance it does once in
			// 10^6 runs.
			for i := range len(id) - 8 {
				if seen[id[i:i+8]] {
					t.Fatalf("%q comes again", id[i:i+8])
				}
				seen[id[i:i+8]] = true
			}
		}
		for i, c := range at {
			if len(c) < 32 { // of 64: 300 throws leave about one out
				t.Errorf("only %d different characters at place %d", len(c), i)
			}
		}
	})
}
