package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TopScreen lays out what top tells, for a screen or for a page.
type TopScreen struct {
	Now, Was *Top // Was: some time before, of the same daemon; nil: there are no rates
	Sort     string
	Fancy    bool // more than ASCII can be shown
	Rows     int  // of the screen; 0: it has no end
}

// TopSorts are the orders of the list of busy sessions.
var TopSorts = []string{"messages", "in", "out", "bytes", "age"}

const topLoopRows = 8

// Lines is the screen. They are not cut to the printer's width, but what does not fit into 80 columns can be done without.
func (t *TopScreen) Lines(p *Printer) []string {
	lines := append(t.head(p), t.traffic(p)...)
	lines = append(append(lines, ""), t.resources(p)...)
	lines = append(append(lines, ""), t.loops(p)...)
	if errs := t.errors(p); len(errs) > 0 {
		lines = append(append(lines, ""), errs...)
	}
	slow, busy := t.slowest(p), t.busiest(p)
	if t.Rows > 0 { // the lists share what is left
		left := max(t.Rows-len(lines)-2, 0)
		mine := min(len(slow), max(left/2, left-len(busy)))
		slow, busy = slow[:mine], busy[:min(len(busy), left-mine)]
	}
	for _, list := range [][]string{slow, busy} {
		if len(list) > 0 {
			lines = append(append(lines, ""), list...)
		}
	}
	return lines
}

func (t *TopScreen) head(p *Printer) []string {
	n, s := t.Now, &t.Now.Stats
	open, closed := t.rate(func(x *Stats) uint64 { return x.Opens }), t.rate(func(x *Stats) uint64 { return sum(x.Closes) })
	return []string{
		sprintf("%s %s  pid %d  up %s  mode %s", p.style(Bold, "nvsessd"), Escape(n.Version), n.PID, uptime(n.Time.Sub(n.Started)), Escape(s.Mode)),
		sprintf("%s sessions   %s connections of %s   %s opened/s   %s closed/s   %s requests pending", p.style(Bold, thousands(uint64(max(s.Sessions, 0)))),
			thousands(uint64(max(s.Connections, 0))), thousands(n.Process.DescriptorsLimit), open, closed, thousands(uint64(max(s.Pending, 0)))),
	}
}

func (t *TopScreen) traffic(p *Printer) []string {
	row := func(name string, messages, binary, bytes func(*Stats) uint64) string {
		return sprintf("%-4s %12s %12s %14s %14s", name, t.rate(messages), t.bytesRate(bytes), thousands(messages(&t.Now.Stats)), thousands(binary(&t.Now.Stats)))
	}
	return []string{
		p.style(Dim, sprintf("%-4s %12s %12s %14s %14s", "", "messages/s", "bytes/s", "messages", "binary")),
		row("in", func(s *Stats) uint64 { return s.TextIn + s.BinaryIn }, func(s *Stats) uint64 { return s.BinaryIn }, func(s *Stats) uint64 { return s.BytesIn }),
		row("out", func(s *Stats) uint64 { return s.MessagesOut }, func(s *Stats) uint64 { return s.BinaryOut }, func(s *Stats) uint64 { return s.BytesOut }),
	}
}

func (t *TopScreen) resources(p *Printer) []string {
	n := t.Now
	cpu := "-"
	if t.Was != nil {
		cpu = sprintf("%.0f%%", 100*max(0, n.Process.CPUSeconds-t.Was.Process.CPUSeconds)/t.seconds())
	}
	queued, longest, lagging := int64(0), int64(0), 0
	for _, l := range n.Loops {
		queued, longest, lagging = queued+l.QueuedBytes, max(longest, l.LongestQueue), lagging+l.Lagging
	}
	waiting := "nothing waits to be read"
	if lagging > 0 {
		waiting = p.style(Yellow, sprintf("%s wait for %s, %s for one", byteSize(float64(queued)), plural(lagging, "session", "sessions"), byteSize(float64(longest))))
	}
	delivery := ""
	if w := t.waited(); w.Count() > 0 {
		half, _ := w.Quantile(0.5)
		most, _ := w.Quantile(0.99)
		delivery = sprintf("   delivered late %s, p50 %s, p99 %s", thousands(w.Count()), bound(half), bound(most))
	}
	return []string{
		sprintf("cpu %s   memory %s   heap %s   messages held %s   %s goroutines", p.style(Bold, cpu), byteSize(float64(n.Process.RSSBytes)),
			byteSize(float64(n.Process.HeapBytes)), byteSize(float64(n.Stats.Memory)), thousands(uint64(n.Process.Goroutines))),
		waiting + delivery,
	}
}

func (t *TopScreen) waited() TopTimes {
	if t.Was == nil {
		return t.Now.Waited
	}
	return t.Now.Waited.Since(t.Was.Waited)
}

