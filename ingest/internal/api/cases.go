package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// noCase is said of every case that the person may not see, and of those that are not there.
const noCase = "There is no such case or recording here."

type caseShape struct {
	ID       string     `json:"id"`
	Number   string     `json:"number" jsonschema:"the agency's own; unique, whatever its case"`
	Title    string     `json:"title"`
	Note     string     `json:"note"`
	Lead     string     `json:"lead,omitempty" jsonschema:"id of who leads it"`
	LeadName string     `json:"lead_name,omitempty"`
	State    string     `json:"state" jsonschema:"open or closed"`
	OpenedAt time.Time  `json:"opened_at"`
	OpenedBy string     `json:"opened_by" jsonschema:"user id"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
	ClosedBy string     `json:"closed_by,omitempty"`
	Items    int64      `json:"items" jsonschema:"how many were put into it"`
}

func caseOf(c *catalog.Case, names func(string) string) caseShape {
	s := caseShape{ID: c.ID, Number: c.Number, Title: c.Title, Note: c.Note, Lead: c.Lead, LeadName: names(c.Lead), State: "open", OpenedAt: c.OpenedAt, OpenedBy: c.OpenedBy, ClosedBy: c.ClosedBy, Items: c.Items}
	if c.Closed() {
		s.State, s.ClosedAt = "closed", &c.ClosedAt
	}
	return s
}

func casesOf(all []catalog.Case, names func(string) string) []caseShape {
	shapes := []caseShape{}
	for i := range all {
		shapes = append(shapes, caseOf(&all[i], names))
	}
	return shapes
}

type casesAnswer struct {
	Cases []caseShape `json:"cases"`
	Next  string      `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

type caseBody struct {
	Number string `json:"number" required:"true"`
	Title  string `json:"title" required:"true"`
	Note   string `json:"note"`
	Lead   string `json:"lead" jsonschema:"sign-in name or id of who leads it; that alone gives them nothing"`
}

func (b *caseBody) draft() cases.Draft {
	return cases.Draft{Number: b.Number, Title: b.Title, Note: b.Note, Lead: b.Lead}
}

type caseItemsBody struct {
	Items []evidence.EvidenceID `json:"items" required:"true" jsonschema:"1 to 100 ids"`
}

type caseItemsAnswer struct {
	Changed []evidence.EvidenceID `json:"changed" jsonschema:"those of them for which it was not so before"`
}

type caseSeerShape struct {
	ID      string         `json:"id"`
	Login   string         `json:"login"`
	Name    string         `json:"name"`
	Because []caseWhyShape `json:"because"`
}

type caseWhyShape struct {
	Role       string   `json:"role" jsonschema:"name of the role whose actions they have"`
	Through    string   `json:"through,omitempty"`
	Conditions []string `json:"conditions"`
}

type caseSeersAnswer struct {
	Seers []caseSeerShape `json:"seers"`
}

func (a *api) caseRoutes() []Route {
	const tag = "Cases"
	look := Description{Tag: tag, Asks: []auth.Action{auth.ListCases}, Missing: noCase}
	change := Description{Tag: tag, Asks: []auth.Action{auth.ManageCases}, Missing: noCase, Codes: []int{http.StatusConflict, http.StatusUnprocessableEntity}}
	say := func(d Description, summary, about string) Description {
		d.Summary, d.About = summary, about
		return d
	}
	list, seers := say(look, "Find cases, open ones first", ""), say(change, "Who sees what is in a case because of grants on it", "What is put into the case is seen by them from then on.")
	seers.Codes = nil
	list.Paged, list.Missing = true, ""
	list.Query = []Parameter{
		{Name: "q", Kind: Text, About: "Words, or their beginnings, of number or title."},
		{Name: "state", Kind: Text, About: "How they stand.", Enum: []string{"open", "closed"}},
		{Name: "sort", Kind: Text, About: "Order; with - the other way round.", Enum: []string{"-opened", "opened", "number", "title"}},
	}
	act := func(do func(*cases.Desk, *Request) error) func(*Request, *Nothing) (Nothing, error) {
		return func(r *Request, _ *Nothing) (Nothing, error) { return Nothing{}, do(a.Cases.For(r.Actor), r) }
	}
	one := func(set func(*cases.Desk, *Request, []evidence.EvidenceID) error) func(*Request, *Nothing) (Nothing, error) {
		return act(func(d *cases.Desk, r *Request) error {
			id, err := evidence.ParseEvidenceID(r.PathValue("item"))
			if err != nil {
				return notThere
			}
			return set(d, r, []evidence.EvidenceID{id})
		})
	}
	return []Route{
		Answer("GET /api/v1/cases", list, a.cases),
		Answer("POST /api/v1/cases", say(change, "Open a case", "For who manages cases in the whole agency."), func(r *Request, b *caseBody) (idAnswer, error) {
			id, err := a.Cases.For(r.Actor).Open(r.Context(), b.draft())
			return idAnswer{id}, err
		}),
		Answer("GET /api/v1/cases/{id}", say(look, "One case, by number or id", "What is in it: /api/v1/items?case=."), func(r *Request, _ *Nothing) (caseShape, error) {
			desk := a.Cases.For(r.Actor)
			c, err := desk.Find(r.Context(), r.PathValue("id"))
			if err != nil {
				return caseShape{}, err
			}
			return caseOf(c, desk.Names(r.Context())), nil
		}),
		Answer("PUT /api/v1/cases/{id}", say(change, "Change what a case is called, and who leads it", ""), func(r *Request, b *caseBody) (Nothing, error) {
			return Nothing{}, a.Cases.For(r.Actor).Change(r.Context(), r.PathValue("id"), b.draft())
		}),
		Answer("POST /api/v1/cases/{id}/close", say(change, "Close a case", "Nothing is put in and taken out any more. Grants on it go on."), act(func(d *cases.Desk, r *Request) error { return d.Close(r.Context(), r.PathValue("id")) })),
		Answer("POST /api/v1/cases/{id}/reopen", say(change, "Reopen a case", ""), act(func(d *cases.Desk, r *Request) error { return d.Reopen(r.Context(), r.PathValue("id")) })),
		Answer("POST /api/v1/cases/{id}/items", say(change, "Put recordings into a case, all or none", "Who was let into the case sees them from then on."), func(r *Request, b *caseItemsBody) (caseItemsAnswer, error) {
			changed, err := a.Cases.For(r.Actor).Put(r.Context(), r.PathValue("id"), b.Items)
			return caseItemsAnswer{append([]evidence.EvidenceID{}, changed...)}, err
		}),
		Answer("PUT /api/v1/cases/{id}/items/{item}", say(change, "Put one recording into a case", "Who was let into the case sees it from then on."), one(func(d *cases.Desk, r *Request, items []evidence.EvidenceID) error {
			_, err := d.Put(r.Context(), r.PathValue("id"), items)
			return err
		})),
		Answer("DELETE /api/v1/cases/{id}/items/{item}", say(change, "Take one recording out of a case", ""), one(func(d *cases.Desk, r *Request, items []evidence.EvidenceID) error {
			_, err := d.Take(r.Context(), r.PathValue("id"), items)
			return err
		})),
		Answer("GET /api/v1/cases/{id}/seers", seers, a.caseSeers),
		Answer("GET /api/v1/items/{id}/cases", say(look, "The cases that a recording was put into", ""), func(r *Request, _ *Nothing) (casesAnswer, error) {
			id, err := r.item()
			if err != nil {
				return casesAnswer{}, err
			}
			desk := a.Cases.For(r.Actor)
			all, err := desk.Of(r.Context(), id)
			return casesAnswer{casesOf(all, desk.Names(r.Context())), ""}, err
		}),
	}
}

// caseSorts are what sort may be.
var caseSorts = map[string]catalog.CaseOrder{"-opened": catalog.NewestCase, "opened": catalog.OldestCase, "number": catalog.CaseNumber, "title": catalog.CaseTitle}

func (a *api) cases(r *Request, _ *Nothing) (casesAnswer, error) {
	f := catalog.CaseFilter{Text: r.Text("q")}
	if state := r.Text("state"); state != "" {
		f.Open = new(state == "open")
	}
	desk := a.Cases.For(r.Actor)
	page, err := desk.List(r.Context(), f, caseSorts[r.Text("sort")], r.Text("cursor"), r.Number("limit", defaultLimit))
	return casesAnswer{casesOf(page.Cases, desk.Names(r.Context())), page.Next}, err
}

func (a *api) caseSeers(r *Request, _ *Nothing) (caseSeersAnswer, error) {
	all, err := a.Cases.For(r.Actor).Seers(r.Context(), r.PathValue("id"))
	shapes := []caseSeerShape{}
	for _, s := range all {
		shape := caseSeerShape{ID: s.ID, Login: s.Login, Name: s.Name}
		for _, w := range s.Because {
			shape.Because = append(shape.Because, caseWhyShape{w.Role, w.Through, append([]string{}, w.Conditions...)})
		}
		shapes = append(shapes, shape)
	}
	return caseSeersAnswer{shapes}, err
}
