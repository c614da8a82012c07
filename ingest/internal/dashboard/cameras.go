package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
)

// cameraRow is a camera as lists show it.
type cameraRow struct {
	catalog.Camera
	Link   string
	Needs  []string // why it needs a person, in words; none: it does not
	Tone   string   // of the most pressing need: bad, warn, or ""
	Stands status
	Whole  status
	Clock  clockWords // at the last docking
	Docked bool       // whether a docking is known
	Make   string     // maker and model
}

// Which cameras a list holds.
const (
	needsAPerson = "needs"
	nobodys      = "unassigned"
	onHold       = "held"
)

type camerasView struct {
	base
	Search    string
	Narrowed  bool
	Which     []option
	Cameras   []cameraRow
	Columns   []column
	Total     int // of the agency
	Fitting   int // that fit the search
	Needing   int // of the agency
	SurveyAt  time.Time
	SurveyBad bool
	Nobodys   *reportView // recordings whose camera is not known any more
	First     string      // address of the first page
	Next      string
}

func (d *Dashboard) cameras(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q := r.URL.Query()
	if q.Has("serial") { // a serial that no path can hold
		d.camera(w, r, actor, q.Get("serial"))
		return
	}
	desk := d.Cameras.For(actor)
	all, err := desk.Cameras(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	found, err := d.completeness(r.Context(), d.Cameras.CommandLine()) // of all: the list holds those that the person may see
	if err != nil {
		d.Log.ErrorContext(r.Context(), "checking the completeness of all cameras", "error", err)
	}
	v := camerasView{base: d.roomBase(r.Context(), actor, "Cameras", "cameras"), Search: searchText(q.Get("q"), 200), Total: len(all), SurveyAt: found.At, SurveyBad: err != nil}
	which := q.Get("which")
	v.Which = options(which, "", "All cameras", needsAPerson, "Needs a person", nobodys, "Not assigned", onHold, "On hold")
	v.Narrowed = v.Search != "" || which != ""
	if found.Nobodys != nil && auth.May(actor, auth.ListCameras, auth.Object{Agency: d.Auth.Agency()}) {
		v.Nobodys = reportOf(found.Nobodys)
	}
	rows := make([]cameraRow, 0, len(all))
	for i := range all {
		row := rowOf(&all[i], found.of(all[i].Serial))
		if len(row.Needs) > 0 {
			v.Needing++
		}
		if fits(&row, v.Search, which) {
			rows = append(rows, row)
		}
	}
	v.Fitting = len(rows)
	slices.SortStableFunc(rows, func(a, b cameraRow) int { return pressing(a.Tone) - pressing(b.Tone) })
	v.Columns = sorted(w, r, "/cameras", rows, []sortBy[cameraRow]{
		{"serial", "Camera", func(a, b *cameraRow) int { return cmp.Compare(a.Serial, b.Serial) }},
		{"officer", "Officer", func(a, b *cameraRow) int { return lastly(a.Wearer, b.Wearer) }},
		{"key", "Key", func(a, b *cameraRow) int { return cmp.Compare(a.Stands.Word, b.Stands.Word) }},
		{"needs", "Completeness", func(a, b *cameraRow) int { return pressing(a.Tone) - pressing(b.Tone) }},
		{"docked", "Last docking", func(a, b *cameraRow) int { return a.LastSeenAt.Compare(b.LastSeenAt) }},
	})
	from, _ := strconv.Atoi(q.Get("from"))
	from = min(max(from, 0), len(rows))
	until, next := min(from+pageLength, len(rows)), ""
	if until < len(rows) {
		next = strconv.Itoa(until)
	}
	v.Cameras = rows[from:until]
	v.First, v.Next = pageLinks("/cameras", q, next)
	if err := d.lastClocks(r.Context(), v.Cameras); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, http.StatusOK, "cameras", v)
}

// rowOf draws a camera; report is its completeness, nil when that is not known.
func rowOf(c *catalog.Camera, report *ledger.Report) cameraRow {
	row := cameraRow{Camera: *c, Link: cameraLink(c.Serial), Stands: standingStatus(c.Standing), Whole: wholeStatus(report), Make: makeText(c)}
	need := func(tone, what string) {
		row.Needs = append(row.Needs, what)
		if row.Tone != "bad" {
			row.Tone = tone
		}
	}
	if report != nil && !report.Complete() {
		need("bad", "not complete")
	}
	switch c.Standing {
	case catalog.StandingChanged:
		need("bad", "another key than before")
	case catalog.StandingPending:
		need("warn", "key waits for approval")
	}
	if c.OpenAlerts > 0 {
		need("warn", plural(uint64(c.OpenAlerts), "open alert"))
	}
	return row
}

