package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is the JSON that a run writes.
type Result struct {
	Name    string    `json:"name"`
	At      time.Time `json:"at"`
	Machine Machine   `json:"machine"`
	Version string    `json:"version"` // of the product, as git tells it
	Rounds  int       `json:"rounds"`
	Rows    []*Row    `json:"rows"`
	Bars    []Bar     `json:"bars"`
	Notes   []string  `json:"notes,omitempty"` // what was not measured, and why
}

// Machine is what the figures were measured on.
type Machine struct {
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
}

// Row is one variant: figures by name, each with one value for each round.
type Row struct {
	Name    string               `json:"name"`
	Figures map[string][]float64 `json:"figures"`
}

// Bar is a ratio that has to be reached. It is taken within each round; the
// median counts.
type Bar struct {
	What    string    `json:"what"`
	Ratio   float64   `json:"ratio"`
	Each    []float64 `json:"each"`
	Limit   float64   `json:"limit"`
	AtLeast bool      `json:"at_least"` // Ratio must not be below Limit; else not above
	Met     bool      `json:"met"`
}

func newResult(name string, rounds int) *Result {
	r := &Result{Name: name, At: time.Now().UTC(), Rounds: rounds}
	r.Machine = Machine{Processors: runtime.NumCPU(), Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				r.Machine.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		r.Machine.Kernel = strings.TrimSpace(string(text))
	}
	if out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output(); err == nil {
		r.Version = strings.TrimSpace(string(out))
	}
	return r
}

// look finds a row by its name; one without figures where there is none.
func (r *Result) look(name string) *Row {
	for _, row := range r.Rows {
		if row.Name == name {
			return row
		}
	}
	return &Row{Name: name}
}

// row finds a row by its name, and makes it where there is none.
func (r *Result) row(name string) *Row {
	if row := r.look(name); row.Figures != nil {
		return row
	}
	row := &Row{Name: name, Figures: map[string][]float64{}}
	r.Rows = append(r.Rows, row)
	return row
}

// add notes one value of a figure.
func (r *Row) add(figure string, value float64) { r.Figures[figure] = append(r.Figures[figure], value) }

// median is the middle value of a figure, and 0 where there is none.
func (r *Row) median(figure string) float64 { return median(r.Figures[figure]) }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// ratios divides two figures round by round.
func ratios(above, below []float64) (each []float64) {
	for i := range min(len(above), len(below)) {
		if below[i] > 0 {
			each = append(each, above[i]/below[i])
		}
	}
	return each
}

// atMost and atLeast judge a ratio. Without a single value there is no bar: the
// caller says why in a note.
func (r *Result) atMost(what string, limit float64, each []float64) {
	r.judge(what, limit, false, each)
}

func (r *Result) atLeast(what string, limit float64, each []float64) {
	r.judge(what, limit, true, each)
}

func (r *Result) judge(what string, limit float64, atLeast bool, each []float64) {
	if len(each) == 0 {
		r.note("%s: not measured", what)
		return
	}
	b := Bar{What: what, Ratio: median(each), Each: each, Limit: limit, AtLeast: atLeast}
	b.Met = b.Ratio <= limit
	if atLeast {
		b.Met = b.Ratio >= limit
	}
	r.Bars = append(r.Bars, b)
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Result) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// print shows rows with the same figures as one table, then the bars.
func (r *Result) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %s, Linux %s, %d processors (%s), version %s, medians of %d\n", r.At.Format("2006-01-02 15:04 UTC"), r.Machine.Go,
		r.Machine.Kernel, r.Machine.Processors, r.Machine.Processor, r.Version, r.Rounds)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var before []string
	for _, row := range r.Rows {
		var names []string
		for name := range row.Figures {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, before) {
			fmt.Fprintf(t, "\n\t%s\t\n", strings.Join(names, "\t"))
			before = names
		}
		fmt.Fprintf(t, "%s\t", row.Name)
		for _, name := range names {
			fmt.Fprintf(t, "%s\t", plain(row.median(name)))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	fmt.Fprintln(out)
	for _, b := range r.Bars {
		met, word := "MISSED", "at most"
		if b.Met {
			met = "met"
		}
		if b.AtLeast {
			word = "at least"
		}
		lowest, highest := slices.Min(b.Each), slices.Max(b.Each)
		fmt.Fprintf(out, "%-6s  %s: %.3f (%.3f to %.3f), want %s %.3g\n", met, b.What, b.Ratio, lowest, highest, word, b.Limit)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(out, "note    "+n)
	}
}

// plain prints a figure with about three digits.
func plain(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
