package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/fdstore"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/snapshot"
	"github.com/nvsess/nvsess/internal/ws"
)

// The state of the daemon, on its way from one process to the next, is a file in
// memory (memfd_create(2)) that no name leads to: a header, a record of JSON with
// what is the daemon's own, and the sessions' state.

// passedState is the JSON part. It may have more fields than its reader knows, or
// fewer: the zero value of each must do.
type passedState struct {
	Version    string                   `json:"version"` // of the process that wrote it
	Started    time.Time                `json:"started"` // when the first of the processes began
	Suspended  time.Time                `json:"suspended"`
	Public     []listen.Passed          `json:"public"`
	Admin      []listen.Passed          `json:"admin"`
	LogLevel   string                   `json:"log_level"`
	Configured string                   `json:"log_level_configured"` // what it was to begin with
	Scripts    map[string]script.Source `json:"scripts,omitempty"`
	Calls      []admin.SuspendedCall    `json:"calls,omitempty"`
	Store      []fdstore.Handle         `json:"store,omitempty"`
	SettingsFD int32                    `json:"settings_fd"`       // -1: none
	Callers    []int                    `json:"callers,omitempty"` // descriptors of operators' connections between two calls
	Upgrades   uint64                   `json:"upgrades"`          // so far, this one not counted
	Counts     counts                   `json:"counts,omitzero"`   // what is not in the sessions' part
}

const (
	stateMagic  = "nvsessd state\n\x00\x00"
	stateHeader = len(stateMagic) + 4 + 4 + 8 // version, checksum, length of what follows
)

// writeState writes a state file. own is a *passedState, or more; sessions writes the sessions' part.
func writeState(own any, sessions func(*snapshot.Writer)) (f *os.File, err error) {
	fd, err := unix.MemfdCreate("nvsessd state", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f = os.NewFile(uintptr(fd), "state")
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	blob, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(int64(stateHeader), io.SeekStart); err != nil {
		return nil, err
	}
	sum := crc32.NewIEEE()
	w := snapshot.NewWriter(io.MultiWriter(f, sum))
	w.Bytes(blob)
	sessions(w)
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("writing the state: %w", err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	head := append([]byte(nil), stateMagic...)
	head = binary.BigEndian.AppendUint32(head, ws.StateVersion)
	head = binary.BigEndian.AppendUint32(head, sum.Sum32())
	head = binary.BigEndian.AppendUint64(head, uint64(size)-uint64(stateHeader))
	_, err = f.WriteAt(head, 0)
	return f, err
}

// errNoState is for a file that is none of ours.
var errNoState = errors.New("it is not a state of nvsessd")

// A takenState is what another process has left to this one.
type takenState struct {
	passedState
	sessions *snapshot.Reader
	mem      []byte
}

// readState reads a state file and closes it.
func readState(f *os.File) (*takenState, error) {
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if size < int64(stateHeader) {
		return nil, errNoState
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	s := &takenState{mem: mem}
	if err := s.read(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *takenState) read() error {
	b := s.mem
	if string(b[:len(stateMagic)]) != stateMagic {
		return errNoState
	}
	b = b[len(stateMagic):]
	version, sum, size := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint64(b[8:])
	b = b[16:]
	switch {
	case int(version) != readableState():
		return fmt.Errorf("it is of version %d; this daemon reads %d", version, readableState())
	case size != uint64(len(b)), crc32.ChecksumIEEE(b) != sum:
		return snapshot.ErrCorrupt
	}
	s.sessions = snapshot.NewReader(b)
	return json.Unmarshal(s.sessions.Bytes(), &s.passedState)
}

// close ends the use of what was read.
func (s *takenState) close() {
	if s != nil && s.mem != nil {
		_ = unix.Munmap(s.mem)
		s.mem, s.sessions = nil, nil
	}
}

// stateVersion is set when a binary is built that reads another version of the
// state: what old and new ones do to each other is tested with it.
var stateVersion = ""

// readableState is the version of the state that this binary reads.
func readableState() int {
	if n, err := strconv.Atoi(stateVersion); err == nil {
		return n
	}
	return ws.StateVersion
}

// stateEnv tells a process that replaces another which descriptor the state is.
const stateEnv = "NVSESSD_STATE_FD"

// inheritState takes the state from the process that this one has replaced; nil:
// there was none.
func inheritState() (*takenState, error) {
	text := os.Getenv(stateEnv)
	if text == "" {
		return nil, nil
	}
	_ = os.Unsetenv(stateEnv)
	var fd int
	if _, err := fmt.Sscanf(text, "%d", &fd); err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%q: no descriptor", stateEnv, text)
	}
	unix.CloseOnExec(fd)
	s, err := readState(os.NewFile(uintptr(fd), "state"))
	if err != nil {
		return nil, fmt.Errorf("the state of the process before: %w", err)
	}
	return s, nil
}
