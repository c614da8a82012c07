package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMedianAndRatios(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v", c.values, got)
		}
	}
	if got := ratios([]float64{2, 9}, []float64{4, 3}); !slices.Equal(got, []float64{0.5, 3}) {
		t.Errorf("ratios are %v: they are taken round by round", got)
	}
}

func TestABarIsJudgedByItsMedian(t *testing.T) {
	r := newResult("x", 3)
	r.atMost("low", 1, []float64{0.9, 0.8, 5})
	r.atMost("high", 1, []float64{1.1, 0.8, 5})
	r.atLeast("enough", 0.9, []float64{0.95, 0.1, 0.92})
	r.atLeast("too little", 0.9, []float64{0.89, 0.1, 1})
	r.atMost("nothing", 1, nil)
	var met []bool
	for _, b := range r.Bars {
		met = append(met, b.Met)
	}
	if !slices.Equal(met, []bool{true, false, true, false}) {
		t.Errorf("met: %v", met)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "nothing: not measured") {
		t.Errorf("what was not measured must be told: %q", r.Notes)
	}
	var out bytes.Buffer
	r.print(&out)
	if strings.Count(out.String(), "MISSED") != 2 {
		t.Error(out.String())
	}
}

// The sum takes the cheapest way of each part, as often as the design asks for it.
func TestTheSumOfTheParts(t *testing.T) {
	b := &bench{common: common{Rounds: 2}, result: newResult("limit", 2)}
	want := []float64{0, 0}
	cost := 0.01
	for _, p := range parts {
		ways := p.ways
		if ways == nil {
			ways = []string{wireTwo}
		}
		cheapest := []float64{math.Inf(1), math.Inf(1)}
		for _, way := range ways {
			row := b.result.row(way)
			if len(row.Figures["both s/GB"]) == 0 {
				cost *= 1.7
				row.add("both s/GB", cost)
				row.add("both s/GB", 3*cost)
			}
			for i, v := range row.Figures["both s/GB"] {
				cheapest[i] = min(cheapest[i], v)
			}
		}
		for i := range want {
			want[i] += float64(p.times) * cheapest[i]
		}
	}
	got := b.sumOfParts()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-9 {
			t.Errorf("round %d: the sum is %v, want %v", i, got[i], want[i])
		}
	}
	names := map[string]int{}
	for _, p := range parts {
		names[p.name] = p.times
	}
	// docs/architecture.md: five hash passes, three of the cipher, two writes, four reads.
	if names["SHA-256 of the whole"]+names["SHA-256 of the leaves"] != 5 || names["seal"]+names["open"] != 3 || names["write, durable"] != 2 {
		t.Errorf("the parts are %v", names)
	}
}

func TestEveryPartCanBeMeasured(t *testing.T) {
	dir := t.TempDir()
	for _, p := range parts {
		for _, way := range p.ways {
			if works[way] == nil {
				t.Errorf("part %q: nothing measures %q", p.name, way)
			} else if way != "receive" && !strings.Contains(way, "direct") && way != "read medium" { // a program of its own; a file system with direct I/O
				begun := false
				if err := works[way](dir, 4<<20, func() { begun = true }); err != nil || !begun {
					t.Errorf("%s: %v, begun %v", way, err, begun)
				}
			}
		}
	}
}

func TestSteadyLeavesOutBothEnds(t *testing.T) {
	var seen []progress
	for i := range 101 { // 1 MB/s, after 10 s of nothing, and 20 s for the last receipt
		seen = append(seen, progress{time.Duration(10+i) * time.Second, int64(i) * 1e6})
	}
	seen = append(seen, progress{130 * time.Second, 100e6})
	got := steady(seen, func(bytes int64, in time.Duration) float64 { return float64(bytes) / in.Seconds() })
	if math.Abs(got-1e6) > 1e4 {
		t.Errorf("steady rate %v, want 1e6", got)
	}
	if steady(nil, nil) != 0 {
		t.Error("nothing seen is no share")
	}
}

func TestParseCounts(t *testing.T) {
	got := parseCounts(`% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.012000          12      1000        17 futex
 30.00    0.006000          60       100           fdatasync
 10.00    0.002000          40        50           fsync
  0.00    0.000000           0         7           recvmmsg
100.00    0.020000                  1157        17 total
`)
	for name, want := range map[string]int{"futex calls": 1000, "flushes": 150, "receive calls": 7, "send calls": 0} {
		if got[name] != want {
			t.Errorf("%s: %d, want %d", name, got[name], want)
		}
	}
}

func TestTreeCPUCountsAndComplains(t *testing.T) {
	if _, err := treeCPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, err := treeCPU(1 << 30); err == nil {
		t.Error("a process that is not there was counted")
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
	}
}

func TestChartsAreWellFormedAndToScale(t *testing.T) {
	b := bars{title: "a & b", axis: "s < GB", parts: []string{"x", "y"}, rows: []barRow{{"one", []float64{1, 1}, 0}, {"two", []float64{4, 0}, 3}}}
	svg := b.svg()
	wellFormed(t, svg)
	unit := float64(width-left-right) / 5 // the axis ends at 5
	for _, want := range []string{"a &amp; b", "s &lt; GB", `width="` + num(4*unit) + `"`, `width="` + num(unit) + `"`, "prefers-color-scheme:dark"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in %s", want, svg)
		}
	}
	l := lines{title: "t", across: "MiB", up: "s", limit: 96, curves: []curve{{"agent", []float64{256, 1024, 16384}, []float64{40, 41, 42}}, {"ingest", []float64{256}, []float64{50}}}}
	svg = l.svg()
	wellFormed(t, svg)
	for _, want := range []string{">256<", ">16384<", ">MiB<", ">agent<", `class="m"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in %s", want, svg)
		}
	}
}

func num(v float64) string { return fmt.Sprintf("%.1f", v) }

func TestReportWritesBetweenItsMarkersOnly(t *testing.T) {
	dir := t.TempDir()
	c := reportCommand{Dir: dir, Page: filepath.Join(dir, "page.md"), Into: filepath.Join(dir, "charts")}
	page := "# Head\n<!-- net: written by bench report -->\nformer words\n<!-- end of net -->\ntail\n"
	if err := os.WriteFile(c.Page, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newResult("net", 1)
	r.row(fills[0].name).add("share", 0.95)
	r.atLeast("share", 0.94, []float64{0.95})
	r.note("a tool is MISSING")
	if err := r.write(filepath.Join(dir, "net.json")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again gives the same
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(c.Page)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "# Head\n") || !strings.HasSuffix(got, "\ntail\n") || strings.Contains(got, "former words") ||
		!strings.Contains(got, "0.950") || !strings.Contains(got, "charts/net.svg") || !strings.Contains(got, "MISSING") {
		t.Error(got)
	}
	if _, err := between("no markers", "net", ""); err == nil {
		t.Error("a page without a place for the part was taken")
	}
}
