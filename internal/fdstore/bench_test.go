package fdstore

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

func benchStore(b *testing.B) *Store {
	startManager(b, 64)
	s, _, err := Open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// What a connection costs from Add to Drop, in passes that open so many at once, with 1,000 of them open.
func BenchmarkAddFlushDrop(b *testing.B) {
	for _, perPass := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(perPass), func(b *testing.B) {
			s := benchStore(b)
			k := s.Keeper()
			data := make([]byte, 700)
			var fds []int32
			for range 1024 {
				p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = unix.Close(p[0]); _ = unix.Close(p[1]) })
				fds = append(fds, int32(p[0]))
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				fd := fds[n%len(fds)]
				k.Drop(fd)
				k.Add(fd, uint64(n), data)
				if n++; n%perPass == 0 {
					k.Flush(0)
				}
			}
		})
	}
}

func BenchmarkSetIn(b *testing.B) {
	s := benchStore(b)
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	s.Keeper().Add(int32(p[0]), 1, nil)
	for n := byte(0); b.Loop(); n++ {
		s.SetIn(int32(p[0]), n)
	}
}

func BenchmarkFlushNothing(b *testing.B) {
	k := benchStore(b).Keeper()
	for b.Loop() {
		k.Flush(0)
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := benchStore(b)
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	k := s.Keeper()
	data := make([]byte, 700)
	k.Add(int32(p[0]), 1, data)
	for n := byte(0); b.Loop(); n++ {
		data[0] = n
		k.Update(int32(p[0]), data)
	}
}
