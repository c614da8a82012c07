package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *Dashboard) auditRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /audit", d.private(d.audit))
	mux.HandleFunc("POST /audit/export", d.private(d.auditExport))
}

type auditView struct {
	base
	Query                     inspection.Query
	From, To                  string // as typed
	Zone                      string
	Machines, Abouts, Results []option
	Acts                      []actGroup
	People, Docks             []string
	Views                     []auditTab
	Narrowed                  bool
	Problem                   string
	BadField                  string
	Found                     string
	Rows                      []auditRow
	Report                    *auditReport
	Verify, First, Older      string // addresses
	Hidden                    []hiddenField
	CanExport                 bool
}

type actGroup struct {
	Word    string
	Options []option
}

type auditTab struct {
	Link, Word string
	Here       bool
}

type hiddenField struct{ Name, Value string }

type auditRow struct {
	inspection.Entry
	Whole            status
	WhoLink, Link    string
	Client, Address  string
	Place            string // in the log
	Proof            *status
	Why              string
	Details          []fact
	ActorKind, Exact string
}

type auditReport struct {
	Status   status
	Text     string
	Root     string
	Size     string
	Gaps     []string
	MoreGaps string
}

// groupWords are what groups of acts are called.
func groupWord(g inspection.Group) string {
	switch g {
	case inspection.Viewing:
		return "Looking at evidence"
	case inspection.Custody:
		return "Custody of recordings"
	case inspection.Cameras:
		return "Cameras"
	case inspection.Administration:
		return "Administration"
	case inspection.SignIns:
		return "Sign-ins"
	case inspection.Alerts:
		return "Alerts"
	}
	return "The server itself"
}

// localTime is how a browser writes a time of day without zone.
const localTime = "2006-01-02T15:04:05"

func (d *Dashboard) auditQuery(q url.Values) (inspection.Query, error) {
	query := inspection.Query{
		Person: strings.TrimSpace(q.Get("person")), Machine: strings.TrimSpace(q.Get("machine")), About: q.Get("about"), Object: strings.TrimSpace(q.Get("object")),
		Act: q.Get("act"), Outcome: q.Get("outcome"), Address: strings.TrimSpace(q.Get("address")),
	}
	if query.Object == "" {
		query.About = ""
	}
	for field, at := range map[string]*time.Time{"begin": &query.From, "end": &query.To} {
		var err error
		if *at, err = d.localMoment(q.Get(field)); err != nil {
			return query, &inspection.QueryError{Field: field, Why: "write it as 2026-11-22T14:03, or choose it in the calendar"}
		}
	}
	return query, nil
}

// localMoment reads a time in the agency's zone; "" is none.
func (d *Dashboard) localMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{localTime, "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, d.Zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("not a time")
}

func (d *Dashboard) audit(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q := r.URL.Query()
	query, err := d.auditQuery(q)
	var page *inspection.Page
	if err == nil {
		page, err = d.Inspection.Search(r.Context(), actor, query, q.Get("from"), pageLength)
	}
	if errors.Is(err, catalog.ErrCursor) { // of another search: begin anew
		q.Del("from")
		q.Del("verify")
		http.Redirect(w, r, "/audit?"+q.Encode(), http.StatusSeeOther)
		return
	}
	v := auditView{base: d.roomBase(r.Context(), actor, "Audit", "audit"), Query: query, From: q.Get("begin"), To: q.Get("end"), Zone: d.Now().In(d.Zone).Format("MST")}
	code := http.StatusOK
	var wrong *inspection.QueryError
	switch {
	case errors.As(err, &wrong):
		v.Problem, v.BadField, code = sentenceOf(wrong.Why), wrong.Field, http.StatusUnprocessableEntity
		page = &inspection.Page{}
	case errors.Is(err, inspection.ErrBroad):
		v.Problem, code = sentence(err), http.StatusServiceUnavailable
		page = &inspection.Page{}
	case err != nil:
		d.fail(w, r, actor, err)
		return
	}
	if err := d.auditChoices(r, actor, &v, q); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v.Rows = d.auditRows(page.Entries)
	if q.Get("verify") != "" && v.Problem == "" {
		report, err := d.Inspection.Verify(r.Context(), page.Entries)
		if err != nil {
			d.fail(w, r, actor, err)
			return
		}
		d.showReport(&v, report)
	}
	v.Found = foundText(page.Found, inspection.MaxCount)
	q.Del("verify")
	v.First, v.Older = pageLinks("/audit", q, page.Next)
	q.Set("from", page.This)
	q.Set("verify", "1")
	v.Verify = "/audit?" + q.Encode()
	d.show(w, r, code, "audit", v)
}

