package dashboard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *Dashboard) freezeRoutes(mux *http.ServeMux) {
	if d.Freezes == nil {
		return
	}
	mux.HandleFunc("GET /freezes", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		q := r.URL.Query()
		d.showFreezes(w, r, actor, http.StatusOK, "", freezeTyped{Scope: searchText(q.Get("scope"), 20), Value: searchText(q.Get("value"), 200)})
	}))
	mux.HandleFunc("POST /freezes", d.private(d.beginFreeze))
	mux.HandleFunc("POST /freezes/{id}/end", d.private(d.endFreeze))
}

// pastFreezes is how many freezes that have ended a page lists.
const pastFreezes = 100

type freezeTyped struct{ Scope, Value, Reason string }

// freezeRow is a freeze as pages show it.
type freezeRow struct {
	catalog.Freeze
	Name, Link     string // of what it is
	ByName, EndBy  string
	CanEnd, Hidden bool
}

type freezesView struct {
	base
	Problem, Done, Here string
	Fresh, CanBegin     bool
	Standing, Past      []freezeRow
	More                int
	Typed               freezeTyped
	Scopes              []option
}

// frozenName is what a freeze is of, for people, with the page of it.
func (d *Dashboard) frozenName(ctx context.Context, f *catalog.Freeze) (name, link string) {
	switch f.Scope {
	case catalog.FreezeAgency:
		return "everything in the agency", ""
	case catalog.FreezeStation:
		return "station " + f.Value, listLink("station", f.Value)
	case catalog.FreezeCamera:
		return "camera " + f.Value, cameraLink(f.Value)
	case catalog.FreezeOfficer:
		return "officer " + f.Value, listLink("officer", f.Value)
	}
	name = "a recording that is not here"
	if id, err := evidence.ParseEvidenceID(f.Value); err == nil {
		if item, err := d.Cameras.Catalog.ItemRow(ctx, f.Agency, id); err == nil {
			name, link = "recording "+baseName(item.Path)+" ("+shortID(id)+")", "/evidence/"+id.String()
		}
	}
	return name, link
}

func (d *Dashboard) showFreezes(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string, typed freezeTyped) {
	desk := d.Freezes.For(actor)
	all, err := desk.List(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := freezesView{Problem: problem, Here: "/freezes", Fresh: auth.Fresh(actor, d.Now()) == nil, Typed: typed, CanBegin: auth.MaySome(actor, auth.FreezeEvidence, actor.Agency)}
	switch r.URL.Query().Get("done") {
	case "begin":
		v.Done = "It is frozen: nothing of it can be deleted from now on."
	case "end":
		v.Done = "The freeze is ended. Others may still stand."
	}
	names := d.names(r.Context())
	for _, f := range slices.Backward(all) {
		row := freezeRow{Freeze: f, ByName: names(f.By), EndBy: names(f.EndedBy)}
		row.Name, row.Link = d.frozenName(r.Context(), &f)
		switch {
		case f.EndedAt.IsZero():
			if row.CanEnd, err = desk.May(r.Context(), auth.UnfreezeEvidence, f.Scope, f.Value); err != nil {
				d.fail(w, r, actor, err)
				return
			}
			v.Standing = append(v.Standing, row)
		case len(v.Past) < pastFreezes:
			v.Past = append(v.Past, row)
		default:
			v.More++
		}
	}
	if typed.Scope == "" {
		v.Scopes = append(v.Scopes, option{"", "Choose", true})
	}
	for _, s := range [][2]string{{"item", "One recording, by its id"}, {"camera", "A camera, by its serial number"}, {"officer", "An officer, by their id"}, {"station", "A station"}, {"agency", "Everything in the agency"}} {
		v.Scopes = append(v.Scopes, option{s[0], s[1], typed.Scope == s[0]})
	}
	v.base = d.roomBase(r.Context(), actor, "Freezes", "freezes")
	d.show(w, r, code, "freezes", v)
}

// freezeRefusal puts an error into words for whoever asked; "" when it is not about what
// was asked.
func freezeRefusal(err error) (code int, text string) {
	var asked errAsked
	switch {
	case errors.As(err, &asked):
		return http.StatusUnprocessableEntity, asked.Error()
	case errors.Is(err, freeze.ErrInput):
		return http.StatusUnprocessableEntity, sentenceOf(strings.TrimPrefix(err.Error(), freeze.ErrInput.Error()+": "))
	case errors.Is(err, catalog.ErrConflict):
		return http.StatusConflict, "That freeze has ended already. This page shows how it is now."
	}
	return 0, ""
}

func (d *Dashboard) beginFreeze(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	typed := freezeTyped{searchText(f.Get("scope"), 20), searchText(f.Get("value"), 200), searchText(f.Get("reason"), 1000)}
	if typed.Scope == string(catalog.FreezeAgency) {
		typed.Value = ""
	}
	_, err := d.Freezes.For(actor).Begin(r.Context(), catalog.FreezeScope(typed.Scope), typed.Value, typed.Reason)
	if err == nil {
		http.Redirect(w, r, doneLink("/freezes", "begin"), http.StatusSeeOther)
		return
	}
	if code, problem := freezeRefusal(err); problem != "" {
		d.showFreezes(w, r, actor, code, problem, typed)
		return
	}
	d.fail(w, r, actor, err)
}

func (d *Dashboard) endFreeze(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	desk := d.Freezes.For(actor)
	err := error(nil)
	if r.PostForm.Get("sure") != "yes" && auth.MaySome(actor, auth.UnfreezeEvidence, actor.Agency) {
		err = errAsked("Nothing was changed: tick the box that says what you are about to do.")
	} else {
		err = desk.End(r.Context(), r.PathValue("id"), searchText(r.PostForm.Get("reason"), 1000))
	}
	switch code, problem := freezeRefusal(err); {
	case err == nil:
		http.Redirect(w, r, doneLink("/freezes", "end"), http.StatusSeeOther)
	case problem != "":
		d.showFreezes(w, r, actor, code, problem, freezeTyped{})
	case errors.Is(err, catalog.ErrNotFound):
		d.problem(w, r, actor, http.StatusNotFound, "There is no such freeze", "The list of freezes has those that there are.")
	default:
		d.fail(w, r, actor, err)
	}
}

// frozenView is what an item's page says of the freezes over it.
type frozenView struct {
	Over     []freezeRow
	Item     string
	CanBegin bool
	Room     bool // the person may enter the room of freezes
}

// frozenOf returns it; nil where there is nothing to say or do.
func (d *Dashboard) frozenOf(ctx context.Context, actor *auth.Actor, item *catalog.Item) (*frozenView, error) {
	if d.Freezes == nil {
		return nil, nil
	}
	desk := d.Freezes.For(actor)
	over, err := desk.Over(ctx, item)
	if err != nil {
		return nil, err
	}
	v := &frozenView{Item: item.ID.String(), Room: freeze.May(actor, item.Agency)}
	v.CanBegin = item.State != catalog.StateDestroyed && auth.May(actor, auth.FreezeEvidence, auth.ItemObject(item))
	for i := range over {
		row := freezeRow{Freeze: over[i], Hidden: over[i].ID == ""}
		if row.Name, row.Link = string(over[i].Scope), ""; !row.Hidden {
			row.Name, row.Link = d.frozenName(ctx, &over[i])
		}
		v.Over = append(v.Over, row)
	}
	if len(v.Over) == 0 && !v.CanBegin {
		return nil, nil
	}
	return v, nil
}
