package swarm

import "slices"

// A finding is what the arrival of a number means.
type finding uint8

const (
	inOrder  finding = iota
	tooLate          // it was missing, and later ones came before it
	repeated         // it had come already
)

// A stream follows the numbers of one sender at one receiver.
type stream struct {
	next    uint64
	missing []uint64 // below next
}

// got notes a number. Those it skips are missing from now on.
func (s *stream) got(n uint64) finding {
	if n >= s.next {
		for ; s.next < n; s.next++ {
			s.missing = append(s.missing, s.next)
		}
		s.next++
		return inOrder
	}
	if i := slices.Index(s.missing, n); i >= 0 {
		s.missing = slices.Delete(s.missing, i, i+1)
		return tooLate
	}
	return repeated
}