// foundText says how many there are, up to where they are counted.
func foundText(n, most int64) string {
	if n > most {
		return "more than " + countText(most)
	}
	return countText(n)
}

func (d *Dashboard) auditChoices(r *http.Request, actor *auth.Actor, v *auditView, q url.Values) error {
	v.Machines = options(v.Query.Machine, "", "Any", "server", "The server", "provisioner", "The directory’s programs")
	docks, err := d.Reading.Docks(r.Context(), actor)
	if err != nil {
		return err
	}
	for _, dock := range docks {
		v.Docks = append(v.Docks, dock.Dock)
		v.Machines = append(v.Machines, option{dock.Dock, "Dock " + dock.Dock, v.Query.Machine == dock.Dock})
	}
	if v.People, err = d.Inspection.People(r.Context(), actor); err != nil {
		return err
	}
	v.Abouts = options(v.Query.About, "item", "Recording", "camera", "Camera", "dock", "Dock", "person", "Person")
	v.Results = options(v.Query.Outcome, "", "Any", "done", "Done", "refused", "Refused", "failed", "Failed", "not-done", "Refused or failed")
	for _, group := range inspection.Groups() {
		name := "group:" + string(group)
		g := actGroup{Word: groupWord(group), Options: []option{{name, "All of these", v.Query.Act == name}}}
		for _, act := range inspection.Acts() {
			if act.Group == group {
				g.Options = append(g.Options, option{string(act.Type), sentenceCase(act.Words), v.Query.Act == string(act.Type)})
			}
		}
		v.Acts = append(v.Acts, g)
	}
	for _, tab := range [][3]string{
		{"Everything", "", ""}, {"Refused and failed", "outcome", "not-done"}, {"Who looked at evidence", "act", "group:viewing"},
		{"Administration", "act", "group:administration"}, {"Sign-ins", "act", "group:sign-ins"},
	} {
		link := "/audit"
		if tab[1] != "" {
			link += "?" + url.Values{tab[1]: {tab[2]}}.Encode()
		}
		v.Views = append(v.Views, auditTab{Link: link, Word: tab[0], Here: v.Query == queryOf(tab[1], tab[2])})
	}
	v.Narrowed = v.Query != inspection.Query{}
	v.CanExport = auth.May(actor, auth.ExportAudit, auth.Object{Agency: actor.Agency})
	for _, name := range []string{"person", "machine", "about", "object", "act", "outcome", "address", "begin", "end"} {
		if value := q.Get(name); value != "" {
			v.Hidden = append(v.Hidden, hiddenField{name, value})
		}
	}
	return nil
}

func queryOf(name, value string) inspection.Query {
	switch name {
	case "outcome":
		return inspection.Query{Outcome: value}
	case "act":
		return inspection.Query{Act: value}
	}
	return inspection.Query{}
}

func sentenceCase(text string) string { return strings.TrimSuffix(sentenceOf(text), ".") }

func (d *Dashboard) auditRows(entries []inspection.Entry) []auditRow {
	all := make([]auditRow, len(entries))
	for i, entry := range entries {
		row := auditRow{Entry: entry, Address: entry.Event.Source, Client: entry.Event.Actor.Client, Place: "entering the log", Link: objectLink(entry.Event.Object)}
		switch {
		case !entry.Readable:
			row.Whole = status{"bad", "stop", "Unreadable"}
		case entry.Event.Outcome == evidence.OutcomeRefused:
			row.Whole = status{"warn", "warn", "Refused"}
		case entry.Event.Outcome == evidence.OutcomeFailed:
			row.Whole = status{"bad", "stop", "Failed"}
		default:
			row.Whole = status{"ok", "ok", "Done"}
		}
		if entry.Row.LogIndex != nil {
			row.Place = "entry " + countText(*entry.Row.LogIndex)
		}
		switch a := entry.Event.Actor; {
		case a.Kind == "user" && a.ID != "":
			row.WhoLink = "/audit?" + url.Values{"person": {a.ID}}.Encode()
		case a.Kind == "dock":
			row.WhoLink = "/audit?" + url.Values{"machine": {a.ID}}.Encode()
		}
		row.Details = eventOf(entry.Row).Details
		all[i] = row
	}
	return all
}

