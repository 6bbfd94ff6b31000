// Holder is a service that holds connections as the daemon does: it accepts on the socket that systemd passes, keeps what it accepted, and goes
// on with it after whatever happens to it. test/systemd has it under a real systemd.
//
// A client sends commands of one byte: e is answered with the connection's key and whether its record is the one that was written; c has the
// connection shut down and closed, d has it closed without. Nothing is answered before the connection is kept.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/nvsess/nvsess/internal/fdstore"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

type conn struct {
	key  uint64
	data []byte
}

type holder struct {
	store   *fdstore.Store
	keeper  *fdstore.Keeper
	epoll   int
	listen  int
	conns   map[int]conn
	lastKey fdstore.Counter
}

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// record is what is written for a key: as long as a request's head.
func record(key uint64) []byte {
	b := make([]byte, 600+key%200)
	r := rand.New(rand.NewPCG(key, key))
	for i := 0; i+8 <= len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}

func run() error {
	started := time.Now()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGUSR1)
	h := &holder{conns: map[int]conn{}, listen: -1}
	var kept []*os.File
	for _, f := range activation.Files(true) {
		if fdstore.Ours(f.Name()) {
			kept = append(kept, f)
		} else {
			h.listen = int(f.Fd())
			defer f.Close() // and no collector before
		}
	}
	logger, _ := zap.NewDevelopment()
	s, r, err := fdstore.Open(fdstore.Options{Log: logger, Files: kept})
	if err != nil {
		return err
	}
	defer s.Close()
	h.store, h.keeper, h.lastKey = s, s.Keeper(), s.Counter("last key")
	if h.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	wrong := 0
	if r != nil {
		for _, c := range r.Conns {
			if string(c.Data) != string(record(c.Key)) {
				wrong++
			}
			h.conns[c.FD] = conn{c.Key, c.Data}
			h.watch(c.FD)
		}
		log.Printf("restored %d lost %d wrong %d in %v", len(r.Conns), r.Lost, wrong, time.Since(started))
	}
	_ = unix.SetNonblock(h.listen, true)
	h.watch(h.listen)
	job, err := fdstore.JobType(context.Background())
	log.Printf("starting: job %q, %v", job, err)
	if err := fdstore.Notify("READY=1"); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 1024)
	var said time.Time
	for {
		select {
		case sig := <-stop:
			job, err := fdstore.JobType(context.Background())
			log.Printf("%v: job %q, %v", sig, job, err)
			if sig == syscall.SIGTERM {
				return nil
			}
		default:
		}
		n, _ := unix.EpollWait(h.epoll, events, 500)
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == h.listen {
				h.accept()
			} else {
				h.read(int(e.Fd))
			}
		}
		h.keeper.Flush(0)
		if now := time.Now(); now.Sub(said) > time.Second {
			said = now
			_ = fdstore.Notify(fmt.Sprintf("WATCHDOG=1\nSTATUS=%+v", s.Stats()))
		}
	}
}

func (h *holder) watch(fd int) {
	if err := unix.EpollCtl(h.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		log.Fatal(err)
	}
}

func (h *holder) accept() {
	for range 1 + rand.IntN(20) { // passes of all sizes
		fd, _, err := unix.Accept4(h.listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		h.lastKey.Add(1)
		c := conn{key: h.lastKey.Load()}
		c.data = record(c.key)
		h.conns[fd] = c
		h.keeper.Add(int32(fd), c.key, c.data)
		h.watch(fd)
	}
}

func (h *holder) answer(fd int, c conn) {
	b := binary.BigEndian.AppendUint64(nil, c.key)
	if string(c.data) == string(record(c.key)) {
		b = append(b, '=')
	} else {
		b = append(b, '!')
	}
	_, _ = unix.Write(fd, b)
}

func (h *holder) read(fd int) {
	var b [1]byte
	n, err := unix.Read(fd, b[:])
	switch {
	case err == unix.EAGAIN:
	case n == 1 && b[0] == 'e':
		h.answer(fd, h.conns[fd])
	default:
		h.keeper.Drop(int32(fd))
		delete(h.conns, fd)
		// With a copy in flight closing would leave it in the set, and its events would come under the number of another.
		_ = unix.EpollCtl(h.epoll, unix.EPOLL_CTL_DEL, fd, nil)
		if n <= 0 || !strings.ContainsRune("d", rune(b[0])) {
			_ = unix.Shutdown(fd, unix.SHUT_RDWR)
		}
		_ = unix.Close(fd)
	}
}
