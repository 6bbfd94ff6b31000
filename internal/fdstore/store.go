package fdstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Options say how a store is opened.
type Options struct {
	Log *zap.Logger
	// Files are what systemd kept for the process before, or what Handles gave it; all are taken over. Those whose name is not Ours are closed.
	Files []*os.File
	// MaxFD is one more than the highest descriptor that can be kept; 0: the limit of the process.
	MaxFD int
	// Carried says that Files and all connections came through an exec: none is received, Open restores nothing, and each is to be added
	// again, with its key, before Adopted is called.
	Carried bool
	// Old are names that systemd is to forget once the new ones are stored: Names of the image before, if its Files were not carried.
	Old []string
}

// A Store is this process's part of systemd's descriptor store.
type Store struct {
	log     *zap.Logger
	mem     *memory
	byFD    []uint32 // slot by descriptor, atomic
	limit   int      // descriptors in flight that the kernel allows
	begin   time.Time
	refused atomic.Bool

	carrying atomic.Bool

	mu         sync.Mutex // guards what follows
	generation uint64     // in names
	places     []place    // by slot
	hot        *ring
	cold       []*ring
	garbage    int // in all rings
	flying     int
	waiting    []uint32 // slots that found no room
	retry      time.Duration
	sleeps     time.Duration // tidy, until then
	carried    map[uint64]uint32
	frozen     bool
	states     []string // names that were not removed yet
	highest    uint64   // id that restore has seen
	out        envelope
	scratch    [perMessage]uint32
	ops        []func(context.Context)
	problem    error // of the present
	accident   error // that happened

	saidAccident error // tidy's
	said         error

	tidyWake, talkWake chan struct{}
	done               chan struct{}
	cancel             context.CancelFunc
	closing            sync.Once
	running            sync.WaitGroup
}

