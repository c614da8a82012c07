package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// style makes a chart legible on light and on dark pages.
const style = `<style>
text{font:13px system-ui,sans-serif;fill:#1b2733}.t{font-weight:600;font-size:15px}.l{fill:#536273}
.bg{fill:#fff}.g{stroke:#d5dce3;stroke-width:1}.m{stroke:#b3261e;stroke-width:2}
.c0{fill:#1f6feb;stroke:#1f6feb}.c1{fill:#9a6700;stroke:#9a6700}.c2{fill:#1a7f37;stroke:#1a7f37}.p{fill:none;stroke-width:2}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.l{fill:#9aa7b4}.bg{fill:#0d1117}.g{stroke:#30363d}.m{stroke:#ff7b72}
.c0{fill:#58a6ff;stroke:#58a6ff}.c1{fill:#d29922;stroke:#d29922}.c2{fill:#3fb950;stroke:#3fb950}.p{fill:none}}
</style>`

// bars is a chart of lying bars, each of one part or several.
type bars struct {
	title, axis string
	parts       []string // what the parts of a bar are; one or more
	rows        []barRow
	most        float64 // end of the axis; 0 finds one
}

type barRow struct {
	label string
	parts []float64
	mark  float64 // where a red line says what is wanted; 0 for none
}

// lines is a chart of curves over a logarithmic axis.
type lines struct {
	title, across, up string
	curves            []curve
	limit             float64 // where a red line says what is allowed; 0 for none
}

type curve struct {
	name string
	at   []float64
	y    []float64
}

const (
	width  = 760
	left   = 330 // where bars begin
	right  = 60
	line   = 26
	top    = 66
	bottom = 52
)

func (b bars) svg() string {
	most := b.most
	for _, r := range b.rows {
		sum := r.mark
		for i, total := 0, 0.0; i < len(r.parts); i++ {
			total += r.parts[i]
			sum = max(sum, total)
		}
		if b.most == 0 {
			most = max(most, sum)
		}
	}
	most = roundUp(most)
	height := top + line*len(b.rows) + bottom
	s := begin(b.title, height)
	scale := float64(width-left-right) / most
	for i := 0; i <= 5; i++ {
		v := most * float64(i) / 5
		x := left + v*scale
		fmt.Fprintf(s, `<line class="g" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text class="l" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x, x, top-8, height-bottom, x, height-bottom+18, short(v))
	}
	fmt.Fprintf(s, `<text class="l" x="%d" y="%d" text-anchor="middle">%s</text>`, left+(width-left-right)/2, height-12, escape(b.axis))
	legend(s, b.parts)
	for i, r := range b.rows {
		y := top + line*i
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, escape(r.label))
		x, total := float64(left), 0.0
		for p, v := range r.parts {
			w := math.Min(v, most) * scale
			fmt.Fprintf(s, `<rect class="c%d" x="%.1f" y="%d" width="%.1f" height="%d"/>`, p%3, x, y, w, line-8)
			x, total = x+w, total+v
		}
		label := x + 6
		if r.mark > 0 {
			at := left + r.mark*scale
			fmt.Fprintf(s, `<line class="m" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, at, at, y-3, y+line-5)
			if at > x-6 && at < x+48 { // where the label would stand
				label = at + 6
			}
		}
		fmt.Fprintf(s, `<text x="%.1f" y="%d">%s</text>`, label, y+14, short(total))
	}
	return s.String() + "</svg>\n"
}

func (l lines) svg() string {
	const height, start = 360, 70
	low, high, most := math.Inf(1), math.Inf(-1), l.limit
	for _, c := range l.curves {
		for i := range c.at {
			low, high, most = min(low, c.at[i]), max(high, c.at[i]), max(most, c.y[i])
		}
	}
	if high <= low {
		high = low * 2
	}
	most = roundUp(most)
	x := func(v float64) float64 {
		return start + math.Log(v/low)/math.Log(high/low)*(width-start-right-80)
	}
	y := func(v float64) float64 { return height - bottom - v/most*(height-top-bottom) }
	s := begin(l.title, height)
	for i := 0; i <= 5; i++ {
		v := most * float64(i) / 5
		fmt.Fprintf(s, `<line class="g" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="l" x="%d" y="%.1f" text-anchor="end">%s</text>`, start, width-right, y(v), y(v), start-8, y(v)+4, short(v))
	}
	fmt.Fprintf(s, `<text class="l" x="%d" y="%d" text-anchor="middle">%s</text>`, (start+width-right)/2, height-12, escape(l.across))
	fmt.Fprintf(s, `<text class="l" transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`, height/2, escape(l.up))
	if l.limit > 0 {
		fmt.Fprintf(s, `<line class="m" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, start, width-right, y(l.limit), y(l.limit))
	}
	var names []string
	for n, c := range l.curves {
		names = append(names, c.name)
		var points []string
		for i := range c.at {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(c.at[i]), y(c.y[i])))
			fmt.Fprintf(s, `<circle class="c%d" cx="%.1f" cy="%.1f" r="3.5"/>`, n%3, x(c.at[i]), y(c.y[i]))
			if n == 0 {
				fmt.Fprintf(s, `<text class="l" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x(c.at[i]), height-bottom+18, short(c.at[i]))
			}
		}
		fmt.Fprintf(s, `<polyline class="c%d p" points="%s"/>`, n%3, strings.Join(points, " "))
	}
	legend(s, names)
	return s.String() + "</svg>\n"
}

func begin(title string, height int) *strings.Builder {
	s := &strings.Builder{}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, escape(title))
	s.WriteString(style)
	fmt.Fprintf(s, `<rect class="bg" width="%d" height="%d"/><text class="t" x="16" y="26">%s</text>`, width, height, escape(title))
	return s
}

// legend names the colours, where there is more than one.
func legend(s *strings.Builder, names []string) {
	if len(names) < 2 {
		return
	}
	x := 16
	for i, name := range names {
		fmt.Fprintf(s, `<rect class="c%d" x="%d" y="36" width="12" height="12"/><text x="%d" y="47">%s</text>`, i%3, x, x+18, escape(name))
		x += 40 + 8*len(name)
	}
}

// roundUp gives the next of 1, 2, 2.5 and 5 times a power of ten.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if v <= m*power*1.0001 {
			return m * power
		}
	}
	return 10 * power
}

// short prints a value without useless digits.
func short(v float64) string {
	switch {
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes all
	return b.String()
}
