package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process is the server under measurement.
type process struct {
	pid int
}

// cpu is the user and system time all threads of the process have used, the
// ended ones included, exact to the nanosecond: the kernel's CPU clock of a
// process (clock_getcpuclockid(3)), which sums what the scheduler accounts and
// not timer ticks. The number of that clock is made as the C library makes it.
func (p process) cpu() (time.Duration, error) {
	const schedClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^p.pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("cpu time of process %d: %w", p.pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// ownCPU is the same for loadgen itself.
func ownCPU() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// rss is the resident size in bytes, counted from the page tables. The VmRSS
// line is kept per CPU by the kernel and may be off by hundreds of pages.
func (p process) rss() (int64, error) {
	if n, err := p.field("smaps_rollup", "Rss:"); err == nil {
		return n, nil
	}
	return p.roughRSS()
}

// roughRSS is the resident size without stopping the server for a walk through
// its page tables; good enough to find a peak.
func (p process) roughRSS() (int64, error) {
	return p.field("status", "VmRSS:")
}

func (p process) field(file, key string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/%s", p.pid, file)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", p.pid, err)
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) == 3 && string(f[0]) == key {
			kb, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("memory of process %d: no %s in %s", p.pid, key, path)
}

// window measures CPU between two points in time.
type window struct {
	server     process
	start      time.Time
	serverFrom time.Duration
	ownFrom    time.Duration
}

func openWindow(server process) (window, error) {
	cpu, err := server.cpu()
	return window{server: server, start: time.Now(), serverFrom: cpu, ownFrom: ownCPU()}, err
}

// close stores the window's figures in r.
func (w window) close(r *result) error {
	cpu, err := w.server.cpu()
	r.Seconds = time.Since(w.start).Seconds()
	r.ServerCPU = (cpu - w.serverFrom).Seconds()
	r.OwnCPU = (ownCPU() - w.ownFrom).Seconds()
	return err
}

// quiet waits until the server has been idle for a moment, so that work it still
// does for what was asked of it is counted where it belongs. It gives up after
// limit: a server with periodic work may never be idle.
func (p process) quiet(limit time.Duration) error {
	const look = 50 * time.Millisecond
	last, err := p.cpu()
	for end := time.Now().Add(limit); err == nil && time.Now().Before(end); {
		time.Sleep(look)
		var now time.Duration
		now, err = p.cpu()
		if now-last < look/50 {
			break
		}
		last = now
	}
	return err
}
