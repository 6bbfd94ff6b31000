package admin

import (
	"bytes"
	"encoding/json"
	"strings"
)

// simpleSess are the members nv-session-simple prints of a session, in its order.
type simpleSess struct {
	ID                  string          `json:"id"`
	Host                string          `json:"host"`
	Key                 string          `json:"key"`
	Origin              string          `json:"origin,omitempty"`
	Cookies             json.RawMessage `json:"cookies"`
	RequestedExtensions json.RawMessage `json:"requestedExtensions"`
	Query               json.RawMessage `json:"query"`
	Conn                *Conn           `json:"conn,omitempty"`
}

// nodeSess writes a session as Node does: its class, then its own description in brackets.
func (p *Printer) nodeSess(s *Sess) string {
	raw, err := marshal(simpleSess{s.ID, s.Host, s.Key, s.Origin, orNull(s.Cookies), orNull(s.RequestedExtensions), orNull(s.Query), s.Conn})
	if err != nil {
		return "Sess [" + Quote(s.ID) + "] {}"
	}
	return "Sess [" + p.paintJSON(IndentJSON(raw)) + "] {}"
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

func printSession(p *Printer, inv *Invocation, result json.RawMessage) error {
	if inv.Args.Bool("request") {
		p.JSON(result)
		return nil
	}
	var s Sess
	if err := json.Unmarshal(result, &s); err != nil {
		return err
	}
	p.Printf("%s\n", p.nodeSess(&s))
	return nil
}

// printSessions prints a list of sessions, of which a long one comes page after page: the first page opens, the last one closes.
func printSessions(p *Printer, inv *Invocation, result json.RawMessage) error {
	var page Page
	if err := json.Unmarshal(result, &page); err != nil {
		return err
	}
	switch {
	case inv.Args.Bool("count"):
		p.Printf("%d\n", page.Total)
	case inv.Args.Bool("long"):
		p.sessionTable(&page)
	case inv.Command.Name == "sesses":
		p.nodeMap(inv, &page)
	default:
		p.nodeArray(inv, &page)
	}
	p.shown += len(page.Sessions)
	return nil
}

// first and last tell where in the whole list a page stands.
func (p *Printer) first() bool { return p.shown == 0 }

func (p *Printer) last(inv *Invocation, page *Page) bool {
	done := page.Offset+len(page.Sessions) >= page.Total || len(page.Sessions) == 0
	return done || inv.Args.Has("limit") && p.shown+len(page.Sessions) >= inv.Args.Int("limit")
}

// nodeMap prints sessions as Node prints a Map from Sess to id.
func (p *Printer) nodeMap(inv *Invocation, page *Page) {
	if page.Total == 0 && p.first() {
		p.Printf("Map(0) {}\n")
		return
	}
	if p.first() {
		p.Printf("Map(%d) {\n", page.Total)
	}
	last := p.last(inv, page)
	for i := range page.Sessions {
		s := &page.Sessions[i]
		comma := ","
		if last && i == len(page.Sessions)-1 {
			comma = p.omitted(page, ",")
		}
		p.Printf("  %s => %s%s\n", p.nodeSess(s), p.style(Green, "'"+Escape(s.ID)+"'"), comma)
	}
	if last {
		if p.first() && len(page.Sessions) == 0 {
			p.Printf("%s\n", strings.TrimPrefix(p.omitted(page, ""), "\n"))
		}
		p.Printf("}\n")
	}
}

// nodeArray prints sessions as Node prints an array of Sess.
func (p *Printer) nodeArray(inv *Invocation, page *Page) {
	if page.Total == 0 && p.first() {
		p.Printf("[]\n")
		return
	}
	if p.first() {
		p.Printf("[\n")
	}
	last := p.last(inv, page)
	for i := range page.Sessions {
		comma := ","
		if last && i == len(page.Sessions)-1 {
			comma = p.omitted(page, ",")
		}
		p.Printf("  %s%s\n", p.nodeSess(&page.Sessions[i]), comma)
	}
	if last {
		if p.first() && len(page.Sessions) == 0 {
			p.Printf("%s\n", strings.TrimPrefix(p.omitted(page, ""), "\n"))
		}
		p.Printf("]\n")
	}
}

// omitted says, as Node does, how many sessions after the last one are not shown.
func (p *Printer) omitted(page *Page, comma string) string {
	n := page.Total - page.Offset - len(page.Sessions)
	switch {
	case n <= 0:
		return ""
	case n == 1:
		return comma + "\n  ... 1 more item"
	}
	return sprintf("%s\n  ... %d more items", comma, n)
}

// column of the table of sessions.
type column struct {
	title string
	right bool // numbers
	least int  // columns it may be shortened to; 0: it may not
	tail  bool // when shortened, its end stays: paths differ there
	cell  func(p *Printer, s *Sess) string
}

var sessionColumns = []column{
	{title: "#", right: true, cell: func(_ *Printer, s *Sess) string { return sprintf("%d", s.Index) }},
	{title: "ID", cell: func(_ *Printer, s *Sess) string { return ShortID(s.ID) }},
	{title: "AGE", right: true, cell: func(p *Printer, s *Sess) string { return age(p.Now().Sub(s.OpenedAt)) }},
	{title: "IDLE", right: true, cell: func(p *Printer, s *Sess) string { return age(p.Now().Sub(s.LastReceivedAt)) }},
	{title: "REMOTE", least: 9, cell: func(_ *Printer, s *Sess) string { return dash(s.remote()) }},
	{title: "PATH", least: 10, tail: true, cell: func(_ *Printer, s *Sess) string { return dash(s.Resource) }},
	{title: "ORIGIN", least: 8, tail: true, cell: func(_ *Printer, s *Sess) string { return dash(s.Origin) }},
	{title: "IN", right: true, cell: func(_ *Printer, s *Sess) string { return sprintf("%d", s.MessagesIn) }},
	{title: "OUT", right: true, cell: func(_ *Printer, s *Sess) string { return sprintf("%d", s.MessagesOut) }},
	{title: "QUEUE", right: true, cell: func(_ *Printer, s *Sess) string { return s.queue() }},
}

// givingOrder is the order in which columns give room when the screen is narrow: by their place in sessionColumns.
var givingOrder = []int{6, 5, 4}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return Escape(s)
}

