package fdstore

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func stateFile(t *testing.T, text string) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "state")
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

func (r *Restored) stateText(t *testing.T) string {
	t.Helper()
	if r.State == nil {
		return "none"
	}
	defer r.State.Close()
	b, err := io.ReadAll(io.NewSectionReader(r.State, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A state is there until it is dropped: over crashes before that, and not over any after.
func TestState(t *testing.T) {
	m := startManager(t, 64)
	s, _, _ := opened(t, Options{})
	if err := s.PutState(stateFile(t, "one")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for range 2 {
		var r *Restored
		s, r, _ = opened(t, Options{Files: m.files(t)})
		if got := r.stateText(t); got != "one" {
			t.Errorf("state %s", got)
		}
		crash(s)
	}
	s, _, _ = opened(t, Options{Files: m.files(t)})
	s.DropState()
	crash(s) // before systemd hears of it
	if n := len(m.names()); n != 6 {
		t.Errorf("systemd has %q", m.names())
	}
	s, r, _ := opened(t, Options{Files: m.files(t)})
	if got := r.stateText(t); got != "none" {
		t.Errorf("a state that was dropped: %s", got)
	}
	settle(t, s)
	if n := len(m.names()); n != 5 {
		t.Errorf("systemd has %q", m.names())
	}
	for _, text := range []string{"two", "three"} {
		if err := s.PutState(stateFile(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	s.Seal(true)
	s.Close()
	s, r, _ = opened(t, Options{Files: m.files(t)})
	if got := r.stateText(t); got != "three" || !r.Sealed {
		t.Errorf("state %s, sealed %v", got, r.Sealed)
	}
	s.Seal(false)
	s.DropState()
	settle(t, s)
	s.Close()
	m.mu.Lock()
	m.most = 5
	m.mu.Unlock()
	s, r, _ = opened(t, Options{Files: m.files(t)})
	if r.Sealed {
		t.Error("still sealed")
	}
	if err := s.PutState(stateFile(t, "four")); err == nil {
		t.Error("a state was kept without room for it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Clear(ctx); err != nil || len(m.names()) != 0 {
		t.Errorf("after Clear: %v, %q", err, m.names())
	}
}

// carry opens a store from another's handles, as after an exec.
func carry(t *testing.T, s *Store) []*os.File {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	handles, err := s.Handles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, h := range handles {
		fd, err := unix.FcntlInt(uintptr(h.FD), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), h.Name))
	}
	return files
}

// Over an exec nothing is sent or received: the next image finds all in flight, and says which descriptor is which.
func TestCarriedOverAnExec(t *testing.T) {
	m := startManager(t, 64)
	s, _, _ := opened(t, Options{})
	pairs := somePairs(t, 1, 1001)
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	s.SetQueued(int32(pairs[9].fd), 7)
	files := carry(t, s)
	crash(s)
	told := m.messages()
	s, r, _ := opened(t, Options{Files: files, Carried: true})
	if len(r.Conns) != 0 || r.Lost != 0 {
		t.Errorf("%v", r)
	}
	k = s.Keeper()
	gone := pairs[500]
	delete(pairs, 500)
	again := int32(pairs[1].fd)
	if k.Known(again, 1_000_001) || !k.Known(again, 1) || k.Known(again, 2) || !k.Known(again, 1) || k.Known(-1, 3) {
		t.Error("it is not known who is kept")
	}
	gone.close()
	for key, p := range pairs { // some go on with the data they have
		if key%2 == 0 {
			k.Add(int32(p.fd), key, []byte(p.data()))
		} else if !k.Known(int32(p.fd), key) {
			t.Errorf("%d is not known", key)
		}
	}
	k.Flush(0)
	s.Adopted()
	if k.Known(int32(gone.fd), 500) {
		t.Error("who was not added is known")
	}
	if st := s.Stats(); st.Kept != 999 || st.Waiting != 0 || m.messages() != told {
		t.Errorf("%+v; systemd was told %q", st, m.heard[told:])
	}
	eventually(t, "what was not added is closed", gone.hungUp)
	// Handed over, but the other image did not take it.
	carry(t, s)
	s.Thaw()
	more := newPair(t, 2000)
	k.Add(int32(more.fd), 2000, []byte(more.data()))
	k.Flush(0)
	pairs[2000] = more
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	_, r, _ = opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
}

// Without the handles, the next image stores everything again, and what the one before had stored is removed.
func TestOldNamesAreRemoved(t *testing.T) {
	m := startManager(t, 64)
	s, _, _ := opened(t, Options{})
	pairs := somePairs(t, 1, 301)
	k := s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	names := s.Names()
	crash(s)
	s, r, _ := opened(t, Options{Old: names})
	if r != nil {
		t.Errorf("restored %v", r)
	}
	k = s.Keeper()
	addAll(k, pairs)
	k.Flush(0)
	settle(t, s)
	for _, name := range m.names() {
		for _, old := range names {
			if name == old {
				t.Errorf("systemd still has %s", name)
			}
		}
	}
	crash(s)
	for _, p := range pairs {
		p.close()
	}
	_, r, _ = opened(t, Options{Files: m.files(t)})
	whole(t, r, pairs)
}
