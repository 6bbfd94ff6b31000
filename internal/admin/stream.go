package admin

import (
	"bufio"
	"net/http"
	"time"
)

// streamWriter writes the lines of a stream. Its user is one goroutine at a time.
type streamWriter struct {
	w     http.ResponseWriter
	buf   *bufio.Writer
	begun bool // the status is out: from now on an error is a line
}

func newStreamWriter(w http.ResponseWriter) *streamWriter {
	return &streamWriter{w: w, buf: bufio.NewWriterSize(w, 16<<10)}
}

func (s *streamWriter) begin() {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/x-ndjson")
	}
}

func (s *streamWriter) write(l *Line) error {
	s.begin()
	raw, err := marshal(l)
	if err != nil {
		return err
	}
	_, err = s.buf.Write(wireJSON(raw))
	return err
}

func (s *streamWriter) flush() error {
	s.begin()
	if err := s.buf.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// deadline bounds the writes that follow.
func (s *streamWriter) deadline(t time.Time) error {
	return http.NewResponseController(s.w).SetWriteDeadline(t)
}
