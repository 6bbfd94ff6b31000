package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The section of docs/benchmarks.md that "run published" writes. All else there is of
// "make bench", which leaves the section as it is.
const (
	publishedBegin = "<!-- make bench-published: begin -->"
	publishedEnd   = "<!-- make bench-published: end -->"
	// sectionAfterPublished is what it stands before.
	sectionAfterPublished = "## Rates and latency, and the cost of opening"
)

var errMarkers = errors.New("the markers of the section are not one pair")

// cutSection parts a document into what is before the section, the section with
// its markers, and what is after it. A document without one is parted where it
// belongs.
func cutSection(doc string) (before, section, after string, err error) {
	if strings.Count(doc, publishedBegin) != strings.Count(doc, publishedEnd) || strings.Count(doc, publishedBegin) > 1 {
		return "", "", "", errMarkers
	}
	from, to := strings.Index(doc, publishedBegin), strings.Index(doc, publishedEnd)
	switch {
	case from >= 0 && to < from:
		return "", "", "", errMarkers
	case from >= 0:
		to += len(publishedEnd)
		return doc[:from], doc[from:to], doc[to:], nil
	}
	if at := strings.Index(doc, sectionAfterPublished); at >= 0 {
		return doc[:at], "", "\n\n" + doc[at:], nil
	}
	if doc != "" && !strings.HasSuffix(doc, "\n\n") {
		doc = strings.TrimRight(doc, "\n") + "\n\n"
	}
	return doc, "", "\n", nil
}

// readDocument gives what dir has, nothing if it has none.
func readDocument(dir string) (doc, file string, err error) {
	file = filepath.Join(dir, "benchmarks.md")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(b), file, err
}

// keptSection is the section that a document has, nothing if it has none.
func keptSection(dir string) (string, error) {
	doc, file, err := readDocument(dir)
	if err != nil {
		return "", err
	}
	_, section, _, err := cutSection(doc)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return section, nil
}

// write puts the section into the document.
func (r *publishedReport) write(dir string) error {
	doc, file, err := readDocument(dir)
	if err != nil {
		return err
	}
	before, _, after, err := cutSection(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var section bytes.Buffer
	r.section(&section)
	return os.WriteFile(file, []byte(before+strings.TrimRight(section.String(), "\n")+after), 0o644)
}
