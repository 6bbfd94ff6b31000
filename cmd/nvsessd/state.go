package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
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
// what is the daemon's own, and the sessions' state. Large messages that wait stand
// far behind all that (bulkAt; between them is nothing, and takes no memory): the
// next process sends them from there.

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
	stateHeader = len(stateMagic) + 4 + 4 + 8 + 8 // version, checksum and length of what follows, length of what is at bulkAt
	bulkAt      = 1 << 40
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
	w := snapshot.NewWriterApart(io.MultiWriter(f, sum), io.NewOffsetWriter(f, bulkAt))
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
	head = binary.BigEndian.AppendUint64(head, uint64(w.Apart()))
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
	bulk     *snapshot.Bulk
}

// readState reads a state file, which is the state's then.
func readState(f *os.File) (s *takenState, err error) {
	defer func() {
		if err != nil {
			s.close()
			_ = f.Close()
		}
	}()
	head := make([]byte, stateHeader)
	if _, err := f.ReadAt(head, 0); err == io.EOF || err == nil && string(head[:len(stateMagic)]) != stateMagic {
		return nil, errNoState
	} else if err != nil {
		return nil, err
	}
	b := head[len(stateMagic):]
	version, sum := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	size, apart := binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	if int(version) != readableState() {
		return nil, fmt.Errorf("it is of version %d; this daemon reads %d", version, readableState())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if size > uint64(info.Size())-uint64(stateHeader) || apart > math.MaxInt64 {
		return nil, snapshot.ErrCorrupt
	}
	s = new(takenState)
	if s.mem, err = unix.Mmap(int(f.Fd()), 0, stateHeader+int(size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return s, fmt.Errorf("mmap: %w", err)
	}
	b = s.mem[stateHeader:]
	if crc32.ChecksumIEEE(b) != sum {
		return s, snapshot.ErrCorrupt
	}
	bulk, err := snapshot.OpenBulk(f, bulkAt, int64(apart))
	if err != nil {
		return s, err
	}
	s.bulk = bulk
	s.sessions = snapshot.NewReaderApart(b, bulk)
	return s, json.Unmarshal(s.sessions.Bytes(), &s.passedState)
}

// close ends the use of what was read, but for messages that have still to be sent.
func (s *takenState) close() {
	if s == nil {
		return
	}
	if s.mem != nil {
		_ = unix.Munmap(s.mem)
		s.mem, s.sessions = nil, nil
	}
	if s.bulk != nil {
		s.bulk.Close()
		s.bulk = nil
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
