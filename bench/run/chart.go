package main

import (
	"fmt"
	"html"
	"io"
)

// The chart: one panel of bars for each headline metric, two panels beside each
// other. Sizes are SVG user units.
const (
	chartWidth   = 920
	chartMargin  = 24
	panelGap     = 36
	panelWidth   = (chartWidth - 2*chartMargin - panelGap) / 2
	titleHeight  = 44
	rowHeight    = 24
	barHeight    = 14
	nameWidth    = 84
	valueWidth   = 66
	chartHeading = 56
)

// The colours of both modes are classes, so that the viewer's preference decides.
// A background of its own keeps it readable where that preference is not passed on.
const chartStyle = `
  .back { fill: #ffffff } .title { fill: #1f2328 } .text { fill: #1f2328 } .note { fill: #59636e }
  .axis { stroke: #d1d9e0 } .bar { fill: #a9b4c0 } .mine { fill: #1a7f5a } .floor { fill: #dfe4e9 }
  text { font: 12px ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif }
  .title { font-size: 17px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 } .strong { font-weight: 600 }
  .num { text-anchor: start; font-variant-numeric: tabular-nums }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } .title { fill: #f0f6fc } .text { fill: #e6edf3 } .note { fill: #9198a1 }
    .axis { stroke: #3d444d } .bar { fill: #59636e } .mine { fill: #3fb984 } .floor { fill: #343b44 }
  }
`

// chart draws docs/benchmarks.svg.
func (r *report) chart(w io.Writer) {
	var panels []metric
	for _, m := range metrics {
		if m.headline && r.measured(m) {
			panels = append(panels, m)
		}
	}
	heights := make([]int, 0, len(panels))
	for _, m := range panels {
		heights = append(heights, titleHeight+len(r.bars(m))*rowHeight+16)
	}
	total := chartHeading
	for i := 0; i < len(panels); i += 2 {
		total += max(heights[i], heights[min(i+1, len(panels)-1)])
	}
	total += 20
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="t d">`+"\n",
		chartWidth, total, chartWidth, total)
	fmt.Fprintf(w, "<title id=\"t\">nvsessd and its peers</title>\n<desc id=\"d\">%s</desc>\n", html.EscapeString(r.spoken(panels)))
	fmt.Fprintf(w, "<style>%s</style>\n<rect class=\"back\" width=\"100%%\" height=\"100%%\" rx=\"8\"/>\n", chartStyle)
	fmt.Fprintf(w, "<text class=\"title\" x=\"%d\" y=\"32\">nvsessd and its peers</text>\n", chartMargin)
	fmt.Fprintf(w, "<text class=\"note\" x=\"%d\" y=\"51\">%s</text>\n", chartMargin, html.EscapeString(r.subtitle()))
	y := chartHeading
	for i, m := range panels {
		x := chartMargin + i%2*(panelWidth+panelGap)
		r.panel(w, m, x, y)
		if i%2 == 1 {
			y += max(heights[i-1], heights[i])
		}
	}
	fmt.Fprintln(w, "</svg>")
}

func (r *report) subtitle() string {
	s := "One unix socket, one machine, one server at a time, taking turns; medians."
	if r.quick {
		s += " Quick run with small counts."
	}
	return s
}

// bar is a server's value in a panel.
type bar struct {
	server
	value float64
}

func (r *report) bars(m metric) []bar {
	var bars []bar
	for _, s := range r.servers {
		if v, ok := r.data.median(s.name, m); ok {
			bars = append(bars, bar{s, v})
		}
	}
	return bars
}

func (r *report) panel(w io.Writer, m metric, x, y int) {
	arrow := "less is better"
	if m.more {
		arrow = "more is better"
	}
	fmt.Fprintf(w, "<text class=\"text panel\" x=\"%d\" y=\"%d\">%s</text>\n", x, y+24, html.EscapeString(m.title))
	fmt.Fprintf(w, "<text class=\"note\" x=\"%d\" y=\"%d\">%s, %s</text>\n", x, y+39, html.EscapeString(m.unit), arrow)
	bars, most := r.bars(m), 0.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	top := y + titleHeight + 4
	left, room := x+nameWidth, float64(panelWidth-nameWidth-valueWidth)
	for i, b := range bars {
		row := top + i*rowHeight
		class, weight := "bar", ""
		switch {
		case b.name == subject:
			class, weight = "mine", " strong"
		case b.kind == kindC:
			class = "floor"
		}
		length := 1.0
		if most > 0 {
			length = max(1, room*b.value/most)
		}
		base := row + barHeight - 2
		fmt.Fprintf(w, "<text class=\"text%s\" x=\"%d\" y=\"%d\">%s</text>", weight, x, base, html.EscapeString(b.name))
		fmt.Fprintf(w, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>", class, left, row, length, barHeight)
		fmt.Fprintf(w, "<text class=\"text num%s\" x=\"%.1f\" y=\"%d\">%s</text>\n", weight, float64(left)+length+6, base, m.format(b.value))
	}
	fmt.Fprintf(w, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", left, left, top-3, top+len(bars)*rowHeight-7)
}

// spoken is the chart for who cannot see it.
func (r *report) spoken(panels []metric) string {
	s := ""
	for _, m := range panels {
		s += m.title + ", " + m.unit + ":"
		for _, b := range r.bars(m) {
			s += " " + b.name + " " + m.format(b.value) + ";"
		}
		s += " "
	}
	return s
}