// queue is what waits to be sent, or that nothing will be any more.
func (s *Sess) queue() string {
	if !s.Active {
		return "closing"
	}
	return size(s.QueuedBytes)
}

// remote is the peer's address, with its port where it has one.
func (s *Sess) remote() string {
	if s.Conn == nil || strings.HasSuffix(s.Remote, sprintf(":%d", s.Conn.Port)) {
		return s.Remote
	}
	return sprintf("%s:%d", s.Remote, s.Conn.Port)
}

// sessionTable prints one line for each session. The first page decides how wide the columns are.
func (p *Printer) sessionTable(page *Page) {
	rows := make([][]string, len(page.Sessions))
	for i := range page.Sessions {
		for _, c := range sessionColumns {
			rows[i] = append(rows[i], c.cell(p, &page.Sessions[i]))
		}
	}
	if p.first() {
		if page.Total == 0 {
			p.Printf("no sessions\n")
			return
		}
		p.columns = columnWidths(rows, p.Width)
		var titles []string
		for _, c := range sessionColumns {
			titles = append(titles, c.title)
		}
		p.Printf("%s\n", p.style(Bold, p.row(titles)))
	}
	for _, row := range rows {
		p.Printf("%s\n", p.row(row))
	}
}

// row lays out one line of the table.
func (p *Printer) row(cells []string) string {
	var b bytes.Buffer
	for i, c := range sessionColumns {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", columnGap(p.Width)))
		}
		cell := cells[i]
		switch {
		case c.least == 0 || p.Width == 0 || TextWidth(cell) <= p.columns[i]:
		case c.tail:
			cell = "…" + lastColumns(cell, p.columns[i]-1)
		default:
			cell = Fit(cell, p.columns[i])
		}
		b.WriteString(pad(cell, p.columns[i], c.right))
	}
	return strings.TrimRight(b.String(), " ")
}

// columnGap is the space between columns.
func columnGap(screen int) int {
	if screen > 0 && screen < 100 {
		return 1
	}
	return 2
}

// columnWidths gives each column what it needs, and takes from those that can give until the line fits the screen.
func columnWidths(rows [][]string, screen int) []int {
	widths := make([]int, len(sessionColumns))
	total := columnGap(screen) * (len(widths) - 1)
	for i, c := range sessionColumns {
		widths[i] = len(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], TextWidth(row[i]))
		}
		total += widths[i]
	}
	if screen == 0 {
		return widths
	}
	for _, i := range givingOrder {
		give := min(total-screen, widths[i]-sessionColumns[i].least)
		if give > 0 {
			widths[i] -= give
			total -= give
		}
	}
	return widths
}
