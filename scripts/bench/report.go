package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type reportCommand struct {
	Dir  string `default:".run/bench" help:"Folder of the results."`
	Page string `default:"docs/performance.md" help:"Page whose parts between markers are written anew."`
	Into string `default:"docs/performance" help:"Folder of the charts."`
}

// Run writes charts and tables from the results that are there; parts of the
// page without a result stay as they are.
func (c *reportCommand) Run() error {
	page, err := os.ReadFile(c.Page)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Into, 0o755); err != nil {
		return err
	}
	text := string(page)
	for _, name := range []string{"limit", "peers", "net", "breaks", "rules", "bounded", "load", "search-sqlite", "search-postgres"} {
		raw, err := os.ReadFile(filepath.Join(c.Dir, name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			say("report: no result of %s, its part stays as it is", name)
			continue
		} else if err != nil {
			return err
		}
		var r Result
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var drawn []string
		for _, d := range drawings(&r) {
			path := filepath.Join(c.Into, d.file)
			if err := os.WriteFile(path, []byte(d.svg), 0o644); err != nil {
				return err
			}
			drawn = append(drawn, fmt.Sprintf("![%s](%s/%s)", d.title, filepath.Base(c.Into), d.file))
		}
		part := r.markdown() + "\n" + strings.Join(drawn, "\n\n") + "\n"
		if text, err = between(text, name, part); err != nil {
			return err
		}
	}
	return os.WriteFile(c.Page, []byte(text), 0o644)
}

// between replaces what stands between two markers.
func between(page, name, part string) (string, error) {
	from, to := "<!-- "+name+": written by bench report -->\n", "<!-- end of "+name+" -->"
	before, rest, ok1 := strings.Cut(page, from)
	_, after, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		return "", fmt.Errorf("the page has no place for %s: it lies between %q and %q", name, strings.TrimSpace(from), to)
	}
	return before + from + part + to + after, nil
}

// markdown is the result as tables.
func (r *Result) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, version %s, %s, Linux %s, %d processors (%s). Medians of %d.\n", r.At.Format("2006-01-02"), r.Version, r.Machine.Go, r.Machine.Kernel,
		r.Machine.Processors, r.Machine.Processor, r.Rounds)
	var before []string
	for _, row := range r.Rows {
		names := slices.Sorted(mapKeys(row.Figures))
		if !slices.Equal(names, before) {
			fmt.Fprintf(&s, "\n| | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---:|", len(names)))
			before = names
		}
		fmt.Fprintf(&s, "| %s |", row.Name)
		for _, name := range names {
			fmt.Fprintf(&s, " %s |", plain(row.median(name)))
		}
		s.WriteString("\n")
	}
	if len(r.Bars) > 0 {
		s.WriteString("\n| ratio | median | lowest to highest | wanted | |\n|---|---:|---:|---:|---|\n")
	}
	for _, b := range r.Bars {
		met, sign := "**missed**", "≤"
		if b.Met {
			met = "met"
		}
		if b.AtLeast {
			sign = "≥"
		}
		fmt.Fprintf(&s, "| %s | %s | %s to %s | %s %.3g | %s |\n", b.What, plain(b.Ratio), plain(slices.Min(b.Each)), plain(slices.Max(b.Each)), sign, b.Limit, met)
	}
	for i, n := range r.Notes {
		if i == 0 {
			s.WriteString("\n")
		}
		fmt.Fprintf(&s, "- %s\n", n)
	}
	return s.String()
}

func mapKeys(m map[string][]float64) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// drawing is one chart.
type drawing struct{ file, title, svg string }