// Open takes over what was kept, or begins anew. It fails when systemd keeps nothing, or is not there. Restored is nil when nothing was kept.
func Open(o Options) (*Store, *Restored, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, nil, fmt.Errorf("fdstore: %w", err)
	}
	if o.MaxFD <= 0 {
		o.MaxFD = int(min(limit.Cur, 1<<20))
	}
	s := &Store{
		log:      o.Log,
		byFD:     make([]uint32, o.MaxFD),
		limit:    int(min(limit.Cur, 1<<30)),
		begin:    time.Now(),
		places:   make([]place, 1),
		tidyWake: make(chan struct{}, 1),
		talkWake: make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	kept := sortFiles(o.Files)
	restored := s.restore(kept, o.Carried)
	old := append(kept.useless, o.Old...)
	if s.mem == nil {
		if err := s.create(append(kept.names, o.Old...)); err != nil {
			return nil, restored, fmt.Errorf("fdstore: %w", err)
		}
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Add(2)
	go s.talk(ctx)
	err := s.establish(old)
	go s.tidy()
	if err != nil {
		s.Close()
		return nil, restored, fmt.Errorf("fdstore: %w", err)
	}
	return s, restored, nil
}

// create begins with a new memory, under a generation that none of the names has.
func (s *Store) create(names []string) error {
	for _, name := range names {
		if n, ok := parseName(name); ok {
			s.generation = max(s.generation, n.generation)
		}
	}
	s.generation++
	mem, err := newMemory()
	if err != nil {
		return err
	}
	s.mem = mem
	name := fmt.Sprintf("%s%d", prefixMemory, s.generation)
	s.laterLocked(func(context.Context) { s.complain(storeFD(name, mem.fd)) })
	return nil
}

// establish adds the rings that are missing, and finds out whether systemd keeps what is new.
func (s *Store) establish(old []string) error {
	atomic.AddUint64(&s.mem.h.generation, 1)
	s.mu.Lock()
	fresh := len(s.ops) > 0 || s.hot == nil
	var err error
	if s.hot == nil {
		s.hot, err = s.addRingLocked(true)
	}
	if err == nil && len(s.cold) == 0 {
		_, err = s.addRingLocked(false)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if fresh {
		ctx, cancel := context.WithTimeout(context.Background(), systemdLimit)
		defer cancel()
		if err := s.call(ctx, probe); errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("systemd takes long to keep descriptors", zap.Error(err))
		} else if err != nil {
			_ = s.Clear(ctx)
			return err
		}
	}
	s.mu.Lock()
	now := s.namesLocked()
	for _, name := range old {
		if !slices.Contains(now, name) {
			s.laterLocked(func(context.Context) { s.complain(removeFD(name)) })
		}
	}
	s.mu.Unlock()
	return nil
}

// complain logs that systemd was not told something.
func (s *Store) complain(err error) {
	if err != nil {
		s.log.Error("systemd's descriptor store cannot be reached", zap.Error(err))
	}
}

// addRingLocked makes a ring and has it stored. It is used at once; if systemd keeps it will show.
func (s *Store) addRingLocked(hot bool) (*ring, error) {
	s.mem.h.lastRing++
	r, err := newRing(s.mem.h.lastRing, hot)
	if err != nil {
		return nil, err
	}
	read, write := r.names(s.generation)
	first := s.hot == nil || len(s.cold) == 0
	s.laterLocked(func(ctx context.Context) {
		s.complain(storeFD(write, r.w))
		s.complain(storeFD(read, r.r))
		if first {
			return // Open looks itself
		}
		ctx, cancel := context.WithTimeout(ctx, systemdLimit)
		defer cancel()
		if err := probe(ctx); errors.Is(err, errRefused) && !s.refused.Swap(true) {
			s.log.Error("connections are not kept and would not survive a crash", zap.Error(err))
		}
	})
	if !hot {
		s.cold = append(s.cold, r)
	}
	return r, nil
}

func (s *Store) removeRingLocked(r *ring) {
	read, write := r.names(s.generation)
	s.laterLocked(func(context.Context) {
		s.complain(removeFD(read))
		s.complain(removeFD(write))
		r.closeFDs()
	})
}

// clock is the store's: never 0.
func (s *Store) clock() time.Duration { return time.Since(s.begin) + 1 }

// Names are what systemd has of ours.
func (s *Store) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.namesLocked()
}

func (s *Store) namesLocked() []string {
	names := []string{fmt.Sprintf("%s%d", prefixMemory, s.generation)}
	for _, r := range s.ringsLocked() {
		read, write := r.names(s.generation)
		names = append(names, read, write)
	}
	return append(names, s.states...)
}

func (s *Store) ringsLocked() []*ring {
	if s.hot == nil {
		return s.cold
	}
	return append([]*ring{s.hot}, s.cold...)
}

// Stats is how the store is doing.
type Stats struct {
	Kept    int   // connections that would survive
	Waiting int   // connections that would not, for want of room
	Garbage int   // closed descriptors in flight
	Rings   int   // systemd has two descriptors of each
	Memory  int64 // bytes shared
	Refused bool  // systemd did not keep all
}

// Stats is safe for concurrent use.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Kept: s.flying - s.garbage, Waiting: len(s.waiting), Garbage: s.garbage, Rings: len(s.ringsLocked()),
		Memory: s.mem.offset(s.mem.chunks), Refused: s.refused.Load(),
	}
}

// Close tells systemd what is left to tell, ends the store's goroutines and closes its descriptors. It removes nothing: what systemd keeps is
// kept. Nothing may be called after.
func (s *Store) Close() {
	s.closing.Do(func() {
		close(s.done)
		late := time.AfterFunc(systemdLimit, s.cancel)
		s.running.Wait()
		late.Stop()
		s.cancel()
		for _, r := range s.ringsLocked() {
			r.closeFDs()
		}
		_ = unix.Close(s.mem.fd)
		s.mem.unmap()
	})
}
