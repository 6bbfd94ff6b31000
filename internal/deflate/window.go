package deflate

// Window is what a direction with context takeover keeps between two messages:
// the last bytes sent or received, at most 1<<bits of them, in memory that
// grows as they come. The zero value is a direction in which nothing has been
// sent. It is not safe for concurrent use.
type Window struct {
	last []byte
}

// bytes is what a match may reach back to; w may be nil.
func (w *Window) bytes() []byte {
	if w == nil {
		return nil
	}
	return w.last
}

// add moves the window on over the bytes of a message.
func (w *Window) add(p []byte, size int) {
	if w == nil || len(p) == 0 {
		return
	}
	p = p[max(0, len(p)-size):]
	keep := w.last[max(0, len(w.last)+len(p)-size):]
	n := len(keep) + len(p)
	if n > cap(w.last) {
		w.last = append(make([]byte, 0, min(size, max(n, 2*cap(w.last)))), keep...)
	} else {
		w.last = w.last[:copy(w.last, keep)]
	}
	w.last = append(w.last, p...)
}

// Bytes is what the window holds, to be kept elsewhere and given to
// [NewWindow]; it is valid until the window moves on. w may be nil.
func (w *Window) Bytes() []byte { return w.bytes() }

// NewWindow makes a window that holds the last bytes of a direction, of which no
// window is larger than maxHistory.
func NewWindow(last []byte) *Window {
	return &Window{last: append([]byte(nil), last[max(0, len(last)-maxHistory):]...)}
}
