package jsinput

import (
	"sort"
	"strings"
)

// An edit replaces what is between two offsets of the text; an insertion replaces nothing.
type edit struct {
	from, to int
	text     string
}

// piece is a part of the script: a copy of the typed text from offset on, or something else that stands for that place.
type piece struct {
	at     int // in the script
	length int
	offset int // in the typed text
	copied bool
}

// script is made of pieces.
type script struct {
	strings.Builder
	pieces []piece
}

// write adds something that the operator did not type, and that stands for offset.
func (b *script) write(text string, offset int) {
	b.piece(text, offset, false)
}

func (b *script) piece(text string, offset int, copied bool) {
	if text != "" {
		b.pieces = append(b.pieces, piece{at: b.Len(), length: len(text), offset: offset, copied: copied})
		b.WriteString(text)
	}
}

// copy adds text with its edits, which must not overlap; those of the same place stay in their order.
func (b *script) copy(text string, edits []edit) {
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].from < edits[j].from })
	at := 0
	for _, e := range edits {
		b.piece(text[at:e.from], at, true)
		b.write(e.text, e.from)
		at = e.to
	}
	b.piece(text[at:], at, true)
}

// origin is the offset in the typed text that an offset in the script stands for.
func (b *script) origin(at int) int {
	i := sort.Search(len(b.pieces), func(i int) bool { return b.pieces[i].at > at }) - 1
	if i < 0 {
		return 0
	}
	p := b.pieces[i]
	if !p.copied {
		return p.offset
	}
	return p.offset + min(at-p.at, p.length)
}
