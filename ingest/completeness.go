package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

type completenessCommand struct {
	configured
	Camera string        `placeholder:"SERIAL" help:"Only this camera (all)."`
	Grace  time.Duration `default:"30m" help:"How long after it was shown a recording may be on its way (${default})."`
	JSON   bool          `name:"json" help:"One JSON object a line, one per camera."`
}

// reportLine is a report as --json prints it.
type reportLine struct {
	Camera   string        `json:"camera"`
	Complete bool          `json:"complete"`
	Shown    int           `json:"shown"`
	Stored   int           `json:"stored"`
	OnWay    int           `json:"on_their_way"`
	LastSeen time.Time     `json:"last_seen,omitzero"`
	Missing  []findingLine `json:"missing"`
	Hints    []findingLine `json:"hints"`

	Settled   []settledLine  `json:"settled"`               // missing, and settled by somebody's decision
	Uncounted *uncountedLine `json:"not_counted,omitempty"` // numbers that are not looked for by somebody's decision
}

type settledLine struct {
	findingLine
	By  string    `json:"settled_by"` // user id, or "local"
	At  time.Time `json:"settled_at"`
	Why string    `json:"settled_because"`
}

type uncountedLine struct {
	Below  uint64    `json:"below"`
	By     string    `json:"by"` // user id, or "local"
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Text   string    `json:"text"`
}

func uncountedOf(u *ledger.Uncounted) *uncountedLine {
	if u == nil {
		return nil
	}
	return &uncountedLine{u.Below, u.Decision.By, u.Decision.At, u.Decision.Reason, u.Text}
}

type findingLine struct {
	Reason ledger.Reason       `json:"reason"`
	Path   string              `json:"path,omitempty"`
	First  uint64              `json:"first_number,omitempty"`
	Last   uint64              `json:"last_number,omitempty"`
	Item   evidence.EvidenceID `json:"item,omitzero"`
	Dock   evidence.DockID     `json:"dock,omitempty"`
	Bay    string              `json:"bay,omitempty"`
	SeenAt time.Time           `json:"seen_at,omitzero"`
	Text   string              `json:"text"`
}

// Run tells what of all that cameras showed is not in the store. What is missing
// for certain makes the command fail.
func (c *completenessCommand) Run(ctx context.Context, to streams) error {
	if c.Grace < 0 {
		return fmt.Errorf("flag --grace: %v is negative", c.Grace)
	}
	grace := max(c.Grace, time.Nanosecond) // 0 would mean the default
	var reports []ledger.Report
	err := c.desk(ctx, to, grace, func(d *cameras.Desk) (err error) {
		reports, err = d.Completeness(ctx, c.Camera)
		return err
	})
	if err != nil {
		return err
	}
	missing := 0
	for i := range reports {
		missing += len(reports[i].Missing)
		if err := c.print(to.out, &reports[i]); err != nil {
			return err
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d findings: recordings are missing, see above", missing)
	}
	if len(reports) == 0 {
		fmt.Fprintln(to.log, "No camera was docked yet.")
	}
	return nil
}

func (c *completenessCommand) print(out io.Writer, r *ledger.Report) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(reportLine{Camera: r.Camera, Complete: r.Complete(), Shown: r.Shown, Stored: r.Stored, OnWay: r.OnWay, LastSeen: r.SeenAt,
			Missing: findingLines(r.Missing), Hints: findingLines(r.Hints), Settled: settledLines(r.Settled), Uncounted: uncountedOf(r.Uncounted)})
	}
	name := "Camera " + r.Camera
	if r.Camera == "" {
		name = "Of a camera that is not known any more"
	}
	verdict := "complete"
	if !r.Complete() {
		verdict = fmt.Sprintf("NOT COMPLETE, %d findings", len(r.Missing))
	}
	if len(r.Settled) > 0 {
		verdict += fmt.Sprintf(", %d settled", len(r.Settled))
	}
	if _, err := fmt.Fprintf(out, "%s: %s. %d recordings shown, %d stored, %d on their way.\n", name, verdict, r.Shown, r.Stored, r.OnWay); err != nil {
		return err
	}
	if r.Uncounted != nil {
		if _, err := fmt.Fprintf(out, "  %s.\n", r.Uncounted.Text); err != nil {
			return err
		}
	}
	for _, f := range r.Missing {
		if _, err := fmt.Fprintf(out, "  %s: %s.\n", f.Reason, f.Text); err != nil {
			return err
		}
	}
	for _, s := range r.Settled {
		if _, err := fmt.Fprintf(out, "  settled, %s: %s; %s.\n", s.Finding.Reason, s.Text, s.Note); err != nil {
			return err
		}
	}
	for _, f := range r.Hints {
		if _, err := fmt.Fprintf(out, "  hint: %s.\n", f.Text); err != nil {
			return err
		}
	}
	return nil
}

func findingLines(findings []ledger.Finding) []findingLine {
	lines := []findingLine{}
	for i := range findings {
		lines = append(lines, findingLineOf(&findings[i]))
	}
	return lines
}

func findingLineOf(f *ledger.Finding) findingLine {
	return findingLine{f.Reason, f.Path, f.Numbers.First, f.Numbers.Last, f.Item, f.Dock, f.Bay, f.SeenAt, f.Text}
}

func settledLines(settled []ledger.Settled) []settledLine {
	lines := []settledLine{}
	for i := range settled {
		s := &settled[i]
		lines = append(lines, settledLine{findingLineOf(&s.Finding), s.Decision.By, s.Decision.At, s.Decision.Reason})
	}
	return lines
}