// objectLink is the page of what an event is about, "" where there is none.
func objectLink(object string) string {
	switch kind, id, _ := strings.Cut(object, ":"); kind {
	case "item":
		return "/evidence/" + url.PathEscape(id)
	case "camera":
		return cameraLink(id)
	case "user":
		return "/audit?" + url.Values{"about": {"person"}, "object": {id}}.Encode()
	case "dock":
		return "/audit?" + url.Values{"about": {"dock"}, "object": {id}}.Encode()
	}
	return ""
}

func (d *Dashboard) showReport(v *auditView, report *inspection.Report) {
	broken := 0
	for i, proof := range report.Proofs {
		s := status{"ok", "shield", "Proven"}
		switch proof.Verdict {
		case inspection.Pending:
			s = status{"", "wait", "Not in a checkpoint yet"}
		case inspection.Broken:
			s = status{"bad", "stop", "Broken"}
			broken++
		}
		v.Rows[i].Proof, v.Rows[i].Why = &s, proof.Why
	}
	r := &auditReport{Root: report.Root.String(), Size: countText(report.Size)}
	switch {
	case report.Sound():
		r.Status, r.Text = status{"ok", "shield", "Every event on this page is the one that was signed"}, "Each was hashed anew from its row and its salt and leads to the log’s signed checkpoint, and no event of the log is missing from the database."
	case broken > 0 && report.Lost > 0:
		r.Status, r.Text = status{"bad", "stop", "The record was changed"}, plural(uint64(broken), "event")+" on this page "+verb(broken, "is", "are")+" not what was signed, and events were deleted from the database. Tell the server’s operator; fsck names all of them."
	case broken > 0:
		r.Status, r.Text = status{"bad", "stop", "The record was changed"}, plural(uint64(broken), "event")+" on this page "+verb(broken, "is", "are")+" not what was signed. Tell the server’s operator; fsck looks at all events."
	default:
		r.Status, r.Text = status{"bad", "stop", "Events were deleted"}, "What is on this page is what was signed, but the database lacks events that are in the log. Tell the server’s operator."
	}
	for _, gap := range report.Gaps {
		text := "Entry " + countText(gap.Index) + " was deleted"
		switch {
		case !gap.After.IsZero() && !gap.Before.IsZero():
			text += "; it was written between " + d.exactText(gap.After) + " and " + d.exactText(gap.Before)
		case !gap.After.IsZero():
			text += "; it was written after " + d.exactText(gap.After)
		case !gap.Before.IsZero():
			text += "; it was written before " + d.exactText(gap.Before)
		}
		r.Gaps = append(r.Gaps, text)
	}
	if more := report.Lost - int64(len(report.Gaps)); more > 0 {
		r.MoreGaps = "and " + countText(more) + " more"
	}
	v.Report = r
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// exactText is a moment to the millisecond in the agency's zone.
func (d *Dashboard) exactText(t time.Time) string {
	return t.In(d.Zone).Format("2 Jan 2006 15:04:05.000 MST")
}

func (d *Dashboard) auditExport(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	query, err := d.auditQuery(r.PostForm)
	var e *inspection.Export
	if err == nil {
		e, err = d.Inspection.Export(r.Context(), actor, query, inspection.Format(r.PostForm.Get("format")))
	}
	var wrong *inspection.QueryError
	if errors.As(err, &wrong) {
		d.problem(w, r, actor, http.StatusUnprocessableEntity, "This cannot be exported", sentenceOf(wrong.Why))
		return
	} else if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", e.Format.MediaType())
	h.Set("Content-Disposition", attachment("sealdock-audit-"+d.Now().UTC().Format("20060102T150405Z")+"."+string(e.Format)))
	h.Set("X-Sealdock-Events", strconv.FormatInt(e.Events, 10))
	if err := e.Write(r.Context(), &slowWriter{w, http.NewResponseController(w)}); err != nil {
		if r.Context().Err() == nil {
			d.Log.ErrorContext(r.Context(), "an export was broken off", "error", err)
		}
		panic(http.ErrAbortHandler) // what came must not pass for the whole
	}
}
