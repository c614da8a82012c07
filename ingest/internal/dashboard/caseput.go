package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// putView is the page that says who gets to see what is about to be put into a case.
type putView struct {
	base
	Problem string
	Items   []itemRow
	Named   string // the case, as it was typed
	Case    *caseRow
	Open    []caseRow // cases that can be chosen
	Seers   []auth.Seer
	Back    string
}

// chosenItems are the items that an address or a form names, each once.
func chosenItems(texts []string) (ids []evidence.EvidenceID, problem string) {
	known := map[evidence.EvidenceID]bool{}
	for _, text := range texts {
		id, err := evidence.ParseEvidenceID(text)
		if err != nil || known[id] {
			continue
		}
		known[id] = true
		ids = append(ids, id)
	}
	switch {
	case len(ids) == 0:
		return nil, "No recording was chosen. Go back, tick the box beside each recording that belongs to the case, and try again."
	case len(ids) > cases.MaxPut:
		return nil, fmt.Sprintf("At most %d recordings are put into a case at once. Go back and choose fewer.", cases.MaxPut)
	}
	return ids, ""
}

// putPage asks which case, and says whom it lets see the recordings, before anything is done.
func (d *Dashboard) putPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q := r.URL.Query()
	d.showPut(w, r, actor, http.StatusOK, "", q["item"], q.Get("case"), q.Get("back"))
}

func (d *Dashboard) showPut(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string, items []string, name, back string) {
	ctx, desk := r.Context(), d.Cases.For(actor)
	if !auth.MaySome(actor, auth.ManageCases, d.Auth.Agency()) {
		d.fail(w, r, actor, auth.ErrForbidden)
		return
	}
	v := putView{Problem: problem, Named: searchText(name, 200), Back: caseBack(back)}
	ids, wrong := chosenItems(items)
	if wrong != "" {
		v.Problem, code = wrong, http.StatusUnprocessableEntity
	}
	for _, id := range ids {
		item, err := auth.Find(ctx, &d.Cases.Catalog.Reader, actor, auth.ViewItem, d.Auth.Agency(), id)
		if err != nil {
			d.fail(w, r, actor, err)
			return
		}
		v.Items = append(v.Items, rows([]catalog.Item{*item})[0])
	}
	names := desk.Names(ctx)
	if v.Named != "" && wrong == "" {
		c, err := desk.Find(ctx, v.Named)
		switch {
		case errors.Is(err, catalog.ErrNotFound), errors.Is(err, auth.ErrForbidden):
			v.Problem, code = "There is no case with the number “"+v.Named+"” that you manage.", http.StatusUnprocessableEntity
		case err != nil:
			d.fail(w, r, actor, err)
			return
		case !desk.CanManage(c):
			v.Problem, code = "There is no case with the number “"+v.Named+"” that you manage.", http.StatusUnprocessableEntity
		case c.Closed():
			v.Problem, code = sentence(cases.ErrClosed), http.StatusConflict
		default:
			row := d.caseRowOf(c, names)
			v.Case = &row
			if v.Seers, err = d.Auth.CaseSeers(ctx, actor, c.ID); err != nil {
				d.fail(w, r, actor, err)
				return
			}
		}
	}
	if v.Case == nil && wrong == "" {
		v.Open = d.choosable(r, actor)
	}
	v.base = d.roomBase(ctx, actor, "Put into a case", "cases")
	d.show(w, r, code, "case-put", v)
}

// choosable are open cases that the person manages, for a field that takes a number.
func (d *Dashboard) choosable(r *http.Request, actor *auth.Actor) (all []caseRow) {
	desk := d.Cases.For(actor)
	page, err := desk.List(r.Context(), catalog.CaseFilter{Open: new(true)}, catalog.NewestCase, "", peopleHint)
	if err != nil {
		return nil
	}
	for i := range page.Cases {
		if desk.CanManage(&page.Cases[i]) {
			all = append(all, d.caseRowOf(&page.Cases[i], func(string) string { return "" }))
		}
	}
	return all
}

// setInCase puts items into a case, or takes them out, and leads back to where it was asked.
func (d *Dashboard) setInCase(w http.ResponseWriter, r *http.Request, actor *auth.Actor, in bool) {
	if !d.form(w, r) {
		return
	}
	id := r.PathValue("id")
	set, done := d.Cases.For(actor).Put, "put"
	if !in {
		set, done = d.Cases.For(actor).Take, "taken"
	}
	ids, wrong := chosenItems(r.PostForm["item"])
	changed, err := set(r.Context(), id, ids)
	var unfit *auth.PersonError
	switch code, problem := caseRefusal(err); {
	case err == nil:
		q := url.Values{"done": {done}}
		for _, one := range changed {
			q.Add("item", one.String())
		}
		http.Redirect(w, r, caseLink(id)+"?"+q.Encode(), http.StatusSeeOther)
	case errors.As(err, &unfit) && wrong != "":
		d.showCase(w, r, actor, id, code, wrong, nil, giveTyped{})
	case problem != "":
		d.showCase(w, r, actor, id, code, problem, nil, giveTyped{})
	default:
		d.noCase(w, r, actor, err)
	}
}

// caseBack is where a way to a case came from: a list of recordings, a recording or a
// case, never another place.
func caseBack(back string) string {
	for _, room := range []string{"/evidence", "/cases"} {
		if (back == room || strings.HasPrefix(back, room+"/") || strings.HasPrefix(back, room+"?")) && localPath(back) {
			return back
		}
	}
	return "/cases"
}

// itemCases are the cases of an item on its page.
type itemCases struct {
	Item   string
	Cases  []itemCase
	CanPut bool
	Open   []caseRow // that it can be put into
}

type itemCase struct {
	caseRow
	CanTake bool
}

// casesOf are the cases of an item, as far as the person may see any; nil for others.
func (d *Dashboard) casesOf(r *http.Request, actor *auth.Actor, id evidence.EvidenceID) *itemCases {
	desk := d.Cases.For(actor)
	all, err := desk.Of(r.Context(), id)
	if err != nil {
		if !errors.Is(err, auth.ErrForbidden) {
			d.Log.WarnContext(r.Context(), "looking up the cases of an item", "error", err)
		}
		return nil
	}
	v := &itemCases{Item: id.String(), CanPut: auth.MaySome(actor, auth.ManageCases, d.Auth.Agency())}
	names := desk.Names(r.Context())
	for i := range all {
		c := &all[i]
		v.Cases = append(v.Cases, itemCase{d.caseRowOf(c, names), desk.CanManage(c) && !c.Closed()})
	}
	if v.CanPut {
		v.Open = d.choosable(r, actor)
	}
	return v
}