// drawings are the charts of one result.
func drawings(r *Result) (all []drawing) {
	add := func(file, title, svg string) { all = append(all, drawing{file, title, svg}) }
	switch r.Name {
	case "limit":
		b := bars{title: "Processor time from camera to receipt, against the sum of its parts", axis: "CPU seconds per GB", parts: []string{"agent, or the parts", "ingest"}}
		sum := r.look("the sum of the parts").median("s/GB")
		b.rows = append(b.rows, barRow{label: "the sum of the parts", parts: []float64{sum}})
		for _, row := range r.Rows {
			if agent := row.median("agent s/GB"); agent > 0 && row.Name != "64 KiB each" {
				b.rows = append(b.rows, barRow{label: row.Name, parts: []float64{agent, row.median("ingest s/GB")}, mark: 1.15 * sum})
			}
		}
		add("limit.svg", b.title, b.svg())
		w := bars{title: "The wire alone, against stock quic-go", axis: "CPU seconds per GB", parts: []string{"sender", "receiver"}}
		stock := r.look(stockQUIC).median("both s/GB")
		for name, limit := range map[string]float64{stockQUIC: 0, wireOne: 0.7, wireTwo: 0.55} {
			w.rows = append(w.rows, barRow{label: name, parts: []float64{r.look(name).median("sender s/GB"), r.look(name).median("receiver s/GB")}, mark: limit * stock})
		}
		slices.SortFunc(w.rows, func(x, y barRow) int { return strings.Compare(x.label, y.label) })
		add("wire.svg", w.title, w.svg())
	case "peers":
		for _, c := range []struct{ file, title, axis, figure string }{
			{"peers-rate.svg", "Throughput beside other tools, same data, same run", "MB/s", "MB/s"},
			{"peers-cpu.svg", "Processor time of both ends, same data, same run", "CPU seconds per GB (files of 64 KiB left out)", "both s/GB"},
		} {
			b := bars{title: c.title, axis: c.axis}
			for _, row := range r.Rows {
				if c.figure == "both s/GB" && strings.HasPrefix(row.Name, "64 KiB") {
					continue
				}
				b.rows = append(b.rows, barRow{label: row.Name, parts: []float64{row.median(c.figure)}})
			}
			add(c.file, b.title, b.svg())
		}
	case "net":
		b := bars{title: "Share of the link's rate in recordings that the server holds", axis: "share of the rate", most: 1}
		for _, f := range fills {
			for _, name := range []string{f.name, f.name + ", one recording"} {
				if share := r.look(name).Figures["share"]; len(share) > 0 {
					b.rows = append(b.rows, barRow{label: name, parts: []float64{median(share)}, mark: f.least})
				}
			}
		}
		add("net.svg", b.title, b.svg())
	case "bounded":
		memory := lines{title: "Memory at most, one recording", across: "MiB of the recording", up: "MiB resident", limit: 96}
		cost := lines{title: "Processor time, one recording", across: "MiB of the recording", up: "CPU seconds per GB"}
		small := lines{title: "Processor time for each small recording", across: "recordings of 64 KiB", up: "CPU ms"}
		memory.curves = curves(r, "one recording of %g MiB", "agent MiB", "ingest MiB")
		cost.curves = curves(r, "one recording of %g MiB", "agent s/GB", "ingest s/GB", "both s/GB")
		small.curves = curves(r, "%g recordings of 64 KiB", "ms/file")
		for file, l := range map[string]lines{"memory.svg": memory, "cost.svg": cost, "small.svg": small} {
			if len(l.curves) > 0 {
				add(file, l.title, l.svg())
			}
		}
		slices.SortFunc(all, func(x, y drawing) int { return strings.Compare(x.file, y.file) })
	case "load":
		memory := lines{title: "Memory of a server with idle docks", across: "docks", up: "MiB resident", limit: 1024}
		cost := lines{title: "Processor time of a server with idle docks", across: "docks", up: "% of a core"}
		memory.curves, cost.curves = curves(r, "%g idle docks", "server MiB"), curves(r, "%g idle docks", "% of a core")
		add("load-cost.svg", cost.title, cost.svg())
		add("load-memory.svg", memory.title, memory.svg())
	}
	return all
}

// curves takes figures of the rows whose names follow a pattern with a number.
func curves(r *Result, pattern string, figures ...string) (all []curve) {
	for _, figure := range figures {
		c := curve{name: figure}
		for _, row := range r.Rows {
			var at float64
			if _, err := fmt.Sscanf(row.Name, pattern, &at); err != nil || len(row.Figures[figure]) == 0 {
				continue
			}
			c.at, c.y = append(c.at, at), append(c.y, row.median(figure))
		}
		if len(c.at) > 0 {
			all = append(all, c)
		}
	}
	return all
}
