package fdstore

import (
	"math/rand/v2"
	"testing"
)

// 15,000 connections with 700 bytes each take 768 bytes each, and no more after their records were replaced many times.
func TestMemoryOfManyConnections(t *testing.T) {
	startManager(t, 64)
	s, _, _ := opened(t, Options{MaxFD: 20000})
	k := s.Keeper() // never flushed: nothing is known of the descriptors
	data := make([]byte, 700)
	const n = 15000
	for fd := range int32(n) {
		k.Add(fd, uint64(fd), data)
	}
	const most = n*768 + n*768/20
	if got := s.Stats().Memory; got > most {
		t.Errorf("%d bytes", got)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 10 * n {
		data[0]++
		k.Update(rnd.Int32N(n), data)
	}
	if got := s.Stats().Memory; got > most {
		t.Errorf("%d bytes after updates", got)
	}
	for range 3 {
		for fd := range int32(n) {
			k.Drop(fd)
		}
		k.Flush(0)
		for fd := range int32(n) {
			k.Add(fd, uint64(fd), data[:600+fd%100])
		}
	}
	if got := s.Stats().Memory; got > most {
		t.Errorf("%d bytes after others came", got)
	}
	for fd := range int32(n) {
		k.Drop(fd) // so that Close finds nothing to send
	}
	k.Flush(0)
}

func TestDataTooLong(t *testing.T) {
	m := startManager(t, 64)
	s, _, logs := opened(t, Options{})
	long, longer := newPair(t, 1), newPair(t, 2)
	k := s.Keeper()
	k.Add(int32(long.fd), 1, make([]byte, MaxData))
	k.Add(int32(longer.fd), 2, make([]byte, MaxData+1))
	k.Update(int32(long.fd), make([]byte, MaxData+1))
	k.Flush(0)
	eventually(t, "it is said", func() bool { return logs.FilterMessageSnippet("is not kept").Len() > 0 })
	crash(s)
	long.close()
	longer.close()
	_, r, _ := opened(t, Options{Files: m.files(t)})
	if len(r.Conns) != 1 || r.Conns[0].Key != 1 || len(r.Conns[0].Data) != MaxData {
		t.Errorf("%v", r)
	}
}