// loops shows those that are busiest, when there are many.
func (t *TopScreen) loops(p *Printer) []string {
	type row struct {
		i       int
		busy    float64
		lag     TopTimes
		loop    TopLoop
		growing bool
	}
	var rows []row
	for i, l := range t.Now.Loops {
		r := row{i: i, lag: l.Lag, loop: l, growing: l.PassSeconds >= 0.5}
		if t.Was != nil && i < len(t.Was.Loops) {
			was := t.Was.Loops[i]
			r.lag = l.Lag.Since(was.Lag)
			r.busy = min(1, max(0, l.BusySeconds-was.BusySeconds)/t.seconds())
		}
		rows = append(rows, r)
	}
	more := ""
	if len(rows) > topLoopRows {
		slices.SortStableFunc(rows, func(a, b row) int { return cmpFloat(b.busy, a.busy) })
		more = sprintf("  and %d loops that are less busy", len(rows)-topLoopRows)
		rows = rows[:topLoopRows]
	}
	lines := []string{p.style(Dim, sprintf("%-4s %11s  %-15s %9s %9s %8s", "loop", "connections", "busy", "lag p99", "worst", "passes"))}
	for _, r := range rows {
		p99, _ := r.lag.Quantile(0.99)
		worst, any := r.lag.Quantile(1)
		lag, style := [2]string{"-", "-"}, Style("")
		if any {
			lag = [2]string{bound(p99), bound(worst)}
			switch {
			case worst >= 100*time.Millisecond:
				style = Red
			case worst >= 10*time.Millisecond:
				style = Yellow
			}
		}
		line := sprintf("%-4d %11s  %s %9s %s %8s", r.i, thousands(uint64(max(r.loop.Connections, 0))), t.bar(p, r.busy, 10), lag[0], p.style(style, sprintf("%9s", lag[1])), thousands(r.lag.Count()))
		if r.growing {
			line += p.style(Red, sprintf("  in one pass for %s", tenths(r.loop.PassSeconds)))
		}
		lines = append(lines, line)
	}
	if more != "" {
		lines = append(lines, p.style(Dim, more))
	}
	return lines
}

func (t *TopScreen) bar(p *Printer, part float64, columns int) string {
	full, rest := "#", "."
	if t.Fancy {
		full, rest = "█", "░"
	}
	style := Green
	switch {
	case t.Was == nil:
		return pad("-", columns+5, false)
	case part > 0.9:
		style = Red
	case part > 0.6:
		style = Yellow
	}
	n := int(part*float64(columns) + 0.5)
	return p.style(style, strings.Repeat(full, n)) + p.style(Dim, strings.Repeat(rest, columns-n)) + sprintf(" %3.0f%%", 100*part)
}

// errors lists what went wrong since the daemon began, and in red what did just now.
func (t *TopScreen) errors(p *Printer) []string {
	now := troubles(&t.Now.Stats)
	was := map[string]uint64{}
	if t.Was != nil {
		was = troubles(&t.Was.Stats)
	}
	var fresh, old []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		n := now[name]
		if d := n - min(was[name], n); t.Was != nil && d > 0 {
			fresh = append(fresh, p.style(Red, sprintf("%s %s (+%s)", Escape(name), thousands(n), thousands(d))))
		} else if n > 0 {
			old = append(old, p.style(Dim, sprintf("%s %s", Escape(name), thousands(n))))
		}
	}
	all := append(fresh, old...)
	if len(all) == 0 {
		return nil
	}
	// Several on a line, as many as the screen is wide.
	width := 79
	if p.Width > 0 {
		width = p.Width - 1
	}
	lines, used := []string{p.style(Dim, "since the start")}, 15
	for _, e := range all {
		n := TextWidth(unstyled(e)) + 3
		if used+n > width && used > 0 {
			if len(lines) == 3 {
				break
			}
			lines, used = append(lines, ""), 0
		}
		if used > 0 {
			lines[len(lines)-1] += "   "
		}
		lines[len(lines)-1] += e
		used += n
	}
	return lines
}

// troubles are the counters of what should not happen.
func troubles(s *Stats) map[string]uint64 {
	m := map[string]uint64{
		"messages dropped": s.Dropped, "slow sessions closed": s.SlowClosed, "silent sessions closed": s.KeepaliveLost, "not accepted": s.AcceptFailed,
		"requests expired": s.Requests["expired"], "handlers too slow": s.HandlerDropped, "closed for memory": s.MemoryClosed,
		"kernel short of memory": s.Starved, "log lines lost": s.LogLost, "violations": sum(s.Violations),
	}
	for status, n := range s.Refused {
		m["refused "+status] = n
	}
	for limit, n := range s.Limited {
		m["limit "+limit] = n
	}
	return m
}