// makeText is a camera's maker and model. Many models begin with the maker.
func makeText(c *catalog.Camera) string {
	switch {
	case c.Model == "":
		return strings.TrimSpace(c.Vendor + " camera, model not told")
	case strings.HasPrefix(strings.ToLower(c.Model), strings.ToLower(c.Vendor)):
		return c.Model
	}
	return c.Vendor + " " + c.Model
}

// pressing orders needs: what presses most comes first.
func pressing(tone string) int {
	switch tone {
	case "bad":
		return 0
	case "warn":
		return 1
	}
	return 2
}

// fits says whether a camera belongs into a narrowed list.
func fits(c *cameraRow, search, which string) bool {
	switch which {
	case needsAPerson:
		if len(c.Needs) == 0 {
			return false
		}
	case nobodys:
		if c.Wearer != "" {
			return false
		}
	case onHold:
		if c.HeldAt.IsZero() {
			return false
		}
	}
	text := strings.ToLower(strings.Join([]string{c.Serial, c.Wearer, c.WearerID, c.Model, c.Vendor}, "\n"))
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// lastClocks fills in how each camera's clock was at its last docking. The
// caller has asked whether the person may see cameras.
func (d *Dashboard) lastClocks(ctx context.Context, rows []cameraRow) error {
	for i := range rows {
		dockings, err := d.Cameras.Catalog.Dockings(ctx, d.Auth.Agency(), rows[i].Serial, 1)
		if err != nil {
			return err
		}
		if len(dockings) > 0 {
			rows[i].Docked, rows[i].Clock = true, clockOf(&dockings[0])
		}
	}
	return nil
}

// reportView is a completeness report for people.
type reportView struct {
	ledger.Report
	Whole  status
	Lost   uint64
	Groups []findingGroup // certain ones first
	More   int            // findings that are not drawn
}

// findingGroup is all that is missing in one way.
type findingGroup struct {
	Status   status
	Todo     string
	Certain  bool
	Findings []findingView
}

type findingView struct {
	ledger.Finding
	Name     string
	ItemLink string
}

// maxFindings bounds how many findings of a group a page draws.
const maxFindings = 100

func reportOf(r *ledger.Report) *reportView {
	v := &reportView{Report: *r, Whole: wholeStatus(r)}
	v.Lost, _ = missing(r)
	for _, f := range slices.Concat(r.Missing, r.Hints) {
		v.add(f)
	}
	return v
}

// add draws a finding within its group.
func (v *reportView) add(f ledger.Finding) {
	at := slices.IndexFunc(v.Groups, func(g findingGroup) bool {
		return g.Certain == f.Certain && g.Findings[0].Reason == f.Reason
	})
	if at < 0 {
		g := findingGroup{Status: status{Tone: "bad", Shape: "stop"}, Certain: f.Certain}
		if !f.Certain {
			g.Status = status{Shape: "info"}
		}
		g.Status.Word, g.Todo = findingText(f.Reason)
		at, v.Groups = len(v.Groups), append(v.Groups, g)
	}
	g := &v.Groups[at]
	if len(g.Findings) == maxFindings {
		v.More++
		return
	}
	drawn := findingView{Finding: f, Name: findingName(&f)}
	known := f.Reason != ledger.RowMissing && (f.Reason != ledger.ErasedBare || f.Path != "") // a dock may name an item that is not here
	if !f.Item.IsZero() && known {
		drawn.ItemLink = "/evidence/" + f.Item.String()
	}
	g.Findings = append(g.Findings, drawn)
}

// findingName calls what a finding is about by path, else by number.
func findingName(f *ledger.Finding) string {
	switch {
	case f.Path != "":
		return f.Path
	case f.Numbers.First == 0:
		return "A recording whose name is not known any more"
	}
	text := f.Numbers.String()
	return strings.ToUpper(text[:1]) + text[1:]
}
