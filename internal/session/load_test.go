package session

import (
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// Thousands of sessions connect, talk and leave, each in one of several ways;
// then everything is as before.
func TestNothingLeaks(t *testing.T) {
	h := start(t, keepalive(20*time.Second, 10*time.Second), func(o *Options) { o.Mode = "echo" })
	crowd(t, h, 500) // fills the pools, the runtime's too
	before := measure(t, h)
	for range 2 {
		crowd(t, h, 5000)
		after := measure(t, h)
		if after.descriptors != before.descriptors || after.goroutines > before.goroutines {
			t.Errorf("%d descriptors and %d goroutines, before %d and %d", after.descriptors, after.goroutines, before.descriptors, before.goroutines)
		}
		if grown := int64(after.heap) - int64(before.heap); grown > 2<<20 {
			t.Errorf("the heap has grown by %d bytes, from %d", grown, before.heap)
		}
	}
	if st := h.Stats(); st.Opens != 10_500 || st.Sessions != 0 || st.Connections != 0 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
}

type footprint struct {
	descriptors, goroutines int
	heap                    uint64
}

// measure waits until the last connection is gone and looks.
func measure(t *testing.T, h *host) footprint {
	t.Helper()
	eventually(t, "all connections are gone", func() bool { return h.Stats().Connections == 0 })
	var m runtime.MemStats
	for range 3 { // what a pool holds survives one collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	sum := 0
	for _, n := range descriptors() {
		sum += n
	}
	return footprint{sum, runtime.NumGoroutine(), m.HeapAlloc}
}

// crowd has n sessions connect, all of them there at once, talk and leave.
func crowd(t *testing.T, h *host, n int) {
	t.Helper()
	const workers = 16
	peers := make([]*peer, n)
	each := func(f func(i int)) {
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < n && !t.Failed(); i += workers {
					f(i)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	each(func(i int) {
		var err error
		if peers[i], err = h.tryDial(); err != nil {
			t.Error(err)
		}
	})
	if h.Len() != n {
		t.Errorf("%d sessions, want %d", h.Len(), n)
	}
	each(func(i int) {
		p, s := peers[i], strconv.Itoa(i)
		if err := p.tryWrite(gobwas.OpText, []byte(s)); err != nil {
			t.Error(err)
			return
		}
		for { // the configuration comes first
			_, got, err := p.read()
			if err != nil {
				t.Error(err)
				return
			}
			if got == s {
				return
			}
		}
	})
	each(func(i int) {
		p := peers[i]
		peers[i] = nil
		switch i % 4 {
		case 0:
			_ = p.tryWrite(gobwas.OpClose, gobwas.NewCloseFrameBody(1000, ""))
		case 1: // in the middle of a frame
			_, _ = p.conn.Write([]byte{0x81, 0xfe, 0x10})
		case 2: // in the middle of a message
			_, _ = p.conn.Write([]byte{0x01, 0x83, 0, 0, 0, 0, 'a', 'b', 'c'})
		}
		p.conn.Close()
	})
}