func (t *TopScreen) slowest(p *Printer) []string {
	if len(t.Now.Slowest) == 0 {
		return nil
	}
	lines := []string{p.style(Dim, sprintf("%-12s %9s %9s %8s %8s  %s", "slowest", "queued", "dropped", "out/s", "idle", "from"))}
	for _, s := range t.Now.Slowest {
		queued := sprintf("%9s", byteSize(float64(s.QueuedBytes)))
		if !s.Active {
			queued = sprintf("%9s", "closing")
		}
		lines = append(lines, sprintf("%s %s %9s %8s %8s  %s", p.style(Cyan, pad(ShortID(s.ID), 12, false)), p.style(Yellow, queued), thousands(s.Dropped),
			t.perSecond(s.OutPerSecond), short(s.IdleSeconds), who(&s)))
	}
	return lines
}

func (t *TopScreen) busiest(p *Printer) []string {
	list := slices.Clone(t.Now.Busiest)
	if len(list) == 0 {
		return nil
	}
	key := map[string]func(*TopSess) float64{
		"in": func(s *TopSess) float64 { return s.InPerSecond }, "out": func(s *TopSess) float64 { return s.OutPerSecond },
		"bytes": func(s *TopSess) float64 { return s.BytesPerSec }, "age": func(s *TopSess) float64 { return s.AgeSeconds },
	}[t.Sort]
	if key != nil {
		slices.SortStableFunc(list, func(a, b TopSess) int { return cmpFloat(key(&b), key(&a)) })
	}
	lines := []string{p.style(Dim, sprintf("%-12s %9s %9s %8s %8s  %s", "busiest", "in/s", "out/s", "bytes/s", "age", "from"))}
	for _, s := range list {
		lines = append(lines, sprintf("%s %9s %9s %8s %8s  %s", p.style(Cyan, pad(ShortID(s.ID), 12, false)), t.perSecond(s.InPerSecond), t.perSecond(s.OutPerSecond),
			byteSize(s.BytesPerSec), short(s.AgeSeconds), who(&s)))
	}
	return lines
}

// who is where a session comes from, and who it is.
func who(s *TopSess) string {
	text := dash(s.Remote)
	if s.Auth != "" {
		text += " " + Escape(s.Auth)
	}
	if s.Mount != "default" {
		text += " " + Escape(s.Mount)
	}
	return text
}

// seconds is the time between the two answers.
func (t *TopScreen) seconds() float64 { return max(t.Now.Time.Sub(t.Was.Time).Seconds(), 0.001) }

func (t *TopScreen) grown(of func(*Stats) uint64) (float64, bool) {
	if t.Was == nil {
		return 0, false
	}
	now, was := of(&t.Now.Stats), of(&t.Was.Stats)
	return float64(now-min(was, now)) / t.seconds(), true
}

func (t *TopScreen) rate(of func(*Stats) uint64) string {
	if n, ok := t.grown(of); ok {
		return t.perSecond(n)
	}
	return "-"
}

func (t *TopScreen) bytesRate(of func(*Stats) uint64) string {
	if n, ok := t.grown(of); ok {
		return byteSize(n)
	}
	return "-"
}

func (t *TopScreen) perSecond(n float64) string {
	if n > 0 && n < 10 {
		return sprintf("%.1f", n)
	}
	return thousands(uint64(n + 0.5))
}

func printTop(p *Printer, _ *Invocation, result json.RawMessage) error {
	var t Top
	if err := json.Unmarshal(result, &t); err != nil {
		return err
	}
	for _, line := range (&TopScreen{Now: &t}).Lines(p) {
		p.Printf("%s\n", line)
	}
	return p.Err()
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// thousands writes 1234567 as 1,234,567.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// byteSize writes a number of bytes in few characters.
func byteSize(n float64) string {
	for _, unit := range []string{"B", "KB", "MB", "GB"} {
		if n < 1000 {
			if n < 10 && unit != "B" {
				return sprintf("%.1f %s", n, unit)
			}
			return sprintf("%.0f %s", n, unit)
		}
		n /= 1000
	}
	return sprintf("%.1f TB", n)
}

// bound writes an upper bound of a duration.
func bound(d time.Duration) string { return "<" + tenths(d.Seconds()) }

func tenths(seconds float64) string {
	switch {
	case seconds < 1:
		return strconv.FormatFloat(1000*seconds, 'g', 3, 64) + "ms"
	case seconds < 100:
		return strings.TrimSuffix(sprintf("%.1f", seconds), ".0") + "s"
	}
	return short(seconds)
}

// short writes a duration in seconds, minutes, hours or days.
func short(seconds float64) string {
	switch s := int(seconds); {
	case s < 100:
		return sprintf("%ds", s)
	case s < 100*60:
		return sprintf("%dm", s/60)
	case s < 100*3600:
		return sprintf("%dh", s/3600)
	default:
		return sprintf("%dd", s/86400)
	}
}

// styles are what styled text has besides its characters.
var styles = regexp.MustCompile("\x1b\\[[0-9]*m")

// unstyled is a text without styles.
func unstyled(s string) string { return styles.ReplaceAllString(s, "") }
