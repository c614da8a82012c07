package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Verdict is what became of a promise.
type Verdict string

// The verdicts, best first but for Elsewhere.
const (
	Kept          Verdict = "kept"
	Slow          Verdict = "slow"
	Silent        Verdict = "silent"
	ErasedEarly   Verdict = "erased-early"
	AcceptedWrong Verdict = "accepted-wrong"
	Lost          Verdict = "lost"
	Elsewhere     Verdict = "elsewhere"
)

// verdicts are in the order in which they are counted, and of growing weight.
func verdicts() []Verdict {
	return []Verdict{Kept, Slow, Silent, ErasedEarly, AcceptedWrong, Lost, Elsewhere}
}

// worse says whether v weighs more than w.
func (v Verdict) worse(w Verdict) bool {
	weight := map[Verdict]int{Kept: 0, Slow: 1, Silent: 2, ErasedEarly: 3, AcceptedWrong: 4, Lost: 5}
	return weight[v] > weight[w]
}

// Result is a row with its verdict.
type Result struct {
	Name    string        `json:"name"`
	Covers  string        `json:"covers"`
	Done    string        `json:"done"`
	Holds   string        `json:"holds"`
	Verdict Verdict       `json:"verdict"`
	Why     []string      `json:"why,omitempty"` // what was found, worst first where it is not kept
	Told    []string      `json:"told,omitempty"`
	Bays    []string      `json:"bays,omitempty"`
	Took    time.Duration `json:"took_ns"`
}

// Report is the outcome of a run.
type Report struct {
	Results []Result        `json:"rows"`
	Counts  map[Verdict]int `json:"counts"`
	Took    time.Duration   `json:"took_ns"`
}

// report counts results.
func report(results []Result, took time.Duration) *Report {
	r := &Report{Results: results, Counts: map[Verdict]int{}, Took: took}
	for _, row := range results {
		r.Counts[row.Verdict]++
	}
	return r
}

// Sound says whether every row that could be played was kept, and any was.
func (r *Report) Sound() bool {
	return r.Counts[Kept] > 0 && r.Counts[Kept]+r.Counts[Elsewhere] == len(r.Results)
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people: a line per row, what was found below it,
// and the counts.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(table, "VERDICT\tROW\tCOVERS\tTIME\tWHAT WAS DONE TO THE CAMERA\n")
	for _, row := range r.Results {
		fmt.Fprintf(table, "%s\t%s\t%s\t%.1f s\t%s\n", row.Verdict, row.Name, row.Covers, row.Took.Seconds(), row.Done)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range r.Results {
		if row.Verdict == Kept || row.Verdict == Elsewhere {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n  must hold: %s\n  found:     %s\n", row.Verdict, row.Name, row.Holds, strings.Join(row.Why, "\n             "))
	}
	var counts []string
	for _, v := range verdicts() {
		counts = append(counts, fmt.Sprintf("%d %s", r.Counts[v], v))
	}
	_, err := fmt.Fprintf(w, "\n%d rows in %.0f s: %s\n", len(r.Results), r.Took.Seconds(), strings.Join(counts, ", "))
	return err
}
