package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// publishedSample is a report in which all went well, with invented figures.
func publishedSample() *publishedReport {
	r := &publishedReport{o: publishedFull, when: time.Unix(0, 0), machine: "2 cores"}
	for i := range variants {
		f := &r.results[i]
		f.OK, f.Seconds, f.Messages, f.Broadcast = true, 600, 59*9999, 59
		f.ServerPercent, f.ServerCPU = []float64{2, 11, 20, 25}[i], 60
		f.RSSPeak, f.RSSSteady = []float64{24, 100, 240, 250}[i]*(1<<20), 1<<20
		f.Latency.P50, f.Latency.Max = 1000, 77000
		if variants[i].answered {
			f.Answers, f.AnswerTimes.Max = 59, 88000
		}
	}
	return r
}

func TestPublishedOptions(t *testing.T) {
	for args, want := range map[string]string{
		"":                "",
		"-duration 30s":   "",
		"-duration 5ms":   "between 1s and 24h",
		"-duration 1000h": "between 1s and 24h",
		"-c 1":            "a sender",
		"-c 999999999":    "file descriptors",
		"all":             `what is "all"`,
	} {
		_, err := parsePublished(strings.Fields(args), &bytes.Buffer{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func TestPublishedArguments(t *testing.T) {
	value := func(args []string, name string) string { return args[slices.Index(args, name)+1] }
	for _, o := range []publishedOptions{publishedFull, {duration: 3 * time.Second, connections: 5}} {
		var first []time.Duration
		for i, v := range variants {
			args := o.arguments(i)
			if slices.Contains(args, "-answered") != v.answered || args[len(args)-1] != "published" || value(args, "-c") != strconv.Itoa(o.connections) {
				t.Errorf("%s: %q", v.title, args)
			}
			d, err := time.ParseDuration(value(args, "-first-send"))
			if err != nil {
				t.Fatal(err)
			}
			first = append(first, d)
		}
		// Their messages to all keep the same distance, from one round to the next as well.
		gap := o.sendEvery() / time.Duration(len(variants))
		for i, d := range first {
			if next := append(first, first[0]+o.sendEvery())[i+1]; next-d != gap {
				t.Errorf("messages to all begin at %v, every %v", first, o.sendEvery())
			}
		}
	}
	if publishedFull.sendEvery() != 10*time.Second || !publishedFull.full() || (publishedOptions{time.Minute, 10000, ""}).full() {
		t.Error("the full load is ten minutes with a message each ten seconds")
	}
}

func TestPublishedGoals(t *testing.T) {
	verdicts := func(r *publishedReport) (words []string) {
		word, _ := r.nothingLost()
		words = append(words, word)
		for _, g := range publishedGoals {
			word, _ := g.judge(r)
			words = append(words, word)
		}
		return words
	}
	r := publishedSample()
	if got, want := verdicts(r), []string{"met", "met", "met", "NOT met", "met"}; !slices.Equal(got, want) || r.fault() != nil {
		t.Errorf("%q, want %q; %v", got, want, r.fault())
	}
	if _, found := publishedGoals[2].judge(r); found != "0.55x (11.0 to 20.0); of the one that answers 0.44x" {
		t.Errorf("found %q", found)
	}
	r.results[ourScript].OK, r.results[ourScript].Error = false, "message lost: 3 deliveries"
	if got := verdicts(r)[0]; got != "NOT met" || r.fault() == nil {
		t.Errorf("lost by ours: %s, %v", got, r.fault())
	}
	r = publishedSample()
	r.results[peerForward].OK = false // its loss is not ours, but is told, and no figure to trust
	if got := verdicts(r)[0]; got != "met" || r.fault() == nil {
		t.Errorf("lost by the peer: %s, %v", got, r.fault())
	}
	r.results[peerForward] = publishedFigures{} // it ended early
	if got, want := verdicts(r), []string{"unknown", "unknown", "unknown", "unknown", "unknown"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPublishedReport(t *testing.T) {
	r := publishedSample()
	var text, section bytes.Buffer
	r.text(&text)
	r.section(&section)
	for _, want := range []string{"NOT met  JavaScript, each message answered: at most half of npm websocket's CPU: 0.55x", "589,941", "77.0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
	for _, want := range []string{
		publishedBegin + "\n## nv-session-simple's own load, ten minutes\n", "| 0.55x (11.0 to 20.0); of the one that answers 0.44x | NOT met |\n" /* the goal */, "| answer, max, ms | - | 88.0 | - | 88.0 |",
	} {
		if !strings.Contains(section.String(), want) {
			t.Errorf("%q is not in\n%s", want, &section)
		}
	}
	for _, s := range []string{text.String(), section.String()} {
		if strings.Contains(s, "a try") || strings.Contains(s, "not to be quoted") {
			t.Errorf("the full load passes for a try:\n%s", s)
		}
	}
	r.o.duration = 30 * time.Second
	section.Reset()
	r.section(&section)
	if !strings.Contains(section.String(), "not to be quoted") || strings.Contains(section.String(), "ten minutes\n") {
		t.Errorf("a try passes for the full load:\n%s", &section)
	}
}

// TestPublishedSection proves that the two programs that write the document leave each
// other's part as it is.
func TestPublishedSection(t *testing.T) {
	dir := t.TempDir()
	read := func() string {
		b, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	all := sample()
	writeAll := func() {
		t.Helper()
		var err error
		if all.published, err = keptSection(dir); err != nil {
			t.Fatal(err)
		}
		if err := all.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	writePublished := func() {
		t.Helper()
		if err := publishedSample().write(dir); err != nil {
			t.Fatal(err)
		}
	}
	writePublished() // without a document
	if doc := read(); !strings.HasPrefix(doc, publishedBegin) || !strings.HasSuffix(doc, publishedEnd+"\n") {
		t.Errorf("alone: %q ... %q", doc[:40], doc[len(doc)-40:])
	}
	if err := os.Remove(filepath.Join(dir, "benchmarks.md")); err != nil {
		t.Fatal(err)
	}
	writeAll()
	without := read()
	writePublished()
	with := read()
	before, section, after, err := cutSection(with)
	if err != nil || before+strings.TrimPrefix(after, "\n\n") != without || !strings.HasPrefix(after, "\n\n"+sectionAfterPublished) {
		t.Errorf("%v; the section changed more than its place", err)
	}
	writePublished()
	if read() != with {
		t.Error("writing it again changed the document")
	}
	writeAll()
	if kept := read(); !strings.Contains(kept, section) || kept != with {
		t.Error("make bench did not leave the section and its place as they were")
	}

	damaged := strings.Replace(with, publishedEnd, "", 1)
	if err := os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publishedSample().write(dir); !errors.Is(err, errMarkers) || read() != damaged {
		t.Errorf("a document with half a pair: %v", err)
	}
	if _, err := keptSection(dir); !errors.Is(err, errMarkers) {
		t.Errorf("a document with half a pair: %v", err)
	}
}

// TestPublishedTogether runs the whole of it, small.
func TestPublishedTogether(t *testing.T) {
	t.Chdir("../..")
	if why := buildKind(t.Context(), t.TempDir(), kindNode); why != "" {
		t.Skip("npm websocket: " + why)
	}
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"published", "-c", "20", "-duration", "3s"}, &out, &log); err != nil {
		t.Fatalf("%v\n%s%s", err, &log, &out)
	}
	for _, want := range []string{"met      nothing lost", "a try: the goals are for 10,000 sessions"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	if !strings.Contains(log.String(), "the load begins") {
		t.Errorf("progress: %s", &log)
	}
}

// TestPublishedServerDies proves that a server's death ends the load on all, at once.
func TestPublishedServerDies(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	built, err := build(t.Context(), dir, chosen(allServers, "nvsessd,websocket"), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(built.skipped) > 0 {
		t.Skip(built.skipped[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begins := make(chan struct{})
	load := &together{
		o: publishedOptions{duration: time.Hour, connections: 10}, dir: dir, loadgen: filepath.Join(dir, "loadgen"), servers: built.servers,
		log: writerFunc(func(b []byte) {
			if strings.HasPrefix(string(b), "the load begins") {
				close(begins)
			}
		}),
	}
	broken := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // see run: its children live as long as its thread
		defer runtime.UnlockOSThread()
		broken <- load.run(ctx)
	}()
	select {
	case <-begins:
	case err := <-broken:
		t.Fatal(err)
	}
	if err := load.sides[peerForward].server.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-broken; !errors.Is(err, errServerEarly) || !strings.Contains(err.Error(), variants[peerForward].title) {
		t.Errorf("%v, want %v", err, errServerEarly)
	}
	r := &publishedReport{o: load.o, results: load.results()}
	if r.fault() == nil {
		t.Error("no fault")
	}
	for _, s := range load.sides {
		gone(t, s.server)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}
