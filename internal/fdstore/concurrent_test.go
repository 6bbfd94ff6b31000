package fdstore

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Loops, each with its keeper, and writers that note what they have queued, all at once; while small send buffers keep the store busy.
func TestManyLoops(t *testing.T) {
	shrink(t, 16<<10)
	m := startManager(t, 64)
	s, _, logs := opened(t, Options{})
	const loops, each = 4, 400
	left := make([]map[uint64]*pair, loops)
	data := make([]map[uint64]string, loops)
	var wg sync.WaitGroup
	for l := range loops {
		pairs := somePairs(t, uint64(l*each+1), uint64((l+1)*each+1))
		left[l], data[l] = pairs, map[uint64]string{}
		k := s.Keeper()
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(l), 9))
			next := uint64(1_000_000 * (l + 1))
			addAll(k, pairs)
			for range 6000 {
				for key, p := range pairs { // any
					switch rnd.IntN(8) {
					case 0, 1, 2:
						fd := int32(p.fd)
						k.Drop(fd)
						delete(pairs, key)
						delete(data[l], key)
						next++
						p.key = next
						pairs[next] = p
						k.Add(fd, next, []byte(p.data()))
					case 3:
						text := fmt.Sprint("other data of ", key, rnd.Uint64())
						k.Update(int32(p.fd), []byte(text))
						data[l][key] = text
					case 4:
						wg.Go(func() { s.SetQueued(int32(p.fd), 5); s.SetOut(int32(p.fd), 0) })
						s.SetIn(int32(p.fd), 1)
					default:
						k.Flush(0)
					}
					break
				}
			}
			k.Flush(0)
		})
	}
	for range 200 {
		s.Counter("passes").Add(1)
		_ = s.Stats()
		_ = s.Names()
	}
	wg.Wait()
	eventually(t, "all are kept", func() bool { st := s.Stats(); return st.Kept == loops*each && st.Waiting == 0 })
	eventually(t, "nothing else is", func() bool { return s.Stats().Garbage == 0 })
	if st := s.Stats(); st.Memory > headerSize+16*chunkSize {
		t.Errorf("%d bytes for %d connections", st.Memory, loops*each)
	}
	settle(t, s)
	crash(s)
	all := map[uint64]*pair{}
	for l := range loops {
		for key, p := range left[l] {
			p.close()
			all[key] = p
		}
	}
	_, r, _ := opened(t, Options{Files: m.files(t)})
	for i, c := range r.Conns {
		for l := range loops {
			if text, ok := data[l][c.Key]; ok && text == string(c.Data) {
				r.Conns[i].Data = []byte(all[c.Key].data())
			}
		}
	}
	whole(t, r, all)
	if r.Counters["passes"] != 200 {
		t.Errorf("counters %v", r.Counters)
	}
	if n := logs.FilterMessageSnippet("not kept").Len(); n != 0 {
		t.Errorf("%v", logs.All())
	}
	for _, c := range r.Conns {
		_ = unix.Close(c.FD)
		all[c.Key].fd = -1
	}
}
